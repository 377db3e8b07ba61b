// Requests to the API, with the reader's key where one is needed. Addresses are relative: a proxy may add a path.

import { askForKey } from "./dialogs.js";

const NAME = "gradientd.key";

/** Why a request was not carried out, as RFC 9457 has it. */
export class Problem extends Error {
  constructor(body, status) {
    super(body.detail ? `${body.title}: ${body.detail}` : `${status}: ${body.title ?? "the server refused"}`);
    this.name = "Problem";
    this.status = status;
    this.body = body;
  }
}

/** Whether a text can be a key: a header can hold no other. */
export const isKey = (text) => /^gd_[!-~]+$/.test(text);

export const key = {
  get() {
    const kept = sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME) ?? "";
    return isKey(kept) ? kept : "";
  },
  isRemembered: () => localStorage.getItem(NAME) !== null,
  keep(secret, { remember = false } = {}) {
    key.forget();
    (remember ? localStorage : sessionStorage).setItem(NAME, secret);
  },
  forget() {
    sessionStorage.removeItem(NAME);
    localStorage.removeItem(NAME);
  },
};

/** The headers that every request has. */
export const credentials = () => (key.get() ? { authorization: `Bearer ${key.get()}` } : {});

let asking = null;
/** Asks for a key, once however many requests want one. */
export function wantKey(reason) {
  asking ??= askForKey(reason).finally(() => (asking = null));
  return asking;
}

/** The answer, whatever it says. Where a key is wanted the reader is asked, and the request sent again. */
export async function request(path, { method = "GET", headers = {}, body, signal } = {}) {
  for (;;) {
    const used = key.get();
    let answer;
    try {
      answer = await fetch(path, {
        method,
        body,
        signal,
        headers: { ...credentials(), ...headers },
        cache: "no-store",
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem({ title: "The server cannot be reached", detail: "is it running?" }, 0);
    }
    if (answer.status !== 401) return answer;
    await wantOther(used);
  }
}

/** Asks for another key than the one that was refused, unless there is one already. */
async function wantOther(used) {
  if (key.get() !== used) return;
  await wantKey(used ? "The key is not (or no longer) known to this server." : "This server asks for an API key.");
}

async function checked(answer) {
  if (answer.ok) return answer;
  throw await problemOf(answer);
}

export async function problemOf(answer) {
  const body = await answer.json().catch(() => ({ title: answer.statusText || "No answer of the API" }));
  return new Problem(body, answer.status);
}

export const json = async (path, options) => (await checked(await request(path, options))).json();
export const blob = async (path, options) => (await checked(await request(path, options))).blob();
export const send = async (method, path, options) => checked(await request(path, { method, ...options }));

/** Sends JSON and gives what is answered. */
export async function post(path, body, options = {}) {
  const headers = { "content-type": "application/json", ...options.headers };
  return (await send("POST", path, { ...options, headers, body: JSON.stringify(body) })).json();
}

/** Hands a file over as a download. */
export async function download(path, name, options) {
  const address = URL.createObjectURL(await blob(path, options));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** A file sent with its progress, which `fetch` cannot tell. Gives the answer's status and JSON. Where a key is wanted
 * the reader is asked, and the file sent again. */
export async function upload(path, file, options) {
  for (;;) {
    const used = key.get();
    const answer = await sent(path, file, options);
    if (answer.status < 400) return answer;
    if (answer.status !== 401) throw new Problem(answer.body, answer.status);
    await wantOther(used);
  }
}

function sent(path, file, { onProgress, signal } = {}) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("PUT", path);
    for (const [name, value] of Object.entries(credentials())) sending.setRequestHeader(name, value);
    sending.setRequestHeader("content-type", "application/octet-stream");
    sending.upload.onprogress = (event) => onProgress?.(event.loaded, event.total);
    sending.onerror = () =>
      reject(new Problem({ title: "The upload broke off", detail: "nothing of it was kept; try again" }, 0));
    sending.onabort = () => reject(new DOMException("stopped", "AbortError"));
    sending.onload = () => {
      let body = {};
      try {
        body = JSON.parse(sending.responseText);
      } catch {
        body = { title: sending.statusText };
      }
      resolve({ status: sending.status, body });
    };
    signal?.addEventListener("abort", () => sending.abort());
    sending.send(file);
  });
}
