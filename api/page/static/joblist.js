// A list of jobs that stays true: by the stream of all jobs' events, or by asking again where the server has none.

import { json } from "./api.js";
import { collected } from "./dom.js";
import { progressed } from "./status.js";
import { follow, repeat } from "./stream.js";

const PAGE = 50;
const POLL_MS = 2000;
/** With a stream, for what no event tells: places in the queue, and other servers' clocks. */
const REFRESH_MS = 30_000;
const SETTLE_MS = 250;

let summaries = true; // whether the server knows them

/** The newest jobs with some statuses. */
export class JobList {
  #statuses = [];
  #loading = 0;

  constructor({ signal, onChange, onLive }) {
    Object.assign(this, { jobs: [], hasMore: false, signal, onChange, onLive });
    this.#soon = collected(() => this.refresh().catch(() => {}), SETTLE_MS);
  }
  #soon;

  async load(statuses) {
    this.#statuses = statuses;
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
    const stop = new AbortController();
    signal.addEventListener("abort", () => stop.abort());
    try {
      // Where events flow the list is only now and then read as a whole.
      repeat(() => this.refresh(), REFRESH_MS, stop.signal);
      const onState = (is) => (this.onLive(is), is && this.#soon());
      await follow("v1/events", { signal, onState, endsWithDone: false, onEvent: (type, event) => this.#take(type, event) });
    } catch (error) {
      stop.abort();
      if (![404, 405].includes(error.status)) throw error;
      this.onLive(true);
      repeat(() => this.refresh().then(() => this.onLive(true)), POLL_MS, signal, () => this.onLive(false));
    }
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
      this.#soon();
    }
  }

  async #page(after) {
    const query = new URLSearchParams({ limit: PAGE });
    if (after) query.set("after", after);
    if (this.#statuses.length) query.set("status", this.#statuses.join(","));
    if (summaries) {
      try {
        return await json(`v1/jobs?${query}&view=summary`, { signal: this.signal });
      } catch (error) {
        if (error.body?.errors?.[0]?.parameter !== "view") throw error;
        summaries = false;
      }
    }
    return json(`v1/jobs?${query}`, { signal: this.signal });
  }
}
