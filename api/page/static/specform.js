// The fields of the form for a new job: each edits its part of the spec, and shows what is wrong with it.

import { el, newId } from "./dom.js";

const MODELS = [
  ["softmax", "softmax"],
  ["mlp", "mlp"],
  ["cnn", "cnn"],
  ["layers", "layers of your own"],
];
/** The layers with which a network of one's own begins: a dense one of no certain size gives what the data need. */
const FIRST_LAYERS = [{ type: "flatten" }, { type: "dense", units: 128, activation: "relu" }, { type: "dense" }];
const OPTIMIZERS = ["sgd", "momentum", "nesterov", "adam", "adamw"];

/** What a preset decides; the rest of a spec is whose job it is and how it runs. */
const DECIDED = [
  "model",
  "loss",
  "class_weights",
  "label_smoothing",
  "optimizer",
  "schedule",
  "augmentation",
  "epochs",
  "batch_size",
  "validation_split",
  "early_stopping",
];

const object = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? value : {});
const lines = (layers) => `[\n${layers.map((one) => `  ${JSON.stringify(one)}`).join(",\n")}\n]`;
const listOf = (value) => (Array.isArray(value) ? value.join(", ") : String(value ?? ""));

/** What is no JSON: why. */
export function notJson(error) {
  return `This is no JSON yet: ${error.message}`;
}

/** The fields of the form. `change` is given a function that edits the spec, and what it was resolved to; `unreadable`
 * is called where what is written is none; `before` is the job whose spec it began as, or null. */
