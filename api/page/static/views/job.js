// One job: what it does now, its curves as they grow, and all that it leaves.

import { json, post, send } from "../api.js";
import { Curves } from "../curves.js";
import { deliveries } from "../deliveries.js";
import { confirmed } from "../dialogs.js";
import { button, collected, el, entitle, fill, tell, toast, write } from "../dom.js";
import { brief, duration, number, percent, secondsUntil, short, words } from "../format.js";
import { Epochs } from "../history.js";
import { icon } from "../icons.js";
import { attempts, card, files, log, spec, tryIt } from "../jobparts.js";
import { FINAL, bar, chip, datasetOf, modelOf, presetOf, progressed, runningSeconds, situation } from "../status.js";
import { follow, pause, repeat } from "../stream.js";
import { tabs } from "../tabs.js";

const REFRESH_MS = 200;
const DRAW_MS = 100;
/** How often a job is read again for what no event tells: that it was deleted. */
const REREAD_MS = 15_000;

export async function show(place, { parts, signal }) {
  const id = parts[0];
  const path = `v1/jobs/${encodeURIComponent(id)}`;
  const job = await json(path, { signal });
  const view = new JobView(place, { id, path, signal, job, part: parts[1] ?? "" });
  view.follow();
  return titleOf(view.job);
}

const titleOf = (job) => `${datasetOf(job)} · ${words(job.status)}`;

/** The view of a job; its parts ask it for the newest that is known and to be told of what is new. */
class JobView {
  events = [];
  #measured = new Epochs();
  #curves = new Curves();
  #onChange = [];
  #onEvent = [];
  #gone = new AbortController();

