// What a job's webhook was told, and what became of each message.

import { json, post } from "./api.js";
import { button, el, fill, toast } from "./dom.js";
import { ago, duration, instant, secondsUntil, words } from "./format.js";
import { icon } from "./icons.js";
import { repeat } from "./stream.js";
import { table } from "./table.js";

const ASK_MS = 3000;
const SIGNS = { pending: "queued", delivered: "done", failed: "failed" };
const COLOURS = { pending: "queued", delivered: "succeeded", failed: "failed" };

/** The newest messages, kept true while the part is looked at. */
export function deliveries(view) {
  const list = el("div");
  const { url } = view.job.spec.webhook;
  const told = el("p", { class: "soft small" }, "Sent to ", el("code", {}, url));
  let drawn = "";
  const read = async () => {
    const { data } = await json(`${view.path}/webhook-deliveries?limit=100`, { signal: view.signal });
    const now = JSON.stringify(data);
    if (now === drawn) return;
    drawn = now;
    const rows = data.reverse().map((one) => [one.type, state(one), answered(one), again(one)]);
    const shown = table([["what"], ["status"], ["last answer"], ["again"]], rows, { label: "Messages to the webhook" });
    fill(list, rows.length ? shown : el("p", { class: "soft" }, "Nothing was to be told yet."));
  };
  const again = (one) =>
    button("Send again", async () => {
      await post(`${view.path}/webhook-deliveries/${one.id}/redeliver`, {});
      toast("It is sent within seconds.");
      await read();
    });
  repeat(read, ASK_MS, view.signal, (error) => fill(list, el("div", { class: "problem" }, error.message)));
  return el("section", { class: "panel stack" }, el("h2", {}, "Webhook"), told, list);
}

function state({ status }) {
  return el("span", { class: `chip ${COLOURS[status]}` }, icon(SIGNS[status] ?? "queued"), el("span", {}, status));
}

function answered({ attempts, next_attempt_at: next }) {
  const last = attempts.at(-1);
  const answer = last ? (last.status_code ? `HTTP ${last.status_code}` : words(last.error)) : "not tried yet";
  const when = last ? `, ${ago(last.at)}` : "";
  const due = next ? `; again in ${duration(secondsUntil(next))}` : "";
  return el("span", { title: last ? instant(last.at) : "" }, `${answer}${when}${due}`);
}
