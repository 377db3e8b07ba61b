// One job: what it does now, its curves as they grow, and all that it leaves.

import { download, json, post, send } from "../api.js";
import { LineChart } from "../charts.js";
import { confirmed } from "../dialogs.js";
import { button, collected, el, fill, tell, toast, write } from "../dom.js";
import { brief, bytes, duration, instant, number, percent, secondsBetween, secondsUntil, words } from "../format.js";
import { Epochs, line } from "../history.js";
import { icon } from "../icons.js";
import { FINAL, bar, chip, datasetOf, modelOf, presetOf, progressed, situation } from "../status.js";
import { follow } from "../stream.js";
import { facts, table } from "../table.js";
import { tabs } from "../tabs.js";

const SCORES = [
  ["accuracy", "Accuracy", true],
  ["rmse", "RMSE", false],
  ["mae", "MAE", false],
  ["r2", "R²", false],
  ["learning_rate", "Learning rate", false],
  ["examples_per_second", "Examples a second", false],
];

export async function show(view, { parts, signal }) {
  const id = parts[0];
  const path = `v1/jobs/${encodeURIComponent(id)}`;
  let job = await json(path, { signal });
  const measured = new Epochs();
  const events = [];
  const parted = { log: null };

  const head = el("div", { class: "job-head" });
  const state = el("section", { class: "panel state", "aria-label": "Progress" });
  const live = el("span", { class: "live" });
  const actions = el("div", { class: "buttons" });
  const curves = new Curves();
  const panels = tabs(
    "About this job",
    [
      ["", "Curves", () => el("div", { class: "pair" }, curves.loss.element, curves.score.element)],
      ["try", "Try it", tryIt],
      ["spec", "Spec", spec],
      ["log", "Log", log],
      ["attempts", "Attempts", attempts],
      ["files", "Files", files],
      ["card", "Card", card],
    ],
    { first: parts[1] ?? "", onChoose: (name) => history.replaceState(null, "", `#/jobs/${id}${name ? `/${name}` : ""}`) },
  );
  const main = document.getElementById("main");
  main.addEventListener("gradientd:part", (event) => panels.choose(event.detail, { quietly: true }), { signal });

  fill(view, head, state, panels.bar, panels.panel);
  drawHead();
  drawState();
  const refresh = collected(() => json(path, { signal }).then(known, ignore), 200);
  const drawSoon = collected(() => curves.draw(measured), 30);
  curves.draw(measured);
  const timer = setInterval(drawState, 1000);
  signal.addEventListener("abort", () => (clearInterval(timer), refresh.stop(), curves.close()));
  follow(`${path}/events`, { signal, onEvent: take, onState: (is) => ((live.dataset.is = is), write(live, is && !FINAL.has(job.status) ? "live" : is ? "" : "reconnecting")) })
    .then(() => write(live, ""))
    .catch((error) => signal.aborted || toast(error.message, "bad"));
  return `${datasetOf(job)} · ${words(job.status)}`;

  function ignore(error) {
    if (error.name !== "AbortError" && error.status !== 0) toast(error.message, "bad");
  }

  function take(type, event) {
    if (type === "progress") {
      if (FINAL.has(job.status)) return;
      const isNews = event.status !== job.status;
      job = progressed(job, event);
      if (isNews) drawHead();
      drawState();
      return;
    }
    events.push(event);
    parted.log?.(event);
    if (type === "metric") {
      measured.add(event.data);
      drawSoon();
    }
    // Replayed events of a job that has ended tell nothing new of its record.
    if (!FINAL.has(job.status)) refresh();
  }

  function known(newer) {
    if (newer.revision < job.revision) return;
    if (newer.status !== job.status) tell(`The job is ${words(newer.status)}`);
    const ended = FINAL.has(newer.status) && !FINAL.has(job.status);
    job = newer;
    drawHead();
    drawState();
    if (ended) panels.choose(panels.bar.querySelector("[aria-selected=true]").dataset.name, { quietly: true });
    for (const part of parts.redraw ?? []) part();
  }

  function drawHead() {
    const copy = el("button", { type: "button", class: "quiet small", on: { click: () => navigator.clipboard?.writeText(id).then(() => toast("The id is copied.")) } }, "Copy id");
    const labels = Object.entries(job.metadata).map(([name, value]) => el("span", { class: "tag" }, name, el("b", {}, value)));
    if (!head.children.length) {
      fill(
        head,
        el("p", { class: "crumb" }, el("a", { href: "#/jobs" }, "← Jobs")),
        el("div", { class: "head" }, el("h1", {}, datasetOf(job)), el("span", { data: { chip: "" } }), live, el("span", { class: "gap" }), actions),
        el("div", { class: "job-id" }, el("span", {}, `${modelOf(job)}${presetOf(job) ? `, preset ${presetOf(job)}` : ""}`), el("code", {}, id), copy, ...labels),
      );
    }
    fill(head.querySelector("[data-chip]"), chip(job));
    drawActions();
  }

  function drawActions() {
    const change = (verb) => async () => known(await post(`${path}/${verb}`, {}));
    const wanted = [];
    if (job.status === "running" || job.status === "queued") wanted.push(button("Pause", change("pause"), { icon: icon("paused") }));
    if (job.status === "paused" || job.status === "pausing") wanted.push(button("Resume", change("resume"), { icon: icon("running"), kind: "primary" }));
    if (!FINAL.has(job.status) && job.status !== "cancelling") wanted.push(button("Cancel", change("cancel"), { icon: icon("stopping"), kind: "danger" }));
    if (FINAL.has(job.status)) {
      const again = el("a", { class: "button", href: `#/new?from=${id}` }, icon("again"), "Run again");
      wanted.push(again, button("Delete", remove, { icon: icon("trash"), kind: "danger" }));
    }
    const names = wanted.map((one) => one.textContent).join();
    if (actions.dataset.names === names) return;
    const had = actions.contains(document.activeElement);
    actions.dataset.names = names;
    fill(actions, ...wanted);
    if (had) actions.firstElementChild?.focus();
  }

  async function remove() {
    if (!(await confirmed("Delete this job?", "Its record, curves and files go for good.", "Delete it"))) return;
    await send("DELETE", path);
    toast("The job is deleted.");
    location.hash = "#/jobs";
  }

  function drawState() {
    const { progress, metrics } = job;
    const took = secondsBetween(job.started_at, job.finished_at);
    const best = metrics.best;
    const figures = [
      [progress.epoch || FINAL.has(job.status) ? `${progress.epoch} / ${progress.epochs}` : progress.epochs, "epochs"],
      [took === null ? "–" : duration(took), FINAL.has(job.status) ? "running time" : "running"],
    ];
    if (!FINAL.has(job.status)) {
      figures.push([progress.estimated_finish_at ? duration(secondsUntil(progress.estimated_finish_at)) : "–", "to go"]);
      figures.push([progress.examples_per_second ? brief(progress.examples_per_second) : "–", "examples a second"]);
    }
    if (metrics.test_accuracy !== null) figures.push([percent(metrics.test_accuracy, 2), "test accuracy"]);
    if (metrics.test_rmse !== null) figures.push([number(metrics.test_rmse), "test RMSE"], [number(metrics.test_r2), "test R²"]);
    if (best) {
      const score = best.val_accuracy !== null ? [percent(best.val_accuracy, 2), "best validation accuracy"] : [number(best.val_rmse), "best validation RMSE"];
      figures.push(score, [best.epoch, "best epoch"]);
    }
    if (job.run) figures.push([brief(job.run.parameters), "trained values"]);
    if (!state.children.length) {
      fill(state, el("div", { class: "state-line" }, el("b"), el("span", { class: "soft" })), el("div", { data: { bar: "" } }), el("div", { data: { error: "" } }), el("div", { class: "figures" }));
    }
    const said = { running: words(job.phase ?? "starting"), queued: "Waiting" }[job.status] ?? words(job.status);
    write(state.querySelector("b"), said.charAt(0).toUpperCase() + said.slice(1));
    write(state.querySelector(".soft"), FINAL.has(job.status) ? `${situation(job)}${job.worker ? ` on ${job.worker}` : ""}` : `${Math.round(progress.percent)} %, ${situation(job)}${job.worker ? ` on ${job.worker}` : ""}`);
    const shown = bar(job);
    const present = state.querySelector("progress");
    if (present) Object.assign(present, { value: shown.value, className: shown.className, ariaLabel: shown.getAttribute("aria-label") });
    else state.querySelector("[data-bar]").append(shown);
    fill(state.querySelector("[data-error]"), job.error ? el("div", { class: "problem" }, el("b", {}, job.error.title), el("span", {}, job.error.detail)) : null);
    fill(state.querySelector(".figures"), ...figures.map(([value, label]) => el("div", {}, el("b", {}, value), el("span", {}, label))));
  }

  // --- the parts -----------------------------------------------------------------------------------

  function tryIt() {
    const place = el("div", {}, el("p", { class: "soft wait" }, "Loading …"));
    const load = async () => {
      if (job.status !== "succeeded") {
        fill(place, el("div", { class: "empty" }, icon("pen"), el("h2", {}, "Not yet"), el("p", {}, "A model answers once its job has succeeded.")));
        return;
      }
      const { tryModel } = await import("../trying.js");
      fill(place, await tryModel(job, signal));
    };
    const start = () => load().catch((error) => error.name === "AbortError" || fill(place, el("div", { class: "problem", role: "alert" }, error.message)));
    start();
    if (!FINAL.has(job.status)) whenChanged(() => FINAL.has(job.status) && start());
    return place;
  }

  function whenChanged(draw) {
    (parts.redraw ??= []).push(draw);
  }

  function spec() {
    const text = JSON.stringify(job.spec, null, 2);
    const choices = job.choices.length ? el("section", { class: "panel" }, el("h2", {}, "Chosen for this data"), table([["field"], ["value"], ["because"]], job.choices.map((one) => [one.field, el("code", {}, JSON.stringify(one.value)), one.reason]), { label: "What was chosen and why" })) : null;
    const all = el("section", { class: "panel" }, el("div", { class: "panel-head" }, el("h2", {}, "All of it"), el("span", { class: "gap" }), el("a", { class: "button", href: `#/new?from=${id}` }, icon("again"), "New job from this")), el("pre", {}, text));
    return [choices, all].filter(Boolean);
  }

  function log() {
    const list = el("ol", { class: "log" });
    const epochsToo = el("input", { type: "checkbox" });
    const fits = (event) => epochsToo.checked || event.type !== "metric";
    const draw = () => fill(list, ...events.filter(fits).map(line).reverse());
    parted.log = (event) => fits(event) && list.prepend(line(event));
    epochsToo.addEventListener("change", draw);
    draw();
    return el("section", { class: "panel" }, el("div", { class: "panel-head" }, el("h2", {}, "What happened, newest first"), el("span", { class: "gap" }), el("label", { class: "check" }, epochsToo, "epochs too")), list);
  }

  function attempts() {
    const place = el("div", { class: "stack" });
    const draw = () => {
      const rows = job.transitions.map((one, n) => {
        const next = job.transitions[n + 1];
        return [instant(one.at), chip({ status: one.status }), words(one.reason ?? ""), one.attempt || "–", FINAL.has(one.status) ? "–" : duration(secondsBetween(one.at, next?.at))];
      });
      const run = job.run;
      const where = facts([["worker", job.worker], ["attempts", String(job.attempt)], ["device", run && `${run.device_name} (${run.device})`], ["execution", run?.execution], ["threads", run?.threads && String(run.threads)], ["TensorFlow", run?.tensorflow], ["checkpoint", job.checkpoint && `epoch ${job.checkpoint.epoch}, ${bytes(job.checkpoint.size_bytes)}`], ["accepted", instant(job.created_at)]]);
      fill(place, el("section", { class: "panel" }, el("h2", {}, "Where it runs"), where), el("section", { class: "panel" }, el("h2", {}, "Changes of status"), table([["when"], ["status"], ["reason"], ["attempt", true], ["lasted", true]], rows, { label: "Changes of status" })));
    };
    draw();
    whenChanged(draw);
    return place;
  }

  function files() {
    const place = el("section", { class: "panel" });
    const draw = () => {
      if (!job.artifacts.length) {
        fill(place, el("div", { class: "empty" }, icon("download"), el("h2", {}, "No files yet"), el("p", {}, "Weights and models are here once the job has succeeded.")));
        return;
      }
      const get = (file) => button("Download", () => download(`${path}/artifacts/${encodeURIComponent(file.name)}`, file.name), { icon: icon("download"), "aria-label": `Download ${file.name}` });
      const rows = job.artifacts.map((file) => [el("b", {}, file.name), bytes(file.size_bytes), el("code", { title: file.sha256 }, `${file.sha256.slice(0, 12)}…`), get(file)]);
      const series = button("Curves as CSV", () => download(`${path}/metrics`, `${id}.csv`, { headers: { accept: "text/csv" } }), { icon: icon("download") });
      fill(place, el("div", { class: "panel-head" }, el("h2", {}, "Files"), el("span", { class: "gap" }), series), table([["name"], ["size", true], ["SHA-256"], ["get"]], rows, { label: "Files" }));
    };
    draw();
    whenChanged(draw);
    return place;
  }

  function card() {
    const place = el("div", { class: "stack" });
    const draw = async () => {
      if (job.status !== "succeeded") {
        fill(place, el("div", { class: "empty" }, icon("info"), el("h2", {}, "No card yet"), el("p", {}, "How far to trust the model is told once its job has succeeded.")));
        return;
      }
      const { cardFrame } = await import("../cardframe.js");
      const save = button("Save as a page", () => download(`${path}/card`, `card-${id}.html`, { headers: { accept: "text/html" } }), { icon: icon("download") });
      fill(place, el("div", { class: "buttons" }, save, el("span", { class: "soft small" }, "One file that needs no network.")), await cardFrame(`${path}/card`, signal));
    };
    draw().catch(ignore);
    if (!FINAL.has(job.status)) whenChanged(() => FINAL.has(job.status) && draw().catch(ignore));
    return place;
  }
}