  constructor(place, { id, path, signal: left, job, part }) {
    const signal = AbortSignal.any([left, this.#gone.signal]);
    Object.assign(this, { place, id, path, signal, job });
    this.head = new Head(this);
    this.state = new State();
    this.tabs = tabs(
      "About this job",
      [
        ["", "Curves", () => this.#curves.element],
        ["try", "Try it", () => tryIt(this)],
        ["spec", "Spec", () => spec(this)],
        ["log", "Log", () => log(this)],
        ["attempts", "Attempts", () => attempts(this)],
        ["files", "Files", () => files(this)],
        ["card", "Card", () => card(this)],
        ...(job.spec.webhook ? [["webhook", "Webhook", () => deliveries(this)]] : []),
      ],
      { first: part, onChoose: (name) => history.replaceState(null, "", `#/jobs/${id}${name ? `/${name}` : ""}`) },
    );
    fill(place, this.head.element, this.state.element, this.tabs.bar, this.tabs.panel);
    document
      .getElementById("main")
      .addEventListener("gradientd:part", (event) => this.tabs.choose(event.detail, { quietly: true }), { signal });
    this.#refresh = collected(() => this.read(), REFRESH_MS);
    this.#draw = collected(() => this.#curves.draw(this.#measured), DRAW_MS);
    const timer = setInterval(() => this.state.show(this.job), 1000);
    signal.addEventListener(
      "abort",
      () => (clearInterval(timer), this.#refresh.stop(), this.#draw.stop(), this.#curves.close()),
    );
    this.#show();
    this.#curves.draw(this.#measured);
  }
  #refresh;
  #draw;

  onChange(listener) {
    this.#onChange.push(listener);
  }

  onEvent(listener) {
    this.#onEvent.push(listener);
  }

  /** Follows the job to its end. */
  async follow() {
    pause(REREAD_MS, this.signal).then(() => repeat(() => this.read(), REREAD_MS, this.signal));
    try {
      await follow(`${this.path}/events`, {
        signal: this.signal,
        onEvent: (type, event) => this.#take(type, event),
        onState: (is) => this.head.isLive(is),
      });
      this.head.isLive(null);
    } catch (error) {
      this.failed(error);
    }
  }

  async read() {
    try {
      this.known(await json(this.path, { signal: this.signal }));
    } catch (error) {
      this.failed(error);
    }
  }

  /** A request about the job failed: for good where the job is no more. */
  failed(error) {
    if (this.signal.aborted || error.name === "AbortError" || error.status === 0) return;
    if (error.status !== 404) return toast(error.message, "bad");
    this.#gone.abort();
    const back = el("a", { class: "button primary", href: "#/jobs" }, icon("jobs"), "All jobs");
    const said = el("p", {}, `Job ${short(this.id)} was deleted, by another window or program, or for its age.`);
    fill(
      this.place,
      el("div", { class: "empty", role: "alert" }, icon("trash"), el("h1", {}, "This job is gone"), said, back),
    );
    entitle("This job is gone");
  }

  /** The job is this now. */
  known(job) {
    if (job.revision < this.job.revision) return;
    if (job.status !== this.job.status) tell(`The job is ${words(job.status)}`);
    this.job = job;
    this.#show();
    for (const listener of this.#onChange) listener();
  }

  #show() {
    this.head.show(this.job);
    this.state.show(this.job);
    entitle(titleOf(this.job));
  }

  #take(type, event) {
    if (type === "progress") {
      if (FINAL.has(this.job.status)) return;
      this.job = progressed(this.job, event);
      this.#show();
      return;
    }
    this.events.push(event);
    for (const listener of this.#onEvent) listener(event);
    if (type === "metric") {
      this.#measured.add(event.data);
      this.#draw();
    }
    // Replayed events of a job that has ended tell nothing new of its record.
    if (!FINAL.has(this.job.status)) this.#refresh();
  }
}

/** What a job is called, where it stands, and what can be done with it. */
class Head {
  #view;

  constructor(view) {
    const { id, job } = (this.#view = view);
    const copy = el(
      "button",
      {
        type: "button",
        class: "quiet small",
        on: { click: () => navigator.clipboard?.writeText(id).then(() => toast("The id is copied.")) },
      },
      "Copy id",
    );
    const labels = Object.entries(job.metadata).map(([name, value]) =>
      el("span", { class: "tag", title: `${name}: ${value}` }, name, el("b", {}, value)),
    );
    this.chip = el("span");
    this.live = el("span", { class: "live" });
    this.actions = el("div", { class: "buttons" });
    this.element = el(
      "div",
      { class: "job-head" },
      el("p", { class: "crumb" }, el("a", { href: "#/jobs" }, "← Jobs")),
      el(
        "div",
        { class: "head" },
        el("h1", {}, datasetOf(job)),
        this.chip,
        this.live,
        el("span", { class: "gap" }),
        this.actions,
      ),
      el(
        "div",
        { class: "job-id" },
        el("span", {}, `${modelOf(job)}${presetOf(job) ? `, preset ${presetOf(job)}` : ""}`),
        el("code", {}, id),
        copy,
        ...labels,
      ),
    );
  }

  show(job) {
    if (this.chip.textContent !== chip(job).textContent) fill(this.chip, chip(job));
    const wanted = this.#wanted(job);
    const names = wanted.map((one) => one.textContent).join();
    if (this.actions.dataset.names === names) return;
    const had = this.actions.contains(document.activeElement);
    this.actions.dataset.names = names;
    fill(this.actions, ...wanted);
    if (had) this.actions.firstElementChild?.focus();
  }

  /** Whether the stream is connected; null once it has ended. */
  isLive(is) {
    this.live.dataset.is = is;
    write(this.live, is === null ? "" : is ? (FINAL.has(this.#view.job.status) ? "" : "live") : "reconnecting");
  }

  #wanted({ status }) {
    const view = this.#view;
    const change = (verb) => async () => {
      try {
        view.known(await post(`${view.path}/${verb}`, {}));
      } catch (error) {
        view.failed(error);
        if (error.status === 0) throw error;
      }
    };
    const wanted = [];
    if (status === "running" || status === "queued")
      wanted.push(button("Pause", change("pause"), { icon: icon("paused") }));
    if (status === "paused" || status === "pausing")
      wanted.push(button("Resume", change("resume"), { icon: icon("running"), kind: "primary" }));
    if (!FINAL.has(status) && status !== "cancelling")
      wanted.push(button("Cancel", change("cancel"), { icon: icon("stopping"), kind: "danger" }));
    if (FINAL.has(status))
      wanted.push(
        el("a", { class: "button", href: `#/new?from=${view.id}` }, icon("again"), "Run again"),
        button("Delete", () => this.#remove(), { icon: icon("trash"), kind: "danger" }),
      );
    return wanted;
  }

  async #remove() {
    if (!(await confirmed("Delete this job?", "Its record, curves and files go for good.", "Delete it"))) return;
    await send("DELETE", this.#view.path).catch((error) => {
      if (error.status !== 404) throw error;
    });
    toast("The job is deleted.");
    location.hash = "#/jobs";
  }
}

/** How far a job is, and its numbers. */
class State {
  constructor() {
    this.said = el("b");
    this.sub = el("span", { class: "soft" });
    this.bar = el("div");
    this.error = el("div");
    this.figures = el("div", { class: "figures" });
    this.element = el(
      "section",
      { class: "panel state", "aria-label": "Progress" },
      el("div", { class: "state-line" }, this.said, this.sub),
      this.bar,
      this.error,
      this.figures,
    );
  }

  show(job) {
    const said = { running: words(job.phase ?? "starting"), queued: "Waiting" }[job.status] ?? words(job.status);
    write(this.said, said.charAt(0).toUpperCase() + said.slice(1));
    const share = FINAL.has(job.status) ? "" : `${Math.round(job.progress.percent)} %, `;
    write(this.sub, `${share}${situation(job)}${job.worker ? ` on ${job.worker}` : ""}`);
    const shown = bar(job);
    const present = this.bar.firstElementChild;
    if (present)
      Object.assign(present, {
        value: shown.value,
        className: shown.className,
        ariaLabel: shown.getAttribute("aria-label"),
      });
    else fill(this.bar, shown);
    fill(
      this.error,
      job.error
        ? el("div", { class: "problem" }, el("b", {}, job.error.title), el("span", {}, job.error.detail))
        : null,
    );
    fill(
      this.figures,
      ...figures(job).map(([value, label]) => el("div", {}, el("b", {}, value), el("span", {}, label))),
    );
  }
}

/** The numbers of a job: [value, what it is]. */
function figures(job) {
  const { progress, metrics } = job;
  const { best } = metrics;
  const isFinal = FINAL.has(job.status);
  const took = runningSeconds(job);
  // The last one of a job that broke off was not whole.
  const epoch = isFinal ? (metrics.latest?.epoch ?? 0) : progress.epoch;
  const found = [
    [epoch || isFinal ? `${epoch} / ${progress.epochs}` : progress.epochs, "epochs"],
    [took === null ? "–" : duration(took), isFinal ? "running time" : "running"],
  ];
  if (!isFinal) {
    found.push([progress.estimated_finish_at ? duration(secondsUntil(progress.estimated_finish_at)) : "–", "to go"]);
    found.push([progress.examples_per_second ? brief(progress.examples_per_second) : "–", "examples / s"]);
  }
  if (metrics.test_accuracy !== null) found.push([percent(metrics.test_accuracy, 2), "test accuracy"]);
  if (metrics.test_rmse !== null)
    found.push([number(metrics.test_rmse), "test RMSE"], [number(metrics.test_r2), "test R²"]);
  if (best) {
    const score =
      best.val_accuracy !== null
        ? [percent(best.val_accuracy, 2), "best validation"]
        : [number(best.val_rmse), "best validation RMSE"];
    found.push(score, [best.epoch, "best epoch"]);
  }
  return found;
}
