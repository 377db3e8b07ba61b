// A model's card within the page. It is drawn in a frame of an origin of its own, which gets the card and no key.

import { json } from "./api.js";
import { el } from "./dom.js";

/** The card at this path. */
export async function cardFrame(path, signal) {
  const card = await json(path, { headers: { accept: "application/json" }, signal });
  const files = document.querySelector("meta[name=gradientd-files]").content;
  const frame = el("iframe", {
    class: "card-frame",
    title: "Model card",
    sandbox: "allow-scripts",
    src: `${files}/card-frame.html`,
  });
  const hear = (event) => {
    if (event.source !== frame.contentWindow) return;
    if (event.data?.want === "card") {
      const chosen =
        document.documentElement.dataset.theme ??
        (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
      // The frame has no origin that could be named; what is sent is what it shows.
      frame.contentWindow.postMessage({ card, theme: chosen }, "*");
    } else if (Number.isFinite(event.data?.height)) {
      frame.style.height = `${Math.min(20_000, Math.max(300, event.data.height))}px`;
    }
  };
  addEventListener("message", hear, { signal });
  return frame;
}
