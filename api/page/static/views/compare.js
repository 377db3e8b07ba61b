// Several jobs beside each other: their curves in one chart, and in what their specs differ.

import { json } from "../api.js";
import { LineChart, SEVERAL } from "../charts.js";
import { el, fill, write } from "../dom.js";
import { duration, flattened, number, percent, plural, short } from "../format.js";
import { icon } from "../icons.js";
import { FINAL, chip, datasetOf, modelOf, runningSeconds } from "../status.js";
import { repeat } from "../stream.js";

const ASK_MS = 2500;
const MOST_POINTS = 1000;
const METRICS = [
  ["val_accuracy", "Validation accuracy", true],
  ["val_loss", "Validation loss", false],
  ["accuracy", "Training accuracy", true],
  ["loss", "Training loss", false],
  ["val_rmse", "Validation RMSE", false],
  ["val_r2", "Validation R²", false],
  ["learning_rate", "Learning rate", false],
  ["examples_per_second", "Examples a second", false],
];

export async function show(view, { parts, signal }) {
  const ids = [...new Set((parts[0] ?? "").split(",").filter(Boolean))].slice(0, SEVERAL.length);
  if (!ids.length) {
    const back = el("a", { class: "button primary", href: "#/jobs" }, icon("jobs"), "All jobs");
    const said = el("p", {}, "Tick two jobs or more in the list, then press Compare.");
    fill(view, el("div", { class: "empty" }, icon("compare"), el("h1", {}, "Nothing to compare yet"), said, back));
    return "Compare";
  }
  let jobs = [];
  const series = new Map();
  const gone = new Set();
  const which = el("select", { "aria-label": "What is compared" });
  const over = el(
    "select",
    { "aria-label": "Along" },
    ...[
      ["epoch", "by epoch"],
      ["step", "by step"],
      ["seconds", "by training time"],
    ].map(([value, label]) => el("option", { value }, label)),
  );
  const chart = new LineChart("Validation accuracy", [which, over], { isNamed: true });
  chart.element.classList.add("tall");
  const heading = el("h1", {}, "Jobs compared");
  const missing = el("p", { class: "soft" });
  const results = el("section", { class: "panel" });
  const differences = el("section", { class: "panel" });
  fill(
    view,
    el("p", { class: "crumb" }, el("a", { href: "#/jobs" }, "← Jobs")),
    heading,
    missing,
    chart.element,
    results,
    differences,
  );
  which.addEventListener("change", draw);
  over.addEventListener("change", draw);
  signal.addEventListener("abort", () => chart.close());
  await read();
  repeat(async () => jobs.every((job) => FINAL.has(job.status)) || read(), ASK_MS, signal);
  return "Compare";

  async function read() {
    const wanted = ids.filter((id) => !FINAL.has(jobs.find((job) => job.id === id)?.status) && !gone.has(id));
    const one = async (id) => {
      const path = `v1/jobs/${encodeURIComponent(id)}`;
      try {
        const asked = [json(path, { signal }), json(`${path}/metrics?max_points=${MOST_POINTS}`, { signal })];
        const [job, measured] = await Promise.all(asked);
        series.set(id, measured);
        return job;
      } catch (error) {
        if (error.status !== 404 || ids.length === 1) throw error;
        gone.add(id);
        return null;
      }
    };
    const fresh = (await Promise.all(wanted.map(one))).filter(Boolean);
    jobs = ids
      .filter((id) => !gone.has(id))
      .map((id) => fresh.find((job) => job.id === id) ?? jobs.find((job) => job.id === id));
    write(heading, `${plural(jobs.length, "job")} compared`);
    write(missing, gone.size ? `No longer there: ${[...gone].map(short).join(", ")}.` : "");
    missing.hidden = !gone.size;
    draw();
    drawTables();
  }

  function draw() {
    const there = METRICS.filter(([name]) =>
      [...series.values()].some((one) => one.series[name]?.some((value) => value !== null)),
    );
    const offered = there.length ? there : METRICS.slice(0, 1);
    if (which.options.length !== offered.length) {
      const now = which.value;
      fill(which, ...offered.map(([name, label]) => el("option", { value: name, selected: name === now }, label)));
    }
    const [name, label, isShare] = offered.find(([one]) => one === which.value) ?? offered[0];
    chart.heading.textContent = label;
    const lines = jobs.map((job, n) => {
      const one = series.get(job.id);
      return { name: nameOf(job), x: along(one), y: one.series[name] ?? [], colour: SEVERAL[n] };
    });
    chart.show(lines, {
      percent: isShare,
      x: over.value === "seconds" ? "seconds of training" : over.value,
      key: `${name} ${over.value}`,
    });
  }

  function along(one) {
    if (over.value === "epoch") return one.epochs;
    if (over.value === "step") return one.steps;
    let sum = 0;
    return (one.series.seconds ?? []).map((seconds) => (sum += seconds ?? 0));
  }

  function drawTables() {
    const rows = [
      ["status", ...jobs.map(chip)],
      ["test accuracy", ...jobs.map((job) => percent(job.metrics.test_accuracy, 2))],
      ["test RMSE", ...jobs.map((job) => number(job.metrics.test_rmse))],
      ["test loss", ...jobs.map((job) => number(job.metrics.test_loss))],
      ["best validation accuracy", ...jobs.map((job) => percent(job.metrics.best?.val_accuracy, 2))],
      ["best epoch", ...jobs.map((job) => String(job.metrics.best?.epoch ?? "–"))],
      ["running time", ...jobs.map((job) => duration(runningSeconds(job)))],
    ].filter(([, ...values]) => values.some((value) => value !== "–"));
    fill(results, el("h2", {}, "Results"), sheet(rows, "Results"));
    const specs = jobs.map((job) => flattened(job.spec));
    const names = [...new Set(specs.flatMap((spec) => [...spec.keys()]))];
    const differing = names.filter((name) => new Set(specs.map((spec) => JSON.stringify(spec.get(name)))).size > 1);
    const cells = differing.map((name) => [
      name,
      ...specs.map((spec) => (spec.has(name) ? JSON.stringify(spec.get(name)) : "–")),
    ]);
    fill(
      differences,
      el("h2", {}, "Where their specs differ"),
      cells.length
        ? sheet(cells, "Differences", "differs")
        : el("p", { class: "soft" }, "They are the same in every field."),
    );
  }

  function sheet(rows, label, kind = "") {
    const swatch = (n) => {
      const made = el("span", { class: "swatch" });
      made.style.background = `var(--${SEVERAL[n]})`;
      return made;
    };
    const heads = jobs.map((job, n) =>
      el("th", { scope: "col" }, swatch(n), el("a", { href: `#/jobs/${job.id}` }, nameOf(job))),
    );
    const body = rows.map(([name, ...cells]) =>
      el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((one) => el("td", {}, one))),
    );
    return el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
      el("table", { class: kind }, el("thead", {}, el("tr", {}, el("td"), ...heads)), el("tbody", {}, ...body)),
    );
  }
}

const nameOf = (job) => `${job.metadata.name ?? `${datasetOf(job)} ${modelOf(job)}`} ${short(job.id)}`;
