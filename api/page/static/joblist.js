// A list of jobs that stays true: by the stream of all jobs' events.

import { json } from "./api.js";
import { collected } from "./dom.js";
import { progressed } from "./status.js";
import { follow, pause, repeat } from "./stream.js";

const PAGE = 50;
/** How often all is read again, for what no event tells: places in the queue, and jobs that were deleted. */
const REFRESH_MS = 15_000;
const SETTLE_MS = 250;

/** The newest jobs with some statuses, on all datasets or one. */
export class JobList {
  #statuses = [];
  #dataset = "";
  #loading = 0;

  constructor({ signal, onChange, onLive }) {
    Object.assign(this, { jobs: [], hasMore: false, signal, onChange, onLive });
    this.#soon = collected(() => this.refresh().catch(() => {}), SETTLE_MS);
  }
  #soon;

  async load(statuses, dataset) {
    this.#statuses = statuses;
    this.#dataset = dataset;
    const turn = ++this.#loading;
    const page = await this.#page("");
    if (turn !== this.#loading) return;
    this.jobs = page.data;
    this.hasMore = page.has_more;
    this.onChange();
  }

  async loadMore() {
    const page = await this.#page(this.jobs.at(-1)?.id ?? "");
    this.jobs = [...this.jobs, ...page.data];
    this.hasMore = page.has_more;
    this.onChange();
  }

  /** Reads the first page again; older jobs stay as they were. */
  async refresh() {
    const turn = this.#loading;
    const page = await this.#page("");
    if (turn !== this.#loading) return;
    const last = page.data.at(-1)?.id ?? "";
    const older = page.has_more ? this.jobs.filter((job) => job.id < last) : [];
    this.jobs = [...page.data, ...older];
    this.hasMore = older.length ? this.hasMore : page.has_more;
    this.onChange();
  }

  /** Keeps the list true until the signal. */
  async follow() {
    const { signal } = this;
    pause(REFRESH_MS, signal).then(() => repeat(() => this.refresh(), REFRESH_MS, signal));
    await follow("v1/events", {
      signal,
      onState: this.onLive,
      endsWithDone: false,
      onEvent: (type, event) => this.#take(type, event),
    });
  }

  #take(type, event) {
    const at = this.jobs.findIndex((job) => job.id === event.job_id);
    if (at >= 0 && type === "progress") {
      this.jobs = this.jobs.with(at, progressed(this.jobs[at], event));
      this.onChange();
    } else if (at >= 0 && type === "metric") {
      const job = this.jobs[at];
      this.jobs = this.jobs.with(at, { ...job, metrics: { ...job.metrics, latest: event.data } });
      this.onChange();
    } else {
      // Another status, another job; or `ready`, after which all is told, so what was before must be read.
      this.#soon();
    }
  }

  async #page(after) {
    const query = new URLSearchParams({ view: "summary", limit: PAGE });
    if (after) query.set("after", after);
    if (this.#dataset) query.set("dataset", this.#dataset);
    if (this.#statuses.length) query.set("status", this.#statuses.join(","));
    return json(`v1/jobs?${query}`, { signal: this.signal });
  }
}
