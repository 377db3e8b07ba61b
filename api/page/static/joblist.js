// A list of jobs that stays true: by the stream of all jobs' events.

import { json } from "./api.js";
import { collected } from "./dom.js";
import { FINAL, progressed } from "./status.js";
import { follow, pause, repeat } from "./stream.js";

const PAGE = 50;
const MOST_PER_REQUEST = 100;
/** How often all is read again, for what no event tells: places in the queue, and jobs that were deleted. */
const REFRESH_MS = 15_000;
const SETTLE_MS = 250;

/** A job as lists have it. */
const listed = ({ spec, ...job }) => ({ ...job, dataset: spec.dataset, preset: spec.preset });

/** The newest jobs with some statuses, on all datasets or one. */
export class JobList {
  #statuses = [];
  #dataset = "";
  #loading = 0;

  constructor({ signal, onChange, onLive }) {
    Object.assign(this, { jobs: [], hasMore: false, signal, onChange, onLive });
    this.#soon = collected(() => this.refresh().catch(() => {}), SETTLE_MS);
    this.#soonAll = collected(() => this.refreshAll().catch(() => {}), SETTLE_MS);
  }
  #soon;
  #soonAll;
  #changed = new Set(); // ids of jobs of which a status was told, and that were not read since

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
    this.#put([...page.data, ...older], older.length ? this.hasMore : page.has_more);
    page.data.forEach((job) => this.#changed.delete(job.id));
    await this.#readChanged(new Set(older.map((job) => job.id)));
  }

  /** Reads all that is loaded again, page by page. */
  async refreshAll() {
    if (this.jobs.length <= PAGE) return this.refresh();
    const turn = this.#loading;
    const oldest = this.jobs.at(-1).id;
    this.#changed.clear();
    const fresh = [];
    let page;
    do {
      page = await this.#page(fresh.at(-1)?.id ?? "", MOST_PER_REQUEST);
      if (turn !== this.#loading) return;
      fresh.push(...page.data);
    } while (page.has_more && fresh.at(-1).id > oldest);
    // Older pages that were loaded meanwhile.
    const older = page.has_more ? this.jobs.filter((job) => job.id < fresh.at(-1).id) : [];
    this.#put([...fresh, ...older], older.length ? this.hasMore : page.has_more);
  }

  /** These are the jobs; of one that is known by a later revision already, that. */
  #put(jobs, hasMore) {
    const known = new Map(this.jobs.map((job) => [job.id, job]));
    this.jobs = jobs.map((job) => (known.get(job.id)?.revision > job.revision ? known.get(job.id) : job));
    this.hasMore = hasMore;
    this.onChange();
  }

  /** Reads each of these jobs again that has changed. */
  async #readChanged(older) {
    const ids = [...this.#changed].filter((id) => older.has(id));
    this.#changed.clear();
    for (const id of ids) {
      try {
        const job = listed(await json(`v1/jobs/${id}`, { signal: this.signal }));
        const fits = !this.#statuses.length || this.#statuses.includes(job.status);
        this.jobs = this.jobs.flatMap((one) => (one.id === id ? (fits ? [job] : []) : [one]));
      } catch (error) {
        if (error.status !== 404) continue; // all is read again before long
        this.jobs = this.jobs.filter((one) => one.id !== id);
      }
    }
    if (ids.length) this.onChange();
  }

  /** Keeps the list true until the signal. */
  async follow() {
    const { signal } = this;
    pause(REFRESH_MS, signal).then(() => repeat(() => this.refreshAll(), REFRESH_MS, signal));
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
      if (FINAL.has(this.jobs[at].status)) return;
      this.jobs = this.jobs.with(at, progressed(this.jobs[at], event));
      this.onChange();
    } else if (at >= 0 && type === "metric") {
      const job = this.jobs[at];
      this.jobs = this.jobs.with(at, { ...job, metrics: { ...job.metrics, latest: event.data } });
      this.onChange();
    } else if (type === "ready") {
      // After it all is told, so what was before must be read.
      this.#soonAll();
    } else {
      // Another status, another job.
      this.#changed.add(event.job_id);
      this.#soon();
    }
  }

  async #page(after, limit = PAGE) {
    const query = new URLSearchParams({ view: "summary", limit });
    if (after) query.set("after", after);
    if (this.#dataset) query.set("dataset", this.#dataset);
    if (this.#statuses.length) query.set("status", this.#statuses.join(","));
    return json(`v1/jobs?${query}`, { signal: this.signal });
  }
}
