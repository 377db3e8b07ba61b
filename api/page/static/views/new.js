// A new job: from a preset or a dataset, field by field or as JSON, told by the server's dry run what it would be.

import { json, post } from "../api.js";
import { button, debounced, el, fill, tell } from "../dom.js";
import { bytes, count, plural } from "../format.js";
import { icon } from "../icons.js";
import { makeFields, notJson } from "../specform.js";
import { facts, table } from "../table.js";

const ASK_MS = 350;

export async function show(view, { query, signal }) {
  const [presets, datasets, before] = await Promise.all([
    json("v1/presets", { signal }),
    json("v1/datasets?limit=100", { signal }),
    query.get("from") ? json(`v1/jobs/${encodeURIComponent(query.get("from"))}`, { signal }) : null,
  ]);
  let spec = before ? { ...before.spec } : {};
  if (query.get("dataset")) spec.dataset = query.get("dataset");
  let resolved = null;
  let turn = 0;

  const fields = makeFields(presets.data, datasets.data, { change, unreadable, before });
  const raw = el("textarea", { class: "json", spellcheck: false, "aria-label": "The whole spec as JSON", rows: 12 });
  const rawWrong = el("p", { class: "wrong", role: "alert" });
  const verdict = el("div", { class: "stack", "aria-live": "polite" });
  const start = button("Start training", submit, { kind: "primary", icon: icon("running") });
  const form = el(
    "div",
    { class: "stack" },
    el(
      "section",
      { class: "panel stack" },
      el("h2", {}, "Data"),
      el("div", { class: "fields" }, fields.dataset.element, fields.label.element),
    ),
    el("section", { class: "panel stack" }, el("h2", {}, "Start from"), fields.presets.element),
    el(
      "section",
      { class: "panel stack" },
      el("h2", {}, "Network and training"),
      el("p", { class: "soft small" }, "What is left empty is as the preset has it."),
      el(
        "div",
        { class: "fields" },
        fields.model.element,
        fields.layers.element,
        fields.network.element,
        fields.epochs.element,
        fields.batch.element,
        fields.optimizer.element,
        fields.rate.element,
        fields.split.element,
      ),
    ),
    el(
      "section",
      { class: "panel" },
      el(
        "details",
        { open: Boolean(before) },
        el("summary", {}, "The whole spec as JSON"),
        el(
          "p",
          { class: "soft small" },
          "Every field there is, as the API takes it. What is left out has its default.",
        ),
        el("div", { class: "field" }, raw, rawWrong),
      ),
    ),
  );
  fill(
    view,
    el("div", { class: "head" }, el("h1", {}, "New job")),
    el(
      "div",
      { class: "split" },
      form,
      el(
        "aside",
        { class: "panel stack" },
        el("h2", {}, "What it would be"),
        verdict,
        el("div", { class: "buttons" }, start),
      ),
    ),
  );
  const ask = debounced(check, ASK_MS);
  signal.addEventListener("abort", ask.stop);
  raw.addEventListener("input", () => {
    let read;
    try {
      read = JSON.parse(raw.value || "{}");
      if (read === null || typeof read !== "object" || Array.isArray(read)) throw new Error("an object is wanted");
    } catch (error) {
      unreadable();
      rawWrong.textContent = notJson(error);
      raw.setAttribute("aria-invalid", "true");
      return;
    }
    submit.key = undefined;
    spec = read;
    isJson();
    fields.show(spec, resolved);
    ask();
  });
  fields.show(spec, null);
  raw.value = JSON.stringify(spec, null, 2);
  await check();
  return "New job";

  function change(edit) {
    submit.key = undefined; // another spec is another job
    spec = edit(structuredClone(spec), resolved) ?? spec;
    raw.value = JSON.stringify(spec, null, 2);
    isJson();
    ask();
  }

  /** The spec before it is no longer what is on the screen: nothing may start, and no answer to it counts. */
  function unreadable() {
    submit.key = undefined;
    ask.stop();
    turn++;
    start.disabled = true;
    fill(verdict);
  }

  function isJson() {
    rawWrong.textContent = "";
    raw.removeAttribute("aria-invalid");
  }

  async function check() {
    const mine = ++turn;
    try {
      const found = await post("v1/jobs?dry_run=true", spec, { signal });
      if (mine !== turn) return;
      resolved = found;
      fields.show(spec, resolved);
      fields.faults([]);
      fill(verdict, fine(found));
      start.disabled = false;
    } catch (error) {
      if (mine !== turn || signal.aborted) return;
      const unplaced = fields.faults(error.body?.errors ?? []);
      fill(verdict, refused(error, unplaced));
      start.disabled = true;
    }
  }

  async function submit() {
    // A press again after a broken connection is no second job.
    const headers = { "idempotency-key": (submit.key ??= crypto.randomUUID?.() ?? String(Math.random())) };
    try {
      const job = await post("v1/jobs", spec, { headers });
      tell("The job is accepted");
      location.hash = `#/jobs/${job.id}`;
    } catch (error) {
      if (error.status !== 0) submit.key = undefined;
      throw error;
    }
  }
}

