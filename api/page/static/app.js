// The page: where one is, by the address's hash, and what is around it.

import { Problem, key, wantKey } from "./api.js";
import { el, entitle, fill, tell, toast } from "./dom.js";
import { icon } from "./icons.js";

const PLACES = [
  ["jobs", "Jobs", "jobs"],
  ["new", "New job", "add"],
  ["datasets", "Datasets", "data"],
  ["try", "Try", "pen"],
  ["workers", "Workers", "workers"],
];
// Each view's module is loaded when it is first wanted. It exports show(main, parts, signal), which gives the title.
const VIEWS = {
  jobs: (parts) => (parts[0] ? import("./views/job.js") : import("./views/jobs.js")),
  compare: () => import("./views/compare.js"),
  new: () => import("./views/new.js"),
  datasets: (parts) => (parts[0] ? import("./views/dataset.js") : import("./views/datasets.js")),
  try: () => import("./views/try.js"),
  workers: () => import("./views/workers.js"),
};
/** In the place of an HTTP status: only another page helps. */
const RELOAD = -1;
const main = document.getElementById("main");
let leaving = new AbortController();
let before = null;

function place() {
  const [, path, query = ""] = /^#\/?([^?]*)\??(.*)$/.exec(location.hash) ?? [];
  const [name = "", ...parts] = (path ?? "").split("/").filter(Boolean).map(decoded);
  return { name: Object.hasOwn(VIEWS, name) ? name : "jobs", parts, query: new URLSearchParams(query) };
}

/** What an address means by this; where it means nothing, as it stands. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A view's module. Raises a Problem where it cannot be loaded: the server is away, or has another page by now. */
async function loaded(name, parts) {
  try {
    return await VIEWS[name](parts);
  } catch {
    const isThere = await fetch("healthz", { cache: "no-store" }).then(
      (answer) => answer.ok,
      () => false,
    );
    throw new Problem(
      isThere
        ? { title: "There is a newer page", detail: "the server has another version by now; load the page again" }
        : { title: "The server cannot be reached", detail: "is it running?" },
      isThere ? RELOAD : 0,
    );
  }
}

async function go() {
  const { name, parts, query } = place();
  // A tab within the same job is no other place.
  const where = `${name}/${parts[0] ?? ""}`;
  if (before === where && name === "jobs" && parts[0]) {
    main.dispatchEvent(new CustomEvent("gradientd:part", { detail: parts[1] ?? "" }));
    return;
  }
  leaving.abort();
  const { signal } = (leaving = new AbortController());
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.name === (name === "compare" ? "jobs" : name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const view = el("div", { class: `view view-${name}` });
  try {
    const { show } = await loaded(name, parts);
    if (signal.aborted) return;
    fill(main, view);
    scrollTo(0, 0);
    const title = await show(view, { parts, query, signal });
    if (signal.aborted) return;
    arrived(title);
  } catch (error) {
    if (signal.aborted) return;
    const shown = failure(error);
    fill(main, el("div", { class: "view" }, shown));
    arrived(shown.querySelector("h1").textContent);
  }
  before = where;
}

/** Another place is shown: the tab, the focus and screen readers are told. */
function arrived(title) {
  entitle(title);
  if (before === null) return;
  main.focus({ preventScroll: true });
  tell(title);
}

function failure(error) {
  const missing = error.status === 404;
  const title =
    error.name === "AbortError"
      ? "Nothing is shown without a key"
      : missing
        ? "There is no such thing here"
        : error.status === 0 || error.status === RELOAD
          ? error.body.title
          : "That did not work";
  // What a browser could not load once it may not try again.
  const retry = () => (error.status === RELOAD ? location.reload() : ((before = null), go()));
  const again = el(
    "button",
    { type: "button", class: "primary", on: { click: retry } },
    icon("again"),
    error.status === RELOAD ? "Load the page again" : "Try again",
  );
  return el(
    "div",
    { class: "empty", role: "alert" },
    icon(missing ? "search" : "failed"),
    el("h1", {}, title),
    el("p", {}, error.name === "AbortError" ? "This server asks for an API key." : error.message),
    again,
  );
}

const THEMES = [
  ["", "auto", "as the system"],
  ["light", "sun", "light"],
  ["dark", "moon", "dark"],
];

function tools() {
  const theme = el("button", { type: "button", class: "quiet tool" });
  const drawTheme = () => {
    const now = document.documentElement.dataset.theme ?? "";
    const [, sign, name] = THEMES.find(([value]) => value === now);
    fill(theme, icon(sign), el("span", {}, `Colours: ${name}`));
    theme.setAttribute("aria-label", `Colours: ${name}. Change`);
  };
  theme.addEventListener("click", () => {
    const at = THEMES.findIndex(([value]) => value === (document.documentElement.dataset.theme ?? ""));
    const [next] = THEMES[(at + 1) % THEMES.length];
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    if (next) localStorage.setItem("gradientd.theme", next);
    else localStorage.removeItem("gradientd.theme");
    drawTheme();
    document.dispatchEvent(new CustomEvent("gradientd:theme"));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    document.dispatchEvent(new CustomEvent("gradientd:theme")),
  );
  drawTheme();
  const access = el(
    "button",
    { type: "button", class: "quiet tool", on: { click: changeKey } },
    icon("key"),
    el("span", {}, "API key"),
  );
  access.setAttribute("aria-label", "API key");
  const docs = el("a", { class: "tool", href: "docs" }, icon("book"), el("span", {}, "API documentation"));
  docs.setAttribute("aria-label", "API documentation");
  fill(document.getElementById("tools"), theme, access, docs);
}

async function changeKey() {
  const had = key.get();
  try {
    await wantKey("Requests of this page are sent with it.");
  } catch {
    if (had && !key.get()) toast("The key is forgotten.");
    else return;
  }
  before = null;
  go();
}

fill(
  document.getElementById("nav"),
  ...PLACES.map(([name, label, sign]) =>
    el("a", { href: `#/${name}`, data: { name } }, icon(sign), el("span", {}, label)),
  ),
);
tools();
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", go);
go();
