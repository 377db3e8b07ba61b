// What a model answers, shown so that the eye can stay where it is while the numbers change.

import { el, fill } from "./dom.js";
import { number, percent } from "./format.js";

const MOST_BARS = 12;

/** What the model says: the likeliest class and all probabilities, or numbers. */
export class Answer {
  constructor(dataset) {
    this.dataset = dataset;
    this.best = el("b", { role: "status" });
    this.sub = el("span", { class: "soft" });
    this.list = el("ul", { class: "probabilities", "aria-label": "Probabilities" });
    if ((dataset.classes ?? []).some((name) => name.length > 3)) this.list.classList.add("named");
    this.wrong = el("div");
    this.element = el(
      "div",
      { class: "said" },
      el("div", { class: "answer" }, this.best, this.sub),
      this.wrong,
      this.list,
    );
    this.bars = new Map();
    this.clear();
  }

  clear() {
    this.best.textContent = "?";
    this.best.className = "";
    this.sub.textContent = "The answer appears as you go.";
    fill(this.wrong);
    if (this.dataset.classes) this.#draw(Object.fromEntries(this.dataset.classes.map((name) => [name, 0])), null);
    else fill(this.list);
  }

  /** What was said before was of another input: it goes. */
  refuse(error) {
    this.clear();
    this.sub.textContent = "";
    const faults = error.body?.faults ?? [];
    const lines = faults
      .slice(0, 10)
      .map((one) => el("li", {}, `${one.column ?? ""}: found ${one.found}; wanted ${one.wanted}`));
    fill(
      this.wrong,
      el(
        "div",
        { class: "problem" },
        el("b", {}, error.body?.title ?? "Not asked"),
        lines.length
          ? el("ul", { class: "plain-list" }, ...lines)
          : el("span", {}, error.body?.detail ?? error.message),
      ),
    );
  }

  show(prediction) {
    fill(this.wrong);
    if (prediction.probabilities) {
      const { label, probabilities } = prediction;
      this.#say(label, `${percent(probabilities[label])} sure`);
      this.#draw(probabilities, label);
      return;
    }
    const values = prediction.values ?? { [this.dataset.targets?.[0]?.name ?? "value"]: prediction.value };
    const [[name, value], ...others] = Object.entries(values);
    this.#say(number(value, 6), name);
    fill(
      this.list,
      ...others.map(([other, one]) => el("li", {}, el("span", {}, other), el("span"), el("span", {}, number(one, 6)))),
    );
  }

  #say(text, sub) {
    this.best.className = text.length > 40 ? "long longest" : text.length > 8 ? "long" : "";
    if (this.best.textContent !== text) this.best.textContent = text;
    this.sub.textContent = sub;
  }

  /** Classes stay in their order where all have room, so that bars grow and shrink in place. */
  #draw(probabilities, first) {
    const names =
      this.dataset.classes.length <= MOST_BARS
        ? this.dataset.classes
        : Object.keys(probabilities)
            .sort((one, other) => probabilities[other] - probabilities[one])
            .slice(0, MOST_BARS);
    if (names.join("\n") !== [...this.bars.keys()].join("\n")) {
      this.bars = new Map(
        names.map((name) => {
          const meter = el("meter", { min: 0, max: 1, value: 0, "aria-label": name });
          const share = el("span");
          return [name, { meter, share, element: el("li", {}, el("span", {}, name), meter, share) }];
        }),
      );
      fill(this.list, ...[...this.bars.values()].map((bar) => bar.element));
    }
    for (const [name, { meter, share, element }] of this.bars) {
      meter.value = probabilities[name] ?? 0;
      share.textContent = percent(probabilities[name] ?? 0);
      element.classList.toggle("first", name === first);
    }
  }
}
