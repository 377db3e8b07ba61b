// All jobs, as they are now: filtered, searched, and chosen to be compared.

import { button, debounced, el, fill, tell, toast, write } from "../dom.js";
import { ago, instant, plural, short, words as inWords } from "../format.js";
import { icon } from "../icons.js";
import { JobList } from "../joblist.js";
import { ACTIVE, bar, chip, modelOf, result, situation, titleOf } from "../status.js";

const FILTERS = [
  ["all", "All", []],
  ["active", "Active", ACTIVE],
  ["succeeded", "Succeeded", ["succeeded"]],
  ["failed", "Failed", ["failed"]],
  ["cancelled", "Cancelled", ["cancelled"]],
];
const MOST_COMPARED = 8;
const only = (status) => [status, inWords(status).replace(/^./, (first) => first.toUpperCase()), [status]];

export async function show(view, { query, signal }) {
  const chosen = new Set();
  const rows = new Map();
  const names = new Set(); // of datasets that were seen
  const asked = query.get("status");
  // Links may ask for one status that has no button of its own.
  const hasOwn = FILTERS.some(([name]) => name === asked);
  const offered = !hasOwn && ACTIVE.includes(asked) ? [...FILTERS, only(asked)] : FILTERS;
  let filter = offered.find(([name]) => name === asked) ?? FILTERS[0];

  const search = el("input", {
    type: "search",
    placeholder: "Search dataset, preset, label, id",
    "aria-label": "Search the jobs shown",
    value: query.get("q") ?? "",
  });
  const dataset = el("select", { "aria-label": "Dataset" }, el("option", { value: "" }, "All datasets"));
  if (query.get("dataset")) {
    names.add(query.get("dataset"));
    dataset.append(el("option", { value: query.get("dataset"), selected: true }, query.get("dataset")));
  }
  const filters = el("div", { class: "segments", role: "group", "aria-label": "Status" });
  const compare = el("a", { class: "button", hidden: true });
  const body = el("ul", { class: "jobs-list", "aria-label": "Jobs" });
  const instead = el("div");
  const more = el("div", { class: "more" });
  const live = el("span", { class: "live" });
  const count = el("p", { class: "unseen", role: "status" });

  const list = new JobList({
    signal,
    onChange: draw,
    onLive: (is) => ((live.dataset.is = is), write(live, is ? "live" : "reconnecting")),
  });
  fill(
    view,
    el(
      "div",
      { class: "head" },
      el("h1", {}, "Jobs"),
      live,
      el("span", { class: "gap" }),
      compare,
      el("a", { class: "button primary", href: "#/new" }, icon("add"), "New job"),
    ),
    el("div", { class: "filters" }, filters, el("label", { class: "search" }, icon("search"), search), dataset),
    count,
    body,
    instead,
    more,
  );
  const ask = debounced(() => (keepAddress(), draw()), 120);
  signal.addEventListener("abort", ask.stop);
  search.addEventListener("input", ask);
  dataset.addEventListener("change", () => (keepAddress(), load().catch((error) => toast(error.message, "bad"))));
  // Who follows a link comes back to as many jobs, at the same place.
  view.addEventListener("click", (event) => {
    if (event.target.closest("a")) history.replaceState({ jobs: list.jobs.length, top: scrollY }, "");
  });
  const left = history.state;
  drawFilters();
  await load();
  while (list.hasMore && list.jobs.length < (left?.jobs ?? 0)) await list.loadMore();
  if (left?.top) scrollTo(0, left.top);
  list.follow().catch((error) => !signal.aborted && toast(error.message, "bad"));
  const timer = setInterval(() => [...rows.values()].forEach((row) => row.age()), 5000);
  signal.addEventListener("abort", () => clearInterval(timer));
  return "Jobs";

  function load() {
    return list.load(filter[2], dataset.value);
  }

  /** Who comes back finds what was looked for. */
  function keepAddress() {
    const kept = { status: filter[0] === "all" ? "" : filter[0], dataset: dataset.value, q: search.value.trim() };
    const query = new URLSearchParams(Object.entries(kept).filter(([, value]) => value));
    history.replaceState(null, "", query.size ? `#/jobs?${query}` : "#/jobs");
  }

  function drawFilters() {
    fill(
      filters,
      ...offered.map((one) =>
        el(
          "button",
          {
            type: "button",
            "aria-pressed": String(one === filter),
            on: {
              click: async () => {
                filter = one;
                keepAddress();
                for (const pressed of filters.children)
                  pressed.setAttribute("aria-pressed", String(pressed.textContent === one[1]));
                await load();
              },
            },
          },
          one[1],
        ),
      ),
    );
  }

  function draw() {
    const fresh = new Set(list.jobs.map((job) => titleOf(job).split("@")[0]).filter((name) => !names.has(name)));
    for (const name of fresh) {
      names.add(name);
      dataset.append(el("option", { value: name }, name));
    }
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = list.jobs.filter((job) => words.every((word) => text(job).includes(word)));
    write(count, `${plural(shown.length, "job")} shown`);
    const ids = new Set(shown.map((job) => job.id));
    for (const [id, row] of rows) if (!ids.has(id)) (row.element.remove(), rows.delete(id));
    shown.forEach((job, at) => {
      if (!rows.has(job.id)) rows.set(job.id, new Row(job, chosen, drawCompare));
      const row = rows.get(job.id);
      row.show(job);
      // What is in its place already stays there, and keeps the focus.
      if (body.children[at] !== row.element) body.insertBefore(row.element, body.children[at] ?? null);
    });
    body.hidden = !shown.length;
    fill(instead, shown.length ? null : nothing());
    fill(
      more,
      list.hasMore && words.length && shown.length
        ? el("p", { class: "soft small" }, `Searched: the newest ${plural(list.jobs.length, "job")}.`)
        : null,
      list.hasMore ? button("Load older jobs", () => list.loadMore()) : null,
    );
    drawCompare();
  }

  function nothing() {
    if (list.jobs.length || filter[0] !== "all" || dataset.value)
      return el(
        "div",
        { class: "empty" },
        icon("search"),
        el("h2", {}, list.hasMore ? `No job is like that among the newest ${list.jobs.length}` : "No job is like that"),
        el(
          "p",
          {},
          list.hasMore
            ? "Older jobs are searched once they are loaded."
            : "Another filter or fewer words may find some.",
        ),
      );
    const start = button(
      "Start MNIST",
      async () => {
        const { post } = await import("../api.js");
        const job = await post("v1/jobs", { preset: "mnist-99", dataset: "mnist-10k", epochs: 5 });
        location.hash = `#/jobs/${job.id}`;
      },
      { kind: "primary", icon: icon("running") },
    );
    return el(
      "div",
      { class: "empty" },
      icon("compare"),
      el("h2", {}, "No jobs yet"),
      el(
        "p",
        {},
        "Start MNIST with one click: a small network learns to read digits in seconds. Or bring data of your own.",
      ),
      el(
        "div",
        { class: "buttons" },
        start,
        el("a", { class: "button", href: "#/datasets" }, icon("upload"), "Upload a dataset"),
      ),
    );
  }

  function drawCompare() {
    compare.hidden = chosen.size < 2;
    const many = chosen.size > MOST_COMPARED ? `the first ${MOST_COMPARED} of ${chosen.size}` : chosen.size;
    fill(compare, icon("compare"), `Compare ${many}`);
    compare.href = `#/compare/${[...chosen].slice(0, MOST_COMPARED).join(",")}`;
    if (chosen.size === 2) tell("Compare is ready");
  }
}

