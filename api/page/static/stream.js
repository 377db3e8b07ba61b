// Server-sent events by `fetch`, since an EventSource can send no key. A stream that ends is connected again.

import { request, problemOf } from "./api.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** A browser has six connections to a server: a page that nobody looks at gives its own back after so long. */
const UNSEEN_MS = 20_000;

/** Reads events from the parts of a stream (HTML standard, section 9.2). */
export class EventReader {
  #rest = "";
  #id = "";
  #type = "";
  #data = [];

  /** The events that are whole with this part: {id, type, data}. */
  *read(part) {
    const lines = (this.#rest + part).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length) yield { id: this.#id, type: this.#type || "message", data: this.#data.join("\n") };
        [this.#id, this.#type, this.#data] = ["", "", []];
        continue;
      }
      const [, field, value] = /^([^:]*)(?:: ?([^]*))?$/.exec(line);
      if (field === "data") this.#data.push(value ?? "");
      else if (field === "event") this.#type = value ?? "";
      else if (field === "id") this.#id = value ?? "";
    }
  }
}

/** Follows a stream until `signal` is aborted or an event is `done` where `endsWithDone`. Gives `onEvent` each event's
 * type and JSON, and `onState` whether it is connected.
 *
 * Raises a Problem where the server refuses for good. */
export async function follow(path, { onEvent, onState = () => {}, signal, endsWithDone = true }) {
  let last = "";
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    await seen(signal);
    const connection = whileSeen(signal);
    try {
      const headers = { accept: "text/event-stream", ...(last ? { "last-event-id": last } : {}) };
      const answer = await request(path, { headers, signal: connection.signal });
      if (answer.status === 204) return;
      if (!answer.ok) {
        const problem = await problemOf(answer);
        if (answer.status < 500 && answer.status !== 429) throw problem;
        wait = Math.max(wait, 1000 * Number(answer.headers.get("retry-after") ?? 0));
      } else {
        onState(true);
        const reader = new EventReader();
        const parts = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        for (;;) {
          const { value, done } = await parts.read();
          if (done) break;
          for (const event of reader.read(value)) {
            wait = FIRST_WAIT_MS;
            if (event.id) last = event.id;
            onEvent(event.type, JSON.parse(event.data));
            if (event.type === "done" && endsWithDone) return;
          }
        }
      }
    } catch (error) {
      // No key was given, or nobody wants to know any more.
      if (signal.aborted || (error.name === "AbortError" && !connection.signal.aborted)) return;
      if (error.name === "Problem" && error.status !== 0) throw error;
    } finally {
      connection.end();
    }
    onState(false);
    // Not all pages at once, when a server is back.
    await pause(wait * (0.75 + 0.5 * Math.random()), signal);
    wait = Math.min(LONGEST_WAIT_MS, 2 * wait);
  }
}

/** Waits until somebody looks at the page. */
async function seen(signal) {
  while (document.hidden && !signal.aborted) {
    await new Promise((resolve) => {
      document.addEventListener("visibilitychange", resolve, { once: true });
      signal.addEventListener("abort", resolve, { once: true });
    });
  }
}

/** A signal that is aborted with another, or once nobody has looked at the page for long. */
function whileSeen(signal) {
  const own = new AbortController();
  let timer = 0;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => own.abort(), UNSEEN_MS);
  };
  const end = () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
  document.addEventListener("visibilitychange", look);
  look();
  return { signal: AbortSignal.any([signal, own.signal]), end };
}

/** Waits, or until aborted. */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/** Calls `work` now and so long after each end, while the page is looked at. Its problems go to `onProblem`. */
export async function repeat(work, milliseconds, signal, onProblem = () => {}) {
  while (!signal.aborted) {
    if (!document.hidden) {
      try {
        await work();
      } catch (error) {
        if (signal.aborted || error.name === "AbortError") return;
        onProblem(error);
      }
    }
    await pause(milliseconds, signal);
  }
}
