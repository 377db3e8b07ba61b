// What is known of a job's past: its epochs as columns for curves, and what happened as lines to read.

import { el } from "./dom.js";
import { clock, duration, instant, number, percent, words } from "./format.js";

/** Measurements by epoch, as they come; an epoch that comes again takes the first one's place. */
export class Epochs {
  epochs = [];
  #rows = new Map();

  add(row) {
    if (!this.#rows.has(row.epoch)) {
      this.epochs.push(row.epoch);
      if (this.epochs.at(-2) > row.epoch) this.epochs.sort((one, other) => one - other);
    }
    this.#rows.set(row.epoch, row);
  }

  column(name) {
    return this.epochs.map((epoch) => this.#rows.get(epoch)[name] ?? null);
  }

  has(name) {
    return (
      this.epochs.length > 0 &&
      this.#rows.get(this.epochs.at(-1))[name] !== null &&
      this.#rows.get(this.epochs.at(-1))[name] !== undefined
    );
  }

  get last() {
    return this.#rows.get(this.epochs.at(-1));
  }
}

/** What an event says, in words. */
export function told(event) {
  const { type, data } = event;
  switch (type) {
    case "status":
      return (
        words(data.status) +
        (data.reason ? `: ${words(data.reason)}` : "") +
        (data.attempt > 1 ? ` (attempt ${data.attempt})` : "")
      );
    case "run":
      return `${data.execution} on ${data.device_name}${data.threads ? `, ${data.threads} threads` : ""}, TensorFlow ${data.tensorflow}`;
    case "metric": {
      const score =
        data.val_accuracy !== null && data.val_accuracy !== undefined
          ? `accuracy ${percent(data.val_accuracy)}`
          : `RMSE ${number(data.val_rmse)}`;
      return `epoch ${data.epoch}: loss ${number(data.loss)}, validation loss ${number(data.val_loss)}, validation ${score}, ${duration(data.seconds)}`;
    }
    case "checkpoint":
      return `kept ${data.name ?? "a checkpoint"}${data.epoch !== undefined ? ` after epoch ${data.epoch}` : ""}`;
    case "log":
      return data.message ?? "";
    case "done":
      return `finished: ${words(data.status ?? "")}`;
    default:
      return JSON.stringify(data);
  }
}

export function line(event) {
  const level = event.type === "log" ? (event.data.level ?? "info") : event.data?.status === "failed" ? "error" : "";
  const kind = event.type === "log" ? level : event.type;
  return el(
    "li",
    { data: { type: event.type } },
    el("time", { dateTime: event.at, title: instant(event.at) }, clock(event.at)),
    el("span", { class: `kind ${level}` }, kind),
    el("p", { class: level }, told(event)),
  );
}
