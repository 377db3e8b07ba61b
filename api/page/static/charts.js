// Curves by Plotly, which is loaded when the first one is wanted, in the page's colours.

import { el, fill } from "./dom.js";
import { icon } from "./icons.js";

let loading = null;
/** Plotly. */
function plotly() {
  const address = (name) => document.querySelector(`meta[name=gradientd-${name}]`).content;
  loading ??= Promise.all([
    // By this id and class Plotly knows that its styles are there: it would write them inline, which is forbidden.
    loaded(
      el("link", {
        rel: "stylesheet",
        href: `${address("files")}/plotly.css`,
        id: "plotly.js-style-global",
        class: "no-inline-styles",
      }),
    ),
    loaded(el("script", { src: address("plotly") })),
  ]).then(() => window.Plotly);
  return loading;
}

function loaded(element) {
  return new Promise((resolve, reject) => {
    element.addEventListener("load", resolve);
    element.addEventListener("error", () => reject(new Error("the charts could not be loaded")));
    document.head.append(element);
  });
}

const probe = el("span", { hidden: true });
/** The value that a colour of the page has now. */
function colour(name) {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** Colours of several things beside each other. */
export const SEVERAL = ["line-1", "line-2", "line-3", "line-4", "line-5", "line-6", "line-7", "line-8"];

/** Texts for Plotly, which takes some tags and entities for markup. */
export const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** A chart of lines, with buttons to look closer that a keyboard reaches too. `isNamed`: a control names it already. */
export class LineChart {
  #lines = [];
  #options = {};
  #drawn = false;
  #asked = false;
  #buttons = new Map();

  constructor(title, controls = [], { isNamed = false } = {}) {
    this.place = el("div", { class: "plot", role: "img" });
    const press = (label, sign, work) => {
      const named = { title: label, "aria-label": `${label}: ${title}` };
      const made = el(
        "button",
        { type: "button", class: "quiet icon-only", ...named, on: { click: work } },
        icon(sign),
      );
      this.#buttons.set(label, made);
      return made;
    };
    this.heading = el("h2", { class: isNamed ? "unseen" : "" }, title);
    const zoom = el(
      "div",
      { class: "buttons tight" },
      press("Zoom in", "add", () => this.#zoom(0.5)),
      press("Zoom out", "minus", () => this.#zoom(2)),
      press("Show all", "fit", () => this.#all()),
    );
    this.element = el(
      "figure",
      { class: "chart panel" },
      el("figcaption", {}, this.heading, ...controls, el("span", { class: "gap" }), zoom),
      this.place,
    );
    this.#sized = new ResizeObserver(
      () => this.#drawn && this.place.clientWidth && window.Plotly.Plots.resize(this.place),
    );
    this.#sized.observe(this.place);
    document.addEventListener("gradientd:theme", this.#again);
  }
  #sized;
  #again = () => this.#drawn && this.#ask();

  /** Lines are {name, x, y, colour, dash}; options are {x, y, logarithmic, percent, key}. A new `key` forgets a zoom. */
  show(lines, options = {}) {
    this.#lines = lines;
    this.#options = options;
    for (const [label, pressed] of this.#buttons)
      pressed.setAttribute("aria-label", `${label}: ${this.heading.textContent}`);
    this.place.setAttribute("aria-label", summary(this.heading.textContent, lines));
    this.#ask();
  }

  close() {
    this.#sized.disconnect();
    document.removeEventListener("gradientd:theme", this.#again);
    if (this.#drawn) window.Plotly.purge(this.place);
    this.#drawn = false;
  }

  /** At most one drawing each frame, however often there is news. */
  #ask() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(async () => {
      if (!this.#lines.some((line) => line.y.some((value) => value !== null && value !== undefined))) {
        this.#asked = false;
        this.#empty();
        return;
      }
      const Plotly = await plotly();
      this.#asked = false;
      if (!this.place.isConnected) return;
      this.place.querySelector(":scope > .wait")?.remove();
      const { traces, layout } = this.#figure();
      await Plotly.react(this.place, traces, layout, {
        displayModeBar: false,
        responsive: false,
        doubleClick: "reset",
        showTips: false,
      });
      this.#drawn = true;
    });
  }

  /** Axes of nothing would say something. */
  #empty() {
    if (this.#drawn) window.Plotly.purge(this.place);
    this.#drawn = false;
    fill(this.place, el("p", { class: "soft wait" }, "Nothing measured yet"));
  }

  #figure() {
    const { x = "epoch", y = "", logarithmic = false, percent = false, key = "" } = this.#options;
    const ink = colour("soft");
    const grid = colour("grid");
    const axis = {
      gridcolor: grid,
      zeroline: false,
      linecolor: grid,
      tickcolor: grid,
      automargin: true,
      tickfont: { size: 11.5 },
    };
    const few = Math.max(0, ...this.#lines.map((line) => line.x.length)) <= 12;
    const traces = this.#lines.map((line) => ({
      type: "scatter",
      mode: few ? "lines+markers" : "lines",
      name: plain(line.name),
      x: line.x,
      y: line.y,
      line: { color: colour(line.colour), width: 2, dash: line.dash ?? "solid" },
      marker: { size: 5 },
      hovertemplate: `%{y:${percent ? ".2%" : ".4~g"}}`,
    }));
    const layout = {
      uirevision: key,
      margin: { l: 44, r: 14, t: 8, b: 36 },
      paper_bgcolor: "transparent",
      plot_bgcolor: "transparent",
      font: { color: ink, family: getComputedStyle(document.body).fontFamily, size: 12 },
      xaxis: {
        ...axis,
        title: { text: x, standoff: 6, font: { size: 11.5 } },
        showgrid: false,
        showline: true,
        rangemode: "tozero",
        ...(x === "epoch" ? { tickformat: "d" } : {}),
      },
      yaxis: {
        ...axis,
        title: { text: y },
        type: logarithmic ? "log" : "linear",
        tickformat: percent ? ",.1~%" : undefined,
      },
      hovermode: "x unified",
      hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: colour("ink"), size: 12 } },
      showlegend: this.#lines.length > 1,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", bgcolor: "transparent", font: { size: 12 } },
      dragmode: "zoom",
    };
    if (this.#lines.length > 1) layout.margin.t = 30;
    return { traces, layout };
  }

  #zoom(factor) {
    if (!this.#drawn) return;
    const { range } = this.place._fullLayout.xaxis;
    const middle = (Number(range[0]) + Number(range[1])) / 2;
    const half = (factor * (range[1] - range[0])) / 2;
    const last = Math.max(...this.#lines.flatMap((line) => line.x));
    if (factor > 1 && 2 * half > last) return this.#all();
    window.Plotly.relayout(this.place, { "xaxis.range": [middle - half, middle + half] });
  }

  #all() {
    if (this.#drawn) window.Plotly.relayout(this.place, { "xaxis.autorange": true, "yaxis.autorange": true });
  }
}

function summary(title, lines) {
  const last = lines.map((line) => `${line.name} ${Number(line.y.at(-1)?.toPrecision?.(4) ?? 0)}`);
  const points = Math.max(0, ...lines.map((line) => line.x.length));
  return points ? `${title}: curves of ${points} points; at last ${last.join(", ")}` : `${title}: nothing measured yet`;
}
