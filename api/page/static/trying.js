// Asking a model: draw, drop a picture, or fill a row, and see at once what it says.

import { Answer } from "./answer.js";
import { json, post, send } from "./api.js";
import { el, newId, onFiles } from "./dom.js";
import { number } from "./format.js";
import { Pad } from "./pad.js";
import { pause } from "./stream.js";

const APART_MS = 120;
const PICTURES = ["image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif"];

/** What asks this job's model. Raises a Problem where it has none. */
export async function tryModel(job, signal) {
  const path = `v1/jobs/${job.id}/predict`;
  const dataset = await inputsOf(job, signal);
  const answer = new Answer(dataset);
  const asker = new Asker(answer, signal);
  const predict = (body) => async () => (await post(path, body, { signal })).predictions[0];
  if (!job.artifacts.some((file) => file.name === "model.onnx")) {
    return el(
      "div",
      { class: "problem" },
      el("b", {}, "This model cannot be asked"),
      el("span", {}, "Predictions need the format onnx in the spec's export."),
    );
  }
  let inputs;
  if (dataset.kind === "images") inputs = pictureInputs(dataset, { asker, predict, path, signal });
  else if (dataset.kind === "table") inputs = await rowInputs(dataset, { asker, predict, signal });
  else inputs = arrayInputs(dataset, { asker, predict });
  return el("div", { class: `panel ${dataset.kind === "images" ? "asking" : "split"}` }, inputs, answer.element);
}

/** The dataset as the model knows it, which outlasts the dataset itself. */
async function inputsOf(job, signal) {
  try {
    return (await json(`v1/jobs/${job.id}/card`, { signal, headers: { accept: "application/json" } })).evaluation
      .dataset;
  } catch (error) {
    if (error.status !== 404 && error.status !== 409) throw error;
    const [name, version] = job.spec.dataset.split("@");
    return json(`v1/datasets/${name}${version ? `/versions/${version}` : ""}`, { signal });
  }
}

/** Asks one question after the other, the newest only: what was drawn meanwhile is of no more interest. */
class Asker {
  #next = null;
  #isBusy = false;
  #turn = 0;

  constructor(answer, signal) {
    Object.assign(this, { answer, signal });
  }

