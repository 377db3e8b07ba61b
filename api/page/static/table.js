// Tables that become cards on a phone.

import { el } from "./dom.js";

/** `columns` are [heading, isNumber]; a cell is a text, a number or an element. */
export function table(columns, rows, { label = "", cards = true } = {}) {
  const kind = (n) => (columns[n][1] ? "number" : "");
  const head = el("tr", {}, ...columns.map(([heading], n) => el("th", { class: kind(n), scope: "col" }, heading)));
  const body = rows.map((row) =>
    el("tr", {}, ...row.map((cell, n) => el("td", { class: kind(n), data: { label: columns[n][0] } }, cell ?? "–"))),
  );
  const made = el("table", { class: cards ? "cards-on-phone" : "" }, el("thead", {}, head), el("tbody", {}, ...body));
  // What scrolls must be reached by a keyboard, and so needs a name.
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label || "Table" }, made);
}

/** Names and what they stand for. */
export function facts(entries) {
  const there = entries.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el(
    "dl",
    { class: "facts" },
    ...there.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
}
