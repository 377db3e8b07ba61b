// Makes elements. Texts become text nodes, never markup: much of what is shown was named by strangers.

/** An element: `on` has listeners, `data` has data attributes, `class` its classes; others are properties where there
 * are such, else attributes. Children that are null are left out. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name === "on") for (const [kind, listener] of Object.entries(value)) made.addEventListener(kind, listener);
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name === "class") made.className = value;
    else if (name in made && !name.includes("-") && name !== "list" && name !== "form") made[name] = value;
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Puts these in the place of all children. */
export function fill(place, ...children) {
  place.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return place;
}

/** Sets a text only where it is another: what does not change is not read out anew. */
export function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** Takes files that are dropped anywhere on this, but on an input that takes them itself. */
export function onFiles(place, take, signal) {
  const isOwn = (event) => event.target.matches?.("input[type=file]") || !event.dataTransfer?.types.includes("Files");
  place.addEventListener("dragover", (event) => isOwn(event) || event.preventDefault(), { signal });
  place.addEventListener(
    "drop",
    (event) => {
      if (isOwn(event)) return;
      event.preventDefault();
      if (event.dataTransfer.files.length) take(event.dataTransfer.files);
    },
    { signal },
  );
}

let serial = 0;
/** An id that no other element has. */
export const newId = (what) => `${what}-${++serial}`;

/** Calls `work` once it has not been asked for during so many milliseconds. */
export function debounced(work, milliseconds) {
  let timer = 0;
  const ask = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
  ask.stop = () => clearTimeout(timer);
  return ask;
}

/** Calls `work` so long after it is first asked for, once for all that ask meanwhile: however much happens, it is done. */
export function collected(work, milliseconds) {
  let timer = 0;
  const ask = () => {
    timer ||= setTimeout(() => {
      timer = 0;
      work();
    }, milliseconds);
  };
  ask.stop = () => clearTimeout(timer);
  return ask;
}

/** Names the page in the browser's tabs. */
export function entitle(text) {
  document.title = text ? `${text} · gradientd` : "gradientd";
}

/** Tells screen readers, and nobody else. */
export function tell(text) {
  write(document.getElementById("told"), text);
}

/** Says something for a few seconds; what went wrong stays until it is put away. */
export function toast(text, kind = "info") {
  const gone = () => made.remove();
  const close = el("button", { type: "button", class: "quiet small", on: { click: gone } }, "Dismiss");
  const made = el(
    "div",
    { class: `toast ${kind}`, role: kind === "bad" ? "alert" : "status" },
    el("span", {}, text),
    close,
  );
  document.getElementById("toasts").append(made);
  if (kind !== "bad") setTimeout(gone, 5000);
}

/** A button that cannot be pressed again while its work is under way. Problems become toasts. */
export function button(label, work, { kind = "", icon = null, ...more } = {}) {
  const pressed = async () => {
    made.disabled = true;
    try {
      await work();
    } catch (error) {
      if (error.name !== "AbortError") toast(error.message, "bad");
    } finally {
      made.disabled = false;
    }
  };
  const made = el("button", { type: "button", class: kind, on: { click: pressed }, ...more }, icon, label);
  return made;
}