  async ask(question) {
    this.#next = question;
    if (this.#isBusy) return;
    this.#isBusy = true;
    while (this.#next && !this.signal.aborted) {
      const now = this.#next;
      const turn = this.#turn;
      this.#next = null;
      try {
        const found = await now();
        if (turn === this.#turn) this.answer.show(found);
      } catch (error) {
        if (error.name === "AbortError") break;
        if (turn === this.#turn) this.answer.refuse(error);
      }
      await pause(APART_MS, this.signal);
    }
    this.#isBusy = false;
  }

  /** Nothing is asked any more: an answer that is under way counts no longer. */
  forget() {
    this.#next = null;
    this.#turn++;
    this.answer.clear();
  }

  refuse(error) {
    this.forget();
    this.answer.refuse(error);
  }
}

function pictureInputs(dataset, { asker, predict, path, signal }) {
  const { shape } = dataset.features;
  const marks = (dataset.classes ?? []).filter((name) => /^[0-9]$/.test(name));
  const seen = el("img", { class: "seen", width: 96, alt: "The picture that was chosen", hidden: true });
  const pad = new Pad({
    marks: marks.length === 10 ? marks : [],
    onChange: () => {
      seen.hidden = true;
      if (pad.isEmpty) asker.forget();
      else asker.ask(predict({ instances: [pad.pixels(shape)] }));
    },
  });
  const file = el("input", { type: "file", accept: PICTURES.join(","), "aria-label": "Choose a picture" });
  const drop = el("div", { class: "drop" }, el("span", {}, "… or drop a picture, or choose one"), seen, file);
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, () => drop.classList.add("over"));
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  const take = (picture) => {
    if (!picture) return;
    if (!PICTURES.includes(picture.type)) {
      seen.hidden = true;
      asker.refuse(new Error(`${picture.name} is no picture. It can be a PNG, JPEG, WebP, BMP or GIF.`));
      return;
    }
    if (seen.src) URL.revokeObjectURL(seen.src);
    seen.src = URL.createObjectURL(picture);
    seen.hidden = false;
    asker.ask(
      async () =>
        (
          await (
            await send("POST", path, {
              body: picture,
              headers: { "content-type": picture.type || "image/png", accept: "application/json" },
              signal,
            })
          ).json()
        ).predictions[0],
    );
  };
  file.addEventListener("change", () => {
    take(file.files[0]);
    file.value = "";
  });
  const side = el("div", { class: "stack pad-side" }, pad.element, drop);
  // Beside its place too: a browser would leave the page for a file that is dropped there.
  onFiles(side, (files) => take(files[0]), signal);
  return side;
}

async function rowInputs(dataset, { asker, predict, signal }) {
  const columns = (dataset.features.columns ?? []).filter(
    (column) => column.kind === "numeric" || column.kind === "categorical",
  );
  const inputs = new Map();
  const ask = () => {
    const row = Object.fromEntries(
      [...inputs].map(([name, input]) => [name, input.value.trim() === "" ? null : input.value.trim()]),
    );
    asker.ask(predict({ instances: [row] }));
  };
  const fields = columns.map((column) => {
    const id = newId("row");
    const list =
      column.kind === "categorical"
        ? el(
            "datalist",
            { id: `${id}-list` },
            ...column.categories.slice(0, 500).map((value) => el("option", { value })),
          )
        : null;
    const input = el("input", {
      id,
      type: "text",
      autocomplete: "off",
      inputMode: column.kind === "numeric" ? "decimal" : "text",
      placeholder: "missing",
      on: { input: ask },
    });
    if (list) input.setAttribute("list", list.id);
    input.value = column.kind === "numeric" ? String(Number(column.mean.toPrecision(3))) : (column.categories[0] ?? "");
    inputs.set(column.name, input);
    const hint = column.kind === "numeric" ? `around ${number(column.mean, 3)}` : `${column.categories.length} texts`;
    return el(
      "div",
      { class: "field" },
      el("span", {}, el("label", { htmlFor: id }, column.name)),
      input,
      el("span", { class: "hint" }, hint),
      list,
    );
  });
  const examples = dataset.version
    ? await json(`v1/datasets/${dataset.name}/preview?version=${dataset.version}&split=test&limit=50`, {
        signal,
      }).catch(() => null)
    : null;
  let at = 0;
  const another = examples?.data?.length
    ? el(
        "button",
        {
          type: "button",
          on: {
            click: () => {
              const row = examples.data[at++ % examples.data.length];
              for (const [name, input] of inputs) input.value = row[name] ?? "";
              ask();
            },
          },
        },
        "Fill in a test example",
      )
    : null;
  ask();
  return el(
    "div",
    { class: "stack" },
    el("div", { class: "panel-head" }, el("h2", {}, "A row"), el("span", { class: "gap" }), another),
    el("div", { class: "fields" }, ...fields),
  );
}

function arrayInputs(dataset, { asker, predict }) {
  const shape = dataset.features.shape;
  const zeros = shape.reduceRight((inner, size) => Array.from({ length: size }, () => inner), 0);
  const input = el("textarea", {
    class: "json",
    rows: 10,
    spellcheck: false,
    "aria-label": `An array of shape ${shape.join(" by ")}, as JSON`,
    value: JSON.stringify(zeros),
  });
  const ask = () => {
    try {
      const array = JSON.parse(input.value);
      asker.ask(predict({ instances: [array] }));
    } catch (error) {
      asker.refuse(new Error(`This is no JSON yet: ${error.message}`));
    }
  };
  input.addEventListener("input", ask);
  ask();
  return el("div", { class: "stack" }, el("h2", {}, `An array of shape ${shape.join(" × ")}`), input);
}
