// One dataset: what is in it, its versions, and what its check has seen.

import { blob, download, json, send } from "../api.js";
import { confirmed } from "../dialogs.js";
import { button, el, fill, toast } from "../dom.js";
import { bytes, count, instant, number, words } from "../format.js";
import { icon } from "../icons.js";
import { facts, table } from "../table.js";
import { faults, uploader } from "../uploading.js";

const SHOWN = 50;

export async function show(view, { parts, query, signal }) {
  const name = parts[0];
  const path = `v1/datasets/${encodeURIComponent(name)}`;
  const wanted = query.get("version");
  const dataset = await json(wanted ? `${path}/versions/${encodeURIComponent(wanted)}` : path, { signal });
  const isBuiltIn = dataset.version === null;
  const head = el(
    "div",
    { class: "job-head" },
    el("p", { class: "crumb" }, el("a", { href: "#/datasets" }, "← Datasets")),
    el(
      "div",
      { class: "head" },
      el("h1", {}, dataset.name),
      el("span", { class: "chip" }, icon("data"), isBuiltIn ? "built in" : `version ${dataset.version}`),
      el("span", { class: "gap" }),
      el(
        "a",
        { class: "button primary", href: `#/new?dataset=${encodeURIComponent(wanted ? dataset.id : dataset.name)}` },
        icon("running"),
        "Train on it",
      ),
      isBuiltIn
        ? null
        : button(
            "Download",
            () => download(`${path}/content?version=${dataset.version}`, `${name}-${dataset.version}`),
            { icon: icon("download") },
          ),
      isBuiltIn ? null : button("Delete", remove, { icon: icon("trash"), kind: "danger" }),
    ),
    dataset.description ? el("p", { class: "soft" }, dataset.description) : null,
  );
  fill(view, head, el("section", { class: "panel" }, about(dataset)));
  if (isBuiltIn) return name;
  view.append(
    await preview(dataset),
    ...(dataset.report ? [report(dataset)] : []),
    ...(dataset.features.columns ? [columns(dataset)] : []),
    await versions(),
  );
  view.append(
    el(
      "section",
      { class: "stack" },
      el("h2", {}, "A new version"),
      uploader({
        signal,
        name,
        onReady: (made) => (location.hash = `#/datasets/${encodeURIComponent(name)}?version=${made.version}`),
      }),
    ),
  );
  return name;

  async function remove() {
    if (
      !(await confirmed(
        `Delete ${name}?`,
        "All its versions and files go for good. Models that were trained on it stay.",
        "Delete it",
      ))
    )
      return;
    await send("DELETE", path);
    toast(`${name} is deleted.`);
    location.hash = "#/datasets";
  }

  async function preview(shown) {
    const place = el("div", { class: "stack" });
    const split = el(
      "select",
      { "aria-label": "Part of the examples" },
      el("option", { value: "train" }, "training"),
      shown.validation_examples ? el("option", { value: "val" }, "validation") : null,
      el("option", { value: "test" }, "test"),
    );
    const read = async () => {
      const address = `${path}/preview?version=${shown.version}&split=${split.value}&limit=${SHOWN}`;
      if (shown.kind === "images") {
        const src = URL.createObjectURL(await blob(address, { signal }));
        signal.addEventListener("abort", () => URL.revokeObjectURL(src));
        fill(
          place,
          el(
            "div",
            { class: "scroll", tabindex: "0", role: "region", "aria-label": "The first pictures" },
            el("img", {
              class: "preview",
              src,
              alt: `The first ${SHOWN} pictures of the part ${split.value}, each above its class`,
            }),
          ),
        );
        return;
      }
      const { data } = await json(address, { signal });
      const names = Object.keys(data[0] ?? {});
      fill(
        place,
        table(
          names.map((one) => [one, typeof data[0][one] === "number"]),
          data.map((row) => names.map((one) => cell(row[one]))),
          { label: "The first examples", cards: false },
        ),
      );
    };
    split.addEventListener("change", () => read().catch((error) => toast(error.message, "bad")));
    await read();
    return el(
      "section",
      { class: "panel" },
      el(
        "div",
        { class: "panel-head" },
        el("h2", {}, "The first examples"),
        el("span", { class: "gap" }),
        el("div", {}, split),
      ),
      place,
    );
  }

  async function versions() {
    const { data } = await json(`${path}/versions`, { signal });
    const rows = data
      .reverse()
      .map((one) => [
        el("a", { href: `#/datasets/${encodeURIComponent(name)}?version=${one.version}` }, one.id),
        instant(one.created_at),
        count(one.train_examples),
        count(one.test_examples),
        bytes(one.size_bytes),
      ]);
    return el(
      "section",
      { class: "panel" },
      el("h2", {}, "Versions"),
      table([["version"], ["uploaded"], ["to train on", true], ["to test", true], ["size", true]], rows, {
        label: "Versions",
      }),
    );
  }
}

function cell(value) {
  if (value === null || value === undefined) return el("span", { class: "soft" }, "missing");
  return typeof value === "object" ? JSON.stringify(value).slice(0, 300) : String(value);
}

/** The first names of many, and how many more there are. */
const some = (names, most = 30) =>
  names.slice(0, most).join(", ") + (names.length > most ? ` and ${count(names.length - most)} more` : "");

function about(dataset) {
  return facts([
    ["kind", dataset.kind],
    ["task", dataset.task],
    ["an example", `${dataset.features.shape.join(" × ")} ${dataset.features.dtype}`],
    ["to train on", count(dataset.train_examples)],
    ["to validate on", dataset.validation_examples ? count(dataset.validation_examples) : null],
    ["to test on", count(dataset.test_examples)],
    [
      dataset.classes ? "classes" : "targets",
      some(dataset.classes ?? dataset.targets.map((one) => one.name)),
    ],
    ["size", dataset.size_bytes === null ? null : bytes(dataset.size_bytes)],
    ["uploaded", dataset.created_at ? instant(dataset.created_at) : null],
  ]);
}

function report(dataset) {
  const { report: seen } = dataset;
  const entries = [
    ["left out for faults", count(seen.skipped)],
    ["duplicates", count(seen.duplicates)],
    ["test examples that are training examples too", count(seen.train_test_duplicates)],
    ["the same as one of another class", count(seen.class_conflicts)],
    ["constant columns", seen.constant_columns.join(", ")],
    ["columns like an id", seen.unique_columns.join(", ")],
  ];
  const counts =
    seen.class_counts && dataset.classes
      ? table(
          [["class"], ["examples", true]],
          dataset.classes.map((one) => [one, count(seen.class_counts[one] ?? 0)]),
          { label: "Examples of each class" },
        )
      : null;
  return el(
    "section",
    { class: "panel stack" },
    el("h2", {}, "What the check has seen"),
    facts(entries),
    counts,
    seen.faults_total ? faults(seen.faults, seen.faults_total) : null,
  );
}

function columns(dataset) {
  const told = (one) =>
    one.kind === "numeric"
      ? `mean ${number(one.mean)}, deviation ${number(one.std)}`
      : one.kind === "categorical"
        ? `${one.categories.length} texts`
        : words(one.reason);
  const rows = dataset.features.columns.map((one) => [
    el("b", {}, one.name),
    words(one.kind),
    told(one),
    one.missing ? "yes" : "no",
  ]);
  return el(
    "section",
    { class: "panel" },
    el("h2", {}, "Columns"),
    table([["column"], ["kind"], ["training rows"], ["has gaps"]], rows, { label: "Columns" }),
  );
}