function fine(found) {
  const { spec } = found;
  const entries = [
    ["dataset", spec.dataset],
    ["network", `${spec.model.type} ${(spec.model.hidden ?? spec.model.filters ?? []).join("-")}`.trim()],
    ["trained values", count(found.parameters)],
    ["values not trained", found.non_trainable_parameters ? count(found.non_trainable_parameters) : null],
    ["steps", `${count(found.steps)} (${count(found.steps_per_epoch)} an epoch)`],
    ["examples an epoch", count(found.train_examples)],
    ["memory, by estimate", bytes(found.memory_bytes)],
    ["loss", spec.loss.replaceAll("_", " ")],
    ["rule", `${spec.optimizer.type}, rate ${spec.optimizer.learning_rate}`],
  ];
  const parts = [
    el(
      "p",
      { class: "fine" },
      `The server would take it: ${plural(spec.epochs, "epoch")} in batches of ${count(spec.batch_size)}.`,
    ),
    facts(entries),
  ];
  if (found.choices.length) {
    parts.push(
      el("h3", {}, "Chosen for this data"),
      el(
        "ul",
        { class: "choices" },
        ...found.choices.map((one) =>
          el("li", {}, el("b", {}, one.field), ` ${short(one.value)}: `, el("span", { class: "soft" }, one.reason)),
        ),
      ),
    );
  }
  parts.push(
    el("details", { open: spec.model.type === "layers" }, el("summary", { class: "small" }, "Layers"), layers(found)),
    el(
      "details",
      {},
      el("summary", { class: "small" }, "The spec with every default"),
      el("pre", { class: "small" }, JSON.stringify(spec, null, 2)),
    ),
  );
  return parts;
}

/** The network, layer by layer. */
function layers(found) {
  const rows = found.layers.map((one) => [
    el("span", {}, one.name, el("br"), el("span", { class: "soft" }, one.type)),
    one.output_shape.join(" × "),
    count(one.parameters + one.non_trainable_parameters),
  ]);
  const columns = [
    ["layer", false],
    ["gives", true],
    ["values", true],
  ];
  return table(columns, rows, { label: "Layers of the network", cards: false });
}

function short(value) {
  if (value === null) return "none";
  if (typeof value !== "object") return String(value);
  const { type, ...rest } = value;
  return [
    type,
    ...Object.values(rest)
      .slice(0, 2)
      .map((one) => JSON.stringify(one)),
  ]
    .filter(Boolean)
    .join(" ");
}

function refused(error, unplaced) {
  const items = unplaced.map((one) =>
    el(
      "li",
      {},
      (one.pointer ?? one.parameter) ? el("code", {}, one.pointer || one.parameter || "the spec") : null,
      " ",
      one.detail,
    ),
  );
  const told = error.body?.errors?.length ? null : el("span", {}, error.body?.detail ?? error.message);
  return el(
    "div",
    { class: "problem" },
    el("b", {}, error.body?.title ?? "Not checked"),
    told,
    items.length ? el("ul", { class: "plain-list" }, ...items) : null,
    unplaced.length || told ? null : el("span", {}, "What is wrong is told beside its field."),
  );
}
