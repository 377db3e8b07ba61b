"use strict";
// Gets a card from the page around it, and has the card's own script draw it.

function load(src, then) {
  const script = document.createElement("script");
  script.src = src;
  script.addEventListener("load", then);
  document.body.append(script);
}

addEventListener(
  "message",
  (event) => {
    if (event.source !== parent || !event.data.card) return;
    document.documentElement.dataset.theme = event.data.theme;
    document.getElementById("data").textContent = JSON.stringify(event.data.card);
    load(document.querySelector("meta[name=gradientd-plotly]").content, () => load("card.js", () => {}));
  },
  { once: true },
);
new ResizeObserver(() => parent.postMessage({ height: document.documentElement.offsetHeight + 8 }, "*")).observe(
  document.documentElement,
);
parent.postMessage({ want: "card" }, "*");
