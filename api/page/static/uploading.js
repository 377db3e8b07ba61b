// Sending a dataset: chosen or dropped, checked by the server, with every fault that it finds.

import { json, upload } from "./api.js";
import { button, el, fill, newId, onFiles, tell } from "./dom.js";
import { bytes, count, percent, plural } from "./format.js";
import { icon } from "./icons.js";
import { pause } from "./stream.js";
import { table } from "./table.js";

const HEAD_BYTES = 64 << 10;
const ASK_MS = 700;
const MOST_SHOWN = 1000;

/** The place where a file is dropped, and what becomes of it. `onReady` gets the version. */
export function uploader({ signal, onReady, name: fixed = "" }) {
  const file = el("input", { type: "file", "aria-label": "Choose a file to upload" });
  const drop = el(
    "div",
    { class: "drop" },
    icon("upload"),
    el("b", {}, "Drop a file here, or choose one"),
    el("span", {}, "A table as CSV or Parquet, pictures in folders named as their classes (zip, tar), or NumPy's .npz"),
    file,
  );
  const place = el("div", { class: "stack" });
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, () => drop.classList.add("over"));
  for (const kind of ["dragleave", "drop", "dragend"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  // The input lies over the whole place, so a file that is dropped on it is chosen.
  file.addEventListener("change", () => file.files[0] && take(file.files[0]));

  async function take(chosen) {
    const columns = await columnsOf(chosen);
    fill(place, form(chosen, columns, { fixed, signal, onReady, onAgain: () => (fill(place), (file.value = "")) }));
    place.querySelector("input, select")?.focus();
  }
  // Wherever in the window: a browser would leave the page for a file that is dropped beside the place.
  onFiles(window, (files) => take(files[0]), signal);
  return el("div", { class: "stack" }, drop, place);
}

function form(chosen, columns, { fixed, signal, onReady, onAgain }) {
  const field = (label, input, hint) => {
    const id = (input.id = newId("upload"));
    return el(
      "div",
      { class: "field" },
      el("span", {}, el("label", { htmlFor: id }, label)),
      input,
      hint ? el("span", { class: "hint" }, hint) : null,
    );
  };
  const name = el("input", {
    type: "text",
    value: fixed || slug(chosen.name),
    pattern: "[a-z0-9][a-z0-9._\\-]{0,63}",
    required: true,
    readOnly: Boolean(fixed),
    autocomplete: "off",
    spellcheck: false,
  });
  const target = columns.length
    ? el(
        "select",
        {},
        el("option", { value: "" }, `The last one (${columns.at(-1)})`),
        ...columns.map((column) => el("option", { value: column }, column)),
      )
    : el("input", { type: "text", placeholder: "the last column", autocomplete: "off" });
  const task = el(
    "select",
    {},
    ...[
      ["auto", "As the target looks"],
      ["classification", "Tell classes"],
      ["regression", "Tell numbers"],
    ].map(([value, label]) => el("option", { value }, label)),
  );
  const bad = el(
    "select",
    {},
    el("option", { value: "refuse" }, "Refuse the upload and list them"),
    el("option", { value: "skip" }, "Leave them out and list them"),
  );
  const size = el("input", {
    type: "text",
    placeholder: "64x64",
    pattern: "[1-9][0-9]{0,3}x[1-9][0-9]{0,3}",
    autocomplete: "off",
  });
  const isPictures = /\.(zip|tar|tgz|tar\.gz)$/i.test(chosen.name);
  const isArrays = /\.npz$/i.test(chosen.name);
  const sent = el("progress", { max: 1, value: 0, hidden: true, "aria-label": "Share of the file that is sent" });
  const said = el("p", { class: "soft small", role: "status" });
  const outcome = el("div", { class: "stack" });
  const options = [field("Name", name, "Lower-case letters, digits, . _ -")];
  if (!isPictures && !isArrays)
    options.push(field("Target", target, "The column to be told from the others."), field("Task", task));
  if (isPictures) options.push(field("Size, HEIGHTxWIDTH", size, "Needed where pictures have several sizes."));
  options.push(field("Bad examples", bad));
  const check = button("Check only", () => go(true));
  const send = button("Upload", () => go(false), { kind: "primary", icon: icon("upload") });

  async function go(isDry) {
    if (!name.reportValidity() || (isPictures && !size.reportValidity())) return;
    const query = new URLSearchParams({ on_bad: bad.value });
    if (!isPictures && !isArrays) query.set("task", task.value);
    if (!isPictures && !isArrays && target.value) query.append("target", target.value);
    if (isPictures && size.value) query.set("size", size.value);
    if (isDry) query.set("dry_run", "true");
    fill(outcome);
    Object.assign(sent, { hidden: false, value: 0 });
    check.disabled = send.disabled = true;
    try {
      const onProgress = (done, all) => {
        sent.value = all ? done / all : 0;
        said.textContent = done < all ? `${bytes(done)} of ${bytes(all)} sent` : "Sent; the server checks it …";
      };
      const { status, body } = await upload(`v1/datasets/${encodeURIComponent(name.value)}?${query}`, chosen, {
        onProgress,
        signal,
      });
      const dataset = status === 202 ? await settled(body, said, signal) : body;
      said.textContent = "";
      const skipped = dataset.report?.faults_total ? faults(dataset.report.faults, dataset.report.faults_total) : null;
      fill(
        outcome,
        el("div", { class: "fine", role: "status" }, seen(dataset, { isDry, isSame: status === 200 && !isDry })),
        skipped,
      );
      tell(isDry ? "The upload would be taken" : "The dataset is there");
      if (!isDry) onReady(dataset, { hasFaults: Boolean(skipped) });
    } catch (error) {
      said.textContent = "";
      if (error.name === "AbortError") return;
      const { body } = error;
      fill(
        outcome,
        el(
          "div",
          { class: "problem", role: "alert" },
          el("b", {}, body?.title ?? "That did not work"),
          el("span", {}, body?.detail ?? error.message),
        ),
        body?.faults?.length ? faults(body.faults, body.faults_total) : null,
      );
    } finally {
      sent.hidden = true;
      check.disabled = send.disabled = false;
    }
  }

  const head = el(
    "div",
    { class: "panel-head" },
    el("h2", {}, chosen.name),
    el("span", { class: "soft" }, bytes(chosen.size)),
    el("span", { class: "gap" }),
    el("button", { type: "button", class: "quiet small", on: { click: onAgain } }, "Another file"),
  );
  return el(
    "section",
    { class: "panel stack", "aria-label": `Upload ${chosen.name}` },
    head,
    el("div", { class: "fields" }, ...options),
    el("div", { class: "buttons" }, send, check),
    sent,
    said,
    outcome,
  );
}

/** What becomes of an upload whose check takes long. */
async function settled(upload, said, signal) {
  for (;;) {
    if (upload.status === "ready") return upload.dataset;
    if (upload.status === "refused") throw Object.assign(new Error(upload.problem?.detail), { body: upload.problem });
    said.textContent = `The server checks it${upload.progress === null ? "" : `: ${percent(upload.progress, 0)}`} …`;
    await pause(ASK_MS, signal);
    upload = await json(`v1/uploads/${upload.id}`, { signal });
  }
}

function seen(dataset, { isDry, isSame }) {
  const what = dataset.classes
    ? plural(dataset.classes.length, "class", "classes")
    : plural(dataset.targets?.length ?? 0, "number");
  const parts = `${count(dataset.train_examples)} examples to train on, ${count(dataset.test_examples)} to test, ${what} to tell`;
  if (isDry) return `It would be taken: ${parts}.`;
  return isSame ? `${dataset.id} is these bytes already: ${parts}.` : `${dataset.id} is there: ${parts}.`;
}

/** The list of what is wrong with an upload. */
export function faults(found, total) {
  const isLines = found.every((one) => one.row === null || one.row === undefined);
  const rows = found
    .slice(0, MOST_SHOWN)
    .map((one) => [one.file ?? one.column ?? "–", one.row ?? one.line ?? "–", one.found, one.wanted]);
  return el(
    "div",
    {},
    el("h3", {}, `${plural(total, "fault")}${total > rows.length ? `, the first ${count(rows.length)}` : ""}`),
    table([["where"], [isLines ? "line" : "row", true], ["found"], ["wanted"]], rows, { label: "Faults of the upload" }),
  );
}

const slug = (text) =>
  text
    .toLowerCase()
    .replace(/(\.(csv|tsv|txt|parquet|zip|npz|tar|tgz|gz))+$/, "")
    .normalize("NFKD")
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+|-+$/g, "")
    .slice(0, 64) || "data";

/** Names of the columns in the first line of a table in plain text, where they are easily told. */
async function columnsOf(file) {
  if (!/\.(csv|tsv|txt)$/i.test(file.name)) return [];
  const head = (await file.slice(0, HEAD_BYTES).text()).replace(/^\ufeff/, "");
  const [first] = head.split(/\r\n|\n|\r/, 1);
  if (!first || first.length > 20_000) return [];
  const separator = [",", ";", "\t"].sort((one, other) => first.split(other).length - first.split(one).length)[0];
  const names = cellsOf(first, separator).map((name) => name.trim());
  return names.includes("") ? [] : names;
}

/** The cells of a line of a table; nothing where a quoted one goes on in the next line. */
function cellsOf(line, separator) {
  const cells = [""];
  let isQuoted = false;
  for (let at = 0; at < line.length; at++) {
    const sign = line[at];
    if (sign === '"' && isQuoted && line[at + 1] === '"') {
      cells.push(cells.pop() + sign);
      at++;
    } else if (sign === '"') isQuoted = !isQuoted;
    else if (sign === separator && !isQuoted) cells.push("");
    else cells.push(cells.pop() + sign);
  }
  return isQuoted ? [] : cells;
}
