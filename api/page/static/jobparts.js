// What there is about a job beside its curves: its spec, log, attempts, files, card, and a way to ask its model.
// Each part is made from `view`: {id, path, signal, job, events, onChange, onEvent}, of which `job` is the newest known.

import { download } from "./api.js";
import { button, el, fill } from "./dom.js";
import { bytes, count, duration, instant, secondsBetween, words } from "./format.js";
import { line } from "./history.js";
import { icon } from "./icons.js";
import { FINAL, chip } from "./status.js";
import { facts, table } from "./table.js";

const empty = (sign, title, text) => el("div", { class: "empty" }, icon(sign), el("h2", {}, title), el("p", {}, text));

/** Draws now and, where the job goes on, once it has ended; problems take the place. */
function drawnAtEnd(view, place, draw) {
  const start = () =>
    draw().catch((error) => {
      if (error.name !== "AbortError") fill(place, el("div", { class: "problem", role: "alert" }, error.message));
    });
  start();
  let waits = !FINAL.has(view.job.status);
  view.onChange(() => {
    if (waits && FINAL.has(view.job.status)) start();
    waits &&= !FINAL.has(view.job.status);
  });
  return place;
}

/** Draws now, and again whenever what `of` takes from the job is another: what is read or has the focus stays. */
function drawnAnew(view, of, draw) {
  let drawn = "";
  const look = () => {
    const now = JSON.stringify(of(view.job));
    if (now !== drawn) draw();
    drawn = now;
  };
  look();
  view.onChange(look);
}

export function tryIt(view) {
  const place = el("div", {}, el("p", { class: "soft wait" }, "Loading …"));
  return drawnAtEnd(view, place, async () => {
    if (view.job.status !== "succeeded") {
      fill(place, empty("pen", "Not yet", "A model answers once its job has succeeded."));
      return;
    }
    const { tryModel } = await import("./trying.js");
    fill(place, await tryModel(view.job, view.signal));
  });
}

export function spec(view) {
  const { job, id } = view;
  const rows = job.choices.map((one) => [one.field, el("code", {}, JSON.stringify(one.value)), one.reason]);
  const choices = el(
    "section",
    { class: "panel" },
    el("h2", {}, "Chosen for this data"),
    table([["field"], ["value"], ["because"]], rows, { label: "What was chosen and why" }),
  );
  const again = el("a", { class: "button", href: `#/new?from=${id}` }, icon("again"), "New job from this");
  const all = el(
    "section",
    { class: "panel" },
    el("div", { class: "panel-head" }, el("h2", {}, "All of it"), el("span", { class: "gap" }), again),
    el("pre", {}, JSON.stringify(job.spec, null, 2)),
  );
  return el("div", { class: "stack" }, rows.length ? choices : null, all);
}

export function log(view) {
  const list = el("ol", { class: "log" });
  const epochsToo = el("input", { type: "checkbox" });
  const fits = (event) => epochsToo.checked || event.type !== "metric";
  const draw = () => fill(list, ...view.events.filter(fits).map(line).reverse());
  view.onEvent((event) => fits(event) && list.prepend(line(event)));
  epochsToo.addEventListener("change", draw);
  draw();
  const head = el(
    "div",
    { class: "panel-head" },
    el("h2", {}, "What happened, newest first"),
    el("span", { class: "gap" }),
    el("label", { class: "check" }, epochsToo, "epochs too"),
  );
  return el("section", { class: "panel" }, head, list);
}

export function attempts(view) {
  const place = el("div", { class: "stack" });
  const draw = () => {
    const { job } = view;
    const { run, checkpoint, initial_weights: begun } = job;
    const rows = job.transitions.map((one, n) => {
      const lasted = FINAL.has(one.status) ? "–" : duration(secondsBetween(one.at, job.transitions[n + 1]?.at));
      return [instant(one.at), chip({ status: one.status }), words(one.reason ?? ""), one.attempt || "–", lasted];
    });
    const where = facts([
      ["worker", job.worker],
      ["attempts", String(job.attempt)],
      ["device", run && `${run.device_name} (${run.device})`],
      ["execution", run?.execution],
      ["threads", run?.threads && String(run.threads)],
      ["TensorFlow", run?.tensorflow],
      ["trained values", run && count(run.parameters)],
      ["values not trained", run?.non_trainable_parameters ? count(run.non_trainable_parameters) : null],
      ["started from", begun && begun.source + (begun.epoch === null ? "" : `, after epoch ${begun.epoch}`)],
      ["checkpoint", checkpoint && `epoch ${checkpoint.epoch}, ${bytes(checkpoint.size_bytes)}`],
      ["accepted", instant(job.created_at)],
    ]);
    const changes = table([["when"], ["status"], ["reason"], ["attempt", true], ["lasted", true]], rows, {
      label: "Changes of status",
    });
    fill(
      place,
      el("section", { class: "panel" }, el("h2", {}, "Where it runs"), where),
      el("section", { class: "panel" }, el("h2", {}, "Changes of status"), changes),
    );
  };
  drawnAnew(view, (job) => [job.transitions, job.run, job.checkpoint, job.worker], draw);
  return place;
}

export function files(view) {
  const { path, id } = view;
  const place = el("section", { class: "panel" });
  const draw = () => {
    if (!view.job.artifacts.length) {
      fill(place, empty("download", "No files yet", "Weights and models are here once the job has succeeded."));
      return;
    }
    const get = (file) =>
      button("Download", () => download(`${path}/artifacts/${encodeURIComponent(file.name)}`, file.name), {
        icon: icon("download"),
        "aria-label": `Download ${file.name}`,
      });
    const rows = view.job.artifacts.map((file) => [
      el("b", {}, file.name),
      bytes(file.size_bytes),
      el("code", { title: file.sha256 }, `${file.sha256.slice(0, 12)}…`),
      get(file),
    ]);
    const series = button(
      "Curves as CSV",
      () => download(`${path}/metrics`, `${id}.csv`, { headers: { accept: "text/csv" } }),
      { icon: icon("download") },
    );
    fill(
      place,
      el("div", { class: "panel-head" }, el("h2", {}, "Files"), el("span", { class: "gap" }), series),
      table([["name"], ["size", true], ["SHA-256"], ["get"]], rows, { label: "Files" }),
    );
  };
  drawnAnew(view, (job) => job.artifacts, draw);
  return place;
}

export function card(view) {
  const { path, id, signal } = view;
  const place = el("div", { class: "stack" });
  return drawnAtEnd(view, place, async () => {
    if (view.job.status !== "succeeded") {
      fill(place, empty("info", "No card yet", "How far to trust the model is told once its job has succeeded."));
      return;
    }
    const { cardFrame } = await import("./cardframe.js");
    const save = button(
      "Save as a page",
      () => download(`${path}/card`, `card-${id}.html`, { headers: { accept: "text/html" } }),
      { icon: icon("download") },
    );
    fill(
      place,
      el("div", { class: "buttons" }, save, el("span", { class: "soft small" }, "One file that needs no network.")),
      await cardFrame(`${path}/card`, signal),
    );
  });
}