/** The two charts of a job, and what is chosen for them. */
class Curves {
  constructor() {
    this.logarithmic = el("input", { type: "checkbox" });
    this.which = el("select", { "aria-label": "What the second chart shows" });
    this.loss = new LineChart("Loss", [el("label", { class: "check small" }, this.logarithmic, "log scale")]);
    this.score = new LineChart("Accuracy", [this.which], { isNamed: true });
    for (const one of [this.logarithmic, this.which]) one.addEventListener("change", () => this.draw(this.epochs));
  }

  draw(measured) {
    this.epochs = measured;
    const there = SCORES.filter(([name]) => measured.has(name));
    const offered = there.length ? there : SCORES.slice(0, 1);
    if (this.which.options.length !== offered.length) {
      const now = this.which.value;
      fill(this.which, ...offered.map(([name, label]) => el("option", { value: name, selected: name === now }, label)));
    }
    const [name, label, isShare] = offered.find(([one]) => one === this.which.value) ?? offered[0];
    write(this.score.heading, label);
    this.loss.show(lines(measured, "loss"), { logarithmic: this.logarithmic.checked, key: `loss${this.logarithmic.checked}` });
    this.score.show(lines(measured, name), { percent: isShare, key: name });
  }

  close() {
    this.loss.close();
    this.score.close();
  }
}

function lines(measured, name) {
  const x = measured.epochs;
  const train = { name: measured.has(`val_${name}`) ? "training" : name.replaceAll("_", " "), x, y: measured.column(name), colour: "line-2" };
  return measured.has(`val_${name}`) ? [train, { name: "validation", x, y: measured.column(`val_${name}`), colour: "line-1" }] : [train];
}