const text = (job) =>
  [job.id, titleOf(job), modelOf(job), job.status, ...Object.entries(job.metadata ?? {}).flat()]
    .join(" ")
    .toLowerCase();

class Row {
  #job = null;

  constructor(job, chosen, onChoice) {
    const box = el("input", {
      type: "checkbox",
      "aria-label": `Compare job ${short(job.id)}`,
      checked: chosen.has(job.id),
      on: {
        change: () => {
          if (box.checked) chosen.add(job.id);
          else chosen.delete(job.id);
          onChoice();
        },
      },
    });
    this.chip = el("div", { class: "job-status" });
    this.title = el("a", { class: "job-title", href: `#/jobs/${job.id}` });
    this.sub = el("div", { class: "job-sub" });
    this.progress = el("div", { class: "job-progress" });
    this.result = el("div", { class: "job-result" });
    this.when = el("div", { class: "job-when" });
    this.element = el(
      "li",
      { class: "job" },
      el("label", { class: "pick" }, box),
      this.chip,
      el("div", { class: "job-name" }, this.title, this.sub),
      this.progress,
      this.result,
      this.when,
    );
  }

  show(job) {
    if (this.#job === job) return;
    this.#job = job;
    this.element.className = `job ${job.status}`;
    fill(this.chip, chip(job));
    write(this.title, titleOf(job));
    const labels = Object.entries(job.metadata ?? {})
      .slice(0, 3)
      .map(([name, value]) => el("span", { class: "tag", title: `${name}: ${value}` }, name, el("b", {}, value)));
    fill(this.sub, el("span", {}, modelOf(job)), el("code", {}, short(job.id)), ...labels);
    const measured = result(job);
    fill(this.result, measured ? [el("b", {}, measured[0]), el("span", {}, measured[1])] : null);
    this.said = el("span", {}, situation(job));
    const moving = !["succeeded", "failed", "cancelled"].includes(job.status);
    fill(this.progress, moving ? bar(job) : null, this.said);
    this.age();
  }

  age() {
    fill(
      this.when,
      el("time", { dateTime: this.#job.created_at, title: instant(this.#job.created_at) }, ago(this.#job.created_at)),
    );
    write(this.said, situation(this.#job));
  }
}
