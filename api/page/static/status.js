// What is said of a job, wherever it is shown: its status, its result, how far it is and how long it takes.

import { el } from "./dom.js";
import { duration, number, percent, secondsBetween, secondsUntil, words } from "./format.js";
import { icon } from "./icons.js";

export const FINAL = new Set(["succeeded", "failed", "cancelled"]);
export const ACTIVE = ["queued", "running", "cancelling", "pausing", "paused"];
const ICONS = {
  queued: "queued",
  running: "running",
  cancelling: "stopping",
  pausing: "paused",
  paused: "paused",
  succeeded: "done",
  failed: "failed",
  cancelled: "cancelled",
};

/** A status in a word with its sign; colour says it only besides. */
export function chip(job) {
  const made = el(
    "span",
    { class: `chip ${job.status}` },
    icon(ICONS[job.status] ?? "queued"),
    el("span", {}, words(job.status)),
  );
  if (job.responding === false) made.append(el("span", { class: "note" }, "· not responding"));
  return made;
}

export const datasetOf = (job) => job.dataset ?? job.spec?.dataset ?? "";
export const presetOf = (job) => job.preset ?? job.spec?.preset ?? "";
export const titleOf = (job) => datasetOf(job);
export const modelOf = (job) => job.spec?.model?.type ?? presetOf(job);

/** The number by which a job is judged so far: [value, what it is], or null. */
export function result(job) {
  const { test_accuracy: accuracy, test_rmse: rmse, best, latest } = job.metrics ?? {};
  if (accuracy !== null && accuracy !== undefined) return [percent(accuracy), "test accuracy"];
  if (rmse !== null && rmse !== undefined) return [number(rmse), "test RMSE"];
  const epoch = best ?? latest;
  if (!epoch) return null;
  if (epoch.val_accuracy !== null && epoch.val_accuracy !== undefined)
    return [percent(epoch.val_accuracy), "validation accuracy"];
  if (epoch.val_rmse !== null && epoch.val_rmse !== undefined) return [number(epoch.val_rmse), "validation RMSE"];
  return [number(epoch.val_loss), "validation loss"];
}

/** In a few words what a job is doing, or how it ended. */
export function situation(job) {
  if (job.status === "queued") {
    const before = job.queue_position;
    const start = secondsUntil(job.estimated_start_at);
    const when = start === null ? "" : `, starts in about ${duration(start)}`;
    return (
      (before === null || before === undefined
        ? "waiting for a worker"
        : before === 0
          ? "next in line"
          : `${before} before it`) + when
    );
  }
  if (job.status === "running") {
    const left = secondsUntil(job.progress?.estimated_finish_at);
    const doing = job.phase && job.phase !== "training" ? words(job.phase) : epochs(job);
    return left === null ? doing : `${doing}, ${duration(left)} left`;
  }
  if (FINAL.has(job.status)) {
    const took = runningSeconds(job);
    const since = secondsBetween(job.started_at, job.finished_at);
    const reason =
      job.status_reason && !["completed", "user_requested"].includes(job.status_reason) ? words(job.status_reason) : "";
    // Lists have no changes of status: a pause may be in between.
    const lasted = job.transitions
      ? took !== null && `took ${duration(took)}`
      : since !== null && `ended ${duration(since)} after its start`;
    return [reason, lasted].filter(Boolean).join(", ");
  }
  return epochs(job);
}

const RUNNING = new Set(["running", "pausing", "cancelling"]);
/** How long a job has run: pauses and waits between are not counted. Null where it never did, or it is not known. */
export function runningSeconds({ transitions = [] }) {
  const spans = transitions
    .map((one, n) => (RUNNING.has(one.status) ? secondsBetween(one.at, transitions[n + 1]?.at) : null))
    .filter((span) => span !== null);
  return spans.length ? spans.reduce((sum, span) => sum + span, 0) : null;
}

export function epochs(job) {
  const { epoch, epochs: all } = job.progress ?? {};
  return epoch ? `epoch ${epoch} of ${all}` : `${all ?? 0} epochs`;
}

/** A bar of how far a job is. */
export function bar(job) {
  const share = job.status === "succeeded" ? 100 : (job.progress?.percent ?? 0);
  return el("progress", {
    class: `bar ${job.status}`,
    max: 100,
    value: share,
    "aria-label": `${Math.round(share)} percent done`,
  });
}

/** Puts what was told of a job's progress into what is known of it. */
export function progressed(job, told) {
  return {
    ...job,
    status: told.status ?? job.status,
    phase: told.phase ?? null,
    queue_position: told.queue_position ?? null,
    progress: { ...job.progress, ...told.progress },
  };
}
