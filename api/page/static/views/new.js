// A new job: from a preset or a dataset, field by field or as JSON, told by the server's dry run what it would be.

import { json, post } from "../api.js";
import { button, debounced, el, fill, newId, tell } from "../dom.js";
import { bytes, count, plural } from "../format.js";
import { icon } from "../icons.js";
import { facts } from "../table.js";

const ASK_MS = 350;
const MODELS = ["softmax", "mlp", "cnn"];
const OPTIMIZERS = ["sgd", "momentum", "nesterov", "adam", "adamw"];

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

  const fields = makeFields(presets.data, datasets.data, change);
  const raw = el("textarea", { class: "json", spellcheck: false, "aria-label": "The whole spec as JSON", rows: 12 });
  const rawWrong = el("p", { class: "wrong", role: "alert" });
  const verdict = el("div", { class: "stack", "aria-live": "polite" });
  const start = button("Start training", submit, { kind: "primary", icon: icon("running") });
  const form = el(
    "div",
    { class: "stack" },
    el("section", { class: "panel stack" }, el("h2", {}, "Data"), el("div", { class: "fields" }, fields.dataset.element, fields.label.element)),
    el("section", { class: "panel stack" }, el("h2", {}, "Start from"), fields.presets.element),
    el("section", { class: "panel stack" }, el("h2", {}, "Network and training"), el("p", { class: "soft small" }, "What is left empty is as the preset has it."), el("div", { class: "fields" }, fields.model.element, fields.layers.element, fields.epochs.element, fields.batch.element, fields.optimizer.element, fields.rate.element, fields.split.element)),
    el("section", { class: "panel" }, el("details", { open: Boolean(before) }, el("summary", {}, "The whole spec as JSON"), el("p", { class: "soft small" }, "Every field there is, as the API takes it. What is left out has its default."), el("div", { class: "field" }, raw, rawWrong))),
  );
  fill(view, el("div", { class: "head" }, el("h1", {}, "New job")), el("div", { class: "split" }, form, el("aside", { class: "panel stack" }, el("h2", {}, "What it would be"), verdict, el("div", { class: "buttons" }, start))));
  const ask = debounced(check, ASK_MS);
  signal.addEventListener("abort", ask.stop);
  raw.addEventListener("input", () => {
    submit.key = undefined;
    try {
      const read = JSON.parse(raw.value || "{}");
      if (read === null || typeof read !== "object" || Array.isArray(read)) throw new Error("an object is wanted");
      spec = read;
      rawWrong.textContent = "";
      raw.removeAttribute("aria-invalid");
      fields.show(spec, resolved);
      ask();
    } catch (error) {
      rawWrong.textContent = `This is no JSON yet: ${error.message}`;
      raw.setAttribute("aria-invalid", "true");
    }
  });
  fields.show(spec, null);
  raw.value = JSON.stringify(spec, null, 2);
  await check();
  return "New job";

  function change(edit) {
    submit.key = undefined; // another spec is another job
    spec = edit(structuredClone(spec), resolved) ?? spec;
    raw.value = JSON.stringify(spec, null, 2);
    rawWrong.textContent = "";
    ask();
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
    ["network", `${spec.model.type}${spec.model.hidden ? ` ${spec.model.hidden.join("-")}` : spec.model.filters ? ` ${spec.model.filters.join("-")}` : ""}`],
    ["trained values", count(found.parameters)],
    ["steps", `${count(found.steps)} (${count(found.steps_per_epoch)} an epoch)`],
    ["examples an epoch", count(found.train_examples)],
    ["memory, by estimate", bytes(found.memory_bytes)],
    ["loss", spec.loss.replaceAll("_", " ")],
    ["rule", `${spec.optimizer.type}, rate ${spec.optimizer.learning_rate}`],
  ];
  const parts = [el("p", { class: "fine" }, `The server would take it: ${plural(spec.epochs, "epoch")} in batches of ${count(spec.batch_size)}.`), facts(entries)];
  if (found.choices.length) {
    parts.push(el("h3", {}, "Chosen for this data"), el("ul", { class: "choices" }, ...found.choices.map((one) => el("li", {}, el("b", {}, one.field), ` ${short(one.value)}: `, el("span", { class: "soft" }, one.reason)))));
  }
  parts.push(el("details", {}, el("summary", { class: "small" }, "The spec with every default"), el("pre", { class: "small" }, JSON.stringify(spec, null, 2))));
  return parts;
}

