// Who trains: live workers, their devices and memory, and what each does now.

import { json } from "../api.js";
import { el, fill, write } from "../dom.js";
import { ago, bytes, count, short } from "../format.js";
import { icon } from "../icons.js";
import { chip } from "../status.js";
import { repeat } from "../stream.js";

const ASK_MS = 3000;

export async function show(view, { signal }) {
  const live = el("span", { class: "live" });
  const place = el("div", { class: "cards" });
  fill(view, el("div", { class: "head" }, el("h1", {}, "Workers"), live), place);
  const read = async () => {
    const { data } = await json("v1/workers", { signal });
    live.dataset.is = true;
    write(live, "live");
    draw(place, data);
  };
  await read();
  const lost = (error) => ((live.dataset.is = false), write(live, error.message));
  repeat(read, ASK_MS, signal, lost);
  return "Workers";
}

let drawn = "";
function draw(place, workers) {
  // A card that changes while it is read, or has the focus, is only drawn anew where something is new.
  const now = JSON.stringify(workers.map(({ last_heartbeat_at: _, ...rest }) => rest));
  if (now === drawn && place.children.length) {
    workers.forEach((worker, n) =>
      write(place.children[n].querySelector("[data-heard]"), `heard ${ago(worker.last_heartbeat_at)}`),
    );
    return;
  }
  drawn = now;
  if (workers.length) fill(place, ...workers.map(card));
  else
    fill(
      place,
      el(
        "div",
        { class: "empty" },
        icon("workers"),
        el("h2", {}, "No worker is live"),
        el("p", {}, "Jobs wait in the queue until one is there: gradientd up starts one beside the API."),
      ),
    );
}

function card(worker) {
  const job = worker.job_id
    ? el("p", {}, "trains ", el("a", { href: `#/jobs/${worker.job_id}` }, `job ${short(worker.job_id)}`))
    : el("p", { class: "soft" }, worker.status === "busy" ? "trains another's job" : "waits for a job");
  return el(
    "section",
    { class: "panel" },
    el("div", { class: "panel-head" }, el("h2", {}, worker.name), el("span", { class: "gap" }), status(worker)),
    job,
    el(
      "p",
      { class: "soft small" },
      `${worker.host}, process ${worker.pid}, TensorFlow ${worker.tensorflow}, ${worker.threads} threads`,
    ),
    el(
      "p",
      { class: "soft small" },
      el("span", { data: { heard: "" } }, `heard ${ago(worker.last_heartbeat_at)}`),
      worker.job_memory_bytes ? `, up to ${bytes(worker.job_memory_bytes)} a job` : "",
    ),
    ...worker.devices.map(device),
  );
}

function status(worker) {
  const made = chip({ status: worker.status });
  made.firstElementChild.replaceWith(icon(worker.status === "busy" ? "running" : "done"));
  return made;
}

function device(one) {
  const used =
    one.memory_bytes_total && one.memory_bytes !== null
      ? el("meter", {
          min: 0,
          max: one.memory_bytes_total,
          value: one.memory_bytes,
          "aria-label": `Memory in use on ${one.name}`,
        })
      : null;
  const told = [
    one.memory_bytes !== null ? `${bytes(one.memory_bytes)} of ${bytes(one.memory_bytes_total)} in use` : null,
    one.memory_peak_bytes !== null ? `most so far ${bytes(one.memory_peak_bytes)}` : null,
    one.memory_growth ? "grows with need" : null,
    one.memory_limit_mb ? `capped at ${count(one.memory_limit_mb)} MiB` : null,
  ]
    .filter(Boolean)
    .join(", ");
  return el(
    "div",
    { class: "device" },
    el("div", { class: "device-line" }, el("b", {}, one.kind.toUpperCase()), el("span", { class: "soft" }, one.name)),
    el("span", { class: "small" }, one.model),
    used,
    told ? el("span", { class: "soft small" }, told) : null,
  );
}