export function makeFields(presets, datasets, { change, unreadable, before }) {
  /** Takes away what is as the job before had it: there every default is written out, and would win. */
  const without = (spec, names) => {
    for (const name of names)
      if (before && JSON.stringify(spec[name]) === JSON.stringify(before.spec[name])) delete spec[name];
  };
  const places = [];
  const field = (label, input, { pointers, hint = "", parse = (text) => text, read, write, resolvedTo }) => {
    const id = newId("field");
    const wrong = el("span", { class: "wrong", id: `${id}-wrong` });
    const explained = el("span", { class: "hint", id: `${id}-hint` }, hint);
    Object.assign(input, { id });
    input.setAttribute("aria-describedby", `${id}-hint ${id}-wrong`);
    input.addEventListener(input.tagName === "SELECT" ? "change" : "input", () => {
      let parsed;
      try {
        parsed = parse(input.value.trim());
      } catch (error) {
        unreadable();
        wrong.textContent = notJson(error);
        input.setAttribute("aria-invalid", "true");
        return;
      }
      change((spec, resolved) => (write(spec, parsed, resolved), spec));
    });
    const element = el(
      "div",
      { class: input.tagName === "TEXTAREA" ? "field wide" : "field" },
      el("span", {}, el("label", { htmlFor: id }, label)),
      input,
      hint ? explained : null,
      wrong,
    );
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
  const real = (text) => (/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(text) ? Number(text) : text);
  const listed = (text) =>
    text
      .split(/[\s,;]+/)
      .filter(Boolean)
      .map(whole);

  const all = {
    dataset: field(
      "Dataset",
      choice([
        ["", "As the preset has it"],
        ...datasets.map((one) => [one.name, `${one.name}${one.version ? "" : " (built in)"}`]),
      ]),
      {
        pointers: ["/dataset"],
        read: (spec) => spec.dataset ?? "",
        write: (spec, text) => {
          without(
            spec,
            (before?.choices ?? []).map((one) => one.field),
          );
          set("dataset", String)(spec, text);
        },
        hint: "Yours by the newest version, and the built-in ones.",
      },
    ),
    model: field("Network", choice([["", "As the preset has it"], ...MODELS]), {
      pointers: ["/model", "/model/type"],
      read: (spec) => spec.model?.type ?? "",
      write: (spec, text, resolved) => {
        if (text === "layers") {
          spec.model = { type: text, layers: FIRST_LAYERS };
          // The textbook's loss, which built-in data have, asks for the textbook's network.
          const builtIn = datasets.some((one) => !one.version && one.name === resolved?.spec.dataset);
          if (builtIn && !spec.preset) spec.loss ??= "cross_entropy";
        } else if (text) spec.model = { type: text };
        else delete spec.model;
        all.showNetwork(spec);
      },
      hint: "softmax is one layer; mlp for rows; cnn for pictures.",
    }),
    network: field("Its layers, as JSON", el("textarea", { class: "network", spellcheck: false, rows: 8 }), {
      pointers: ["/model/layers"],
      parse: JSON.parse,
      read: (spec) => (Array.isArray(spec.model?.layers) ? lines(spec.model.layers) : ""),
      write: (spec, layers) => (spec.model = { ...object(spec.model), type: "layers", layers }),
      hint: "One after the other, or by their inputs; the last one gives what is told. All kinds are in the API reference.",
    }),
    layers: field("Layers", el("input", { type: "text", inputMode: "numeric", autocomplete: "off" }), {
      pointers: ["/model/hidden", "/model/filters"],
      read: (spec) => listOf(spec.model?.hidden ?? spec.model?.filters),
      resolvedTo: (spec) => listOf(spec.model.hidden ?? spec.model.filters),
      write: (spec, text, resolved) => {
        const model = object(spec.model ?? resolved?.spec.model);
        const name = model.type === "cnn" ? "filters" : "hidden";
        if (text) spec.model = { ...model, type: model.type ?? "mlp", [name]: listed(text) };
        else if (spec.model) spec.model = { ...model, [name]: undefined };
      },
      hint: "Widths of the hidden layers, or channels of the convolutions.",
    }),
    epochs: field("Epochs", el("input", { type: "text", inputMode: "numeric", autocomplete: "off" }), {
      pointers: ["/epochs"],
      read: (spec) => spec.epochs ?? "",
      resolvedTo: (spec) => spec.epochs,
      write: set("epochs", whole),
      hint: "Passes over the training examples.",
    }),
    batch: field("Batch size", el("input", { type: "text", inputMode: "numeric", autocomplete: "off" }), {
      pointers: ["/batch_size"],
      read: (spec) => spec.batch_size ?? "",
      resolvedTo: (spec) => spec.batch_size,
      write: set("batch_size", whole),
      hint: "Examples a step.",
    }),
    optimizer: field("Optimizer", choice([["", "As the preset has it"], ...OPTIMIZERS.map((one) => [one, one])]), {
      pointers: ["/optimizer", "/optimizer/type"],
      read: (spec) => spec.optimizer?.type ?? "",
      write: (spec, text) => (text ? (spec.optimizer = { type: text }) : delete spec.optimizer),
      hint: "The rule that turns gradients into new weights.",
    }),
    rate: field("Learning rate", el("input", { type: "text", inputMode: "decimal", autocomplete: "off" }), {
      pointers: ["/optimizer/learning_rate"],
      read: (spec) => spec.optimizer?.learning_rate ?? "",
      resolvedTo: (spec) => spec.optimizer.learning_rate,
      write: (spec, text, resolved) => {
        const rule = object(spec.optimizer ?? resolved?.spec.optimizer);
        if (text) spec.optimizer = { ...rule, type: rule.type ?? "sgd", learning_rate: real(text) };
        else if (spec.optimizer) spec.optimizer = { ...rule, learning_rate: undefined };
      },
      hint: "With a schedule, its peak.",
    }),
    split: field("Validation split", el("input", { type: "text", inputMode: "decimal", autocomplete: "off" }), {
      pointers: ["/validation_split"],
      read: (spec) => spec.validation_split ?? "",
      resolvedTo: (spec) => spec.validation_split,
      write: set("validation_split", real),
      hint: "Share of the training examples that is held out.",
    }),
    label: field("Label", el("input", { type: "text", autocomplete: "off", maxLength: 512 }), {
      pointers: ["/metadata", "/metadata/name"],
      read: (spec) => spec.metadata?.name ?? "",
      write: (spec, text) => {
        const { name: _, ...others } = object(spec.metadata);
        const metadata = text ? { ...others, name: text } : others;
        if (Object.keys(metadata).length) spec.metadata = metadata;
        else delete spec.metadata;
      },
      hint: "To find it by.",
    }),
  };
  const group = newId("preset");
  const radios = [
    ["", "What suits the data", "Chosen by its kind, task and size; on built-in data the textbook's network."],
    ...presets.map((one) => [one.name, one.name, one.description.replaceAll("`", "")]),
  ].map(([value, name, text]) => {
    const input = el("input", {
      type: "radio",
      name: group,
      value,
      on: {
        change: () =>
          change((spec) => {
            without(spec, DECIDED);
            if (value) spec.preset = value;
            else delete spec.preset;
            all.show(spec, null);
            return spec;
          }),
      },
    });
    return el("label", { class: "preset" }, input, el("b", {}, name), el("span", {}, text));
  });
  all.presets = { element: el("div", { class: "presets", role: "radiogroup", "aria-label": "Preset" }, ...radios) };

  all.showNetwork = (spec) => {
    const ownLayers = spec.model?.type === "layers";
    all.network.element.hidden = !ownLayers;
    all.layers.element.hidden = ownLayers;
  };
  all.show = (spec, resolved) => {
    all.showNetwork(spec);
    for (const { input, read, resolvedTo } of places) {
      const told = read(spec);
      const value = typeof told === "object" ? JSON.stringify(told) : String(told);
      // A version that is pinned, and what the server has no longer.
      if (input.tagName === "SELECT" && ![...input.options].some((one) => one.value === value))
        input.append(el("option", { value }, value));
      // What is being typed stays as it is typed.
      if (document.activeElement !== input && input.value !== value) input.value = value;
      if (resolved && resolvedTo) input.placeholder = String(resolvedTo(resolved.spec) ?? "");
    }
    for (const radio of all.presets.element.querySelectorAll("input"))
      radio.checked = radio.value === (spec.preset ?? "");
  };
  /** Puts each fault beside its field; gives those that have none here. */
  all.faults = (errors) => {
    const unplaced = new Set(errors);
    const nearest = (at) => {
      const around = places.flatMap(({ input, pointers }) =>
        pointers.filter((one) => at === one || at.startsWith(`${one}/`)).map((one) => ({ input, depth: one.length })),
      );
      return around.sort((one, other) => other.depth - one.depth)[0]?.input;
    };
    for (const { input, wrong } of places) {
      const own = errors.filter((one) => nearest(one.pointer ?? "") === input);
      own.forEach((one) => unplaced.delete(one));
      wrong.textContent = own.map((one) => one.detail).join(" ");
      if (own.length) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    return [...unplaced];
  };
  return all;
}
