// All datasets, and the place where new ones are dropped.

import { json } from "../api.js";
import { button, el, fill } from "../dom.js";
import { ago, bytes, count, plural } from "../format.js";
import { icon } from "../icons.js";
import { uploader } from "../uploading.js";

const ICONS = { images: "image", table: "table", arrays: "array" };

export async function show(view, { signal }) {
  const cards = el("div", { class: "cards" });
  const more = el("div", { class: "more" });
  let last = "";
  fill(
    view,
    el("div", { class: "head" }, el("h1", {}, "Datasets")),
    uploader({
      signal,
      onReady: (dataset, { hasFaults }) => {
        if (hasFaults) read(true);
        else location.hash = `#/datasets/${encodeURIComponent(dataset.name)}`;
      },
    }),
    cards,
    more,
  );
  await read(true);
  return "Datasets";

  async function read(afresh) {
    const page = await json(`v1/datasets?limit=60${afresh ? "" : `&after=${encodeURIComponent(last)}`}`, { signal });
    last = page.last_id;
    if (afresh) fill(cards);
    cards.append(...page.data.map(tile));
    fill(more, page.has_more ? button("Show more", () => read(false)) : null);
  }
}

function tile(dataset) {
  const outputs = dataset.classes
    ? plural(dataset.classes.length, "class", "classes")
    : plural(dataset.targets?.length ?? 0, "number");
  return el(
    "article",
    { class: "panel tile" },
    el(
      "div",
      { class: "head" },
      icon(ICONS[dataset.kind] ?? "data"),
      el("h2", {}, el("a", { href: `#/datasets/${encodeURIComponent(dataset.name)}` }, dataset.name)),
    ),
    el(
      "p",
      {},
      dataset.description ||
        `${count(dataset.train_examples)} examples to train on, ${count(dataset.test_examples)} to test`,
    ),
    el(
      "div",
      { class: "tags" },
      el("span", { class: "tag" }, dataset.kind),
      el("span", { class: "tag" }, outputs),
      el("span", { class: "tag" }, dataset.version ? `version ${dataset.version}` : "built in"),
      dataset.size_bytes ? el("span", { class: "tag" }, bytes(dataset.size_bytes)) : null,
    ),
    dataset.created_at ? el("p", {}, `uploaded ${ago(dataset.created_at)}`) : null,
  );
}