function short(value) {
  if (value === null) return "none";
  if (typeof value !== "object") return String(value);
  const { type, ...rest } = value;
  return [type, ...Object.values(rest).slice(0, 2).map((one) => JSON.stringify(one))].filter(Boolean).join(" ");
}

function refused(error, unplaced) {
  const items = unplaced.map((one) => el("li", {}, one.pointer ?? one.parameter ? el("code", {}, one.pointer || one.parameter || "the spec") : null, " ", one.detail));
  const told = error.body?.errors?.length ? null : el("span", {}, error.body?.detail ?? error.message);
  return el("div", { class: "problem" }, el("b", {}, error.body?.title ?? "Not checked"), told, items.length ? el("ul", { class: "plain-list" }, ...items) : null, unplaced.length || told ? null : el("span", {}, "What is wrong is told beside its field."));
}

/** The fields of the form. `change` is given a function that edits the spec, and what it was resolved to. */
function makeFields(presets, datasets, change) {
  const places = [];
  const field = (label, input, { pointers, hint = "", read, write, resolvedTo }) => {
    const id = newId("field");
    const wrong = el("span", { class: "wrong", id: `${id}-wrong` });
    const explained = el("span", { class: "hint", id: `${id}-hint` }, hint);
    Object.assign(input, { id });
    input.setAttribute("aria-describedby", `${id}-hint ${id}-wrong`);
    input.addEventListener(input.tagName === "SELECT" ? "change" : "input", () => change((spec, resolved) => (write(spec, input.value.trim(), resolved), spec)));
    const element = el("div", { class: "field" }, el("span", {}, el("label", { htmlFor: id }, label)), input, hint ? explained : null, wrong);
    const shown = { element, input, wrong, pointers, read, resolvedTo };
    places.push(shown);
    return shown;
  };
  const choice = (options) => el("select", {}, ...options.map(([value, label]) => el("option", { value }, label)));
  const set = (name, parse) => (spec, text) => {
    if (text === "") delete spec[name];
    else spec[name] = parse(text);
  };
  const whole = (text) => (/^[0-9]+$/.test(text) ? Number(text) : text);
  const real = (text) => (Number.isFinite(Number(text)) ? Number(text) : text);
  const listed = (text) => text.split(/[\s,;]+/).filter(Boolean).map(whole);

  const all = {
    dataset: field("Dataset", choice([["", "As the preset has it"], ...datasets.map((one) => [one.name, `${one.name}${one.version ? "" : " (built in)"}`])]), {
      pointers: ["/dataset"], read: (spec) => (spec.dataset ?? "").split("@")[0], write: set("dataset", String), hint: "Yours by the newest version, and the built-in ones.",
    }),
    model: field("Network", choice([["", "As the preset has it"], ...MODELS.map((one) => [one, one])]), {
      pointers: ["/model", "/model/type"], read: (spec) => spec.model?.type ?? "", write: (spec, text) => (text ? (spec.model = { type: text }) : delete spec.model), hint: "softmax is one layer; mlp for rows; cnn for pictures.",
    }),
    layers: field("Layers", el("input", { type: "text", inputMode: "numeric", autocomplete: "off" }), {
      pointers: ["/model/hidden", "/model/filters"],
      read: (spec) => (spec.model?.hidden ?? spec.model?.filters ?? []).join(", "),
      resolvedTo: (spec) => (spec.model.hidden ?? spec.model.filters ?? []).join(", "),
      write: (spec, text, resolved) => {
        const model = spec.model ?? { ...resolved?.spec.model } ?? {};
        const name = model.type === "cnn" ? "filters" : "hidden";
        if (text) spec.model = { ...model, type: model.type ?? "mlp", [name]: listed(text) };
        else if (spec.model) delete spec.model[name];
      },
      hint: "Widths of the hidden layers, or channels of the convolutions.",
    }),
    epochs: field("Epochs", el("input", { type: "text", inputMode: "numeric", autocomplete: "off" }), { pointers: ["/epochs"], read: (spec) => spec.epochs ?? "", resolvedTo: (spec) => spec.epochs, write: set("epochs", whole), hint: "Passes over the training examples." }),
    batch: field("Batch size", el("input", { type: "text", inputMode: "numeric", autocomplete: "off" }), { pointers: ["/batch_size"], read: (spec) => spec.batch_size ?? "", resolvedTo: (spec) => spec.batch_size, write: set("batch_size", whole), hint: "Examples a step." }),
    optimizer: field("Optimizer", choice([["", "As the preset has it"], ...OPTIMIZERS.map((one) => [one, one])]), {
      pointers: ["/optimizer", "/optimizer/type"], read: (spec) => spec.optimizer?.type ?? "", write: (spec, text) => (text ? (spec.optimizer = { type: text }) : delete spec.optimizer), hint: "The rule that turns gradients into new weights.",
    }),
    rate: field("Learning rate", el("input", { type: "text", inputMode: "decimal", autocomplete: "off" }), {
      pointers: ["/optimizer/learning_rate"], read: (spec) => spec.optimizer?.learning_rate ?? "", resolvedTo: (spec) => spec.optimizer.learning_rate,
      write: (spec, text, resolved) => {
        const rule = spec.optimizer ?? { ...resolved?.spec.optimizer };
        if (text) spec.optimizer = { ...rule, type: rule.type ?? "sgd", learning_rate: real(text) };
        else if (spec.optimizer) delete spec.optimizer.learning_rate;
      },
      hint: "With a schedule, its peak.",
    }),
    split: field("Validation split", el("input", { type: "text", inputMode: "decimal", autocomplete: "off" }), { pointers: ["/validation_split"], read: (spec) => spec.validation_split ?? "", resolvedTo: (spec) => spec.validation_split, write: set("validation_split", real), hint: "Share of the training examples that is held out." }),
    label: field("Label", el("input", { type: "text", autocomplete: "off", maxLength: 512 }), {
      pointers: ["/metadata", "/metadata/name"], read: (spec) => spec.metadata?.name ?? "",
      write: (spec, text) => {
        const { name: _, ...others } = spec.metadata ?? {};
        const metadata = text ? { ...others, name: text } : others;
        if (Object.keys(metadata).length) spec.metadata = metadata;
        else delete spec.metadata;
      },
      hint: "To find it by.",
    }),
  };
  const group = newId("preset");
  const radios = [["", "What suits the data", "Chosen by its kind, task and size; on built-in data the textbook's network."], ...presets.map((one) => [one.name, one.name, one.description.replaceAll("`", "")])].map(([value, name, text]) => {
    const input = el("input", { type: "radio", name: group, value, on: { change: () => change((spec) => (value ? (spec.preset = value) : delete spec.preset, spec)) } });
    return el("label", { class: "preset" }, input, el("b", {}, name), el("span", {}, text));
  });
  all.presets = { element: el("div", { class: "presets", role: "radiogroup", "aria-label": "Preset" }, ...radios) };

  all.show = (spec, resolved) => {
    for (const { input, read, resolvedTo } of places) {
      const value = String(read(spec));
      // What is being typed stays as it is typed.
      if (document.activeElement !== input && input.value !== value) input.value = value;
      if (resolved && resolvedTo) input.placeholder = String(resolvedTo(resolved.spec) ?? "");
    }
    for (const radio of all.presets.element.querySelectorAll("input")) radio.checked = radio.value === (spec.preset ?? "");
  };
  /** Puts each fault beside its field; gives those that have none here. */
  all.faults = (errors) => {
    const unplaced = new Set(errors);
    for (const { input, wrong, pointers } of places) {
      const own = errors.filter((one) => pointers.some((pointer) => one.pointer === pointer || (one.pointer ?? "").startsWith(`${pointer}/`) && !places.some((other) => other.input !== input && other.pointers.includes(one.pointer))));
      own.forEach((one) => unplaced.delete(one));
      wrong.textContent = own.map((one) => one.detail).join(" ");
      if (own.length) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    return [...unplaced];
  };
  return all;
}
