// A job's two charts: its loss, and a score that the reader chooses.

import { LineChart } from "./charts.js";
import { el, fill, write } from "./dom.js";

const SCORES = [
  ["accuracy", "Accuracy", true],
  ["rmse", "RMSE", false],
  ["mae", "MAE", false],
  ["r2", "R²", false],
  ["learning_rate", "Learning rate", false],
  ["examples_per_second", "Examples a second", false],
];

/** The charts of a job's `Epochs`. */
export class Curves {
  constructor() {
    this.logarithmic = el("input", { type: "checkbox" });
    this.which = el("select", { "aria-label": "What the second chart shows" });
    this.loss = new LineChart("Loss", [el("label", { class: "check small" }, this.logarithmic, "log scale")]);
    this.score = new LineChart("Accuracy", [this.which], { isNamed: true });
    this.element = el("div", { class: "pair" }, this.loss.element, this.score.element);
    for (const one of [this.logarithmic, this.which]) one.addEventListener("change", () => this.draw(this.epochs));
  }

  draw(measured) {
    this.epochs = measured;
    const there = SCORES.filter(([name]) => measured.has(name));
    const offered = there.length ? there : SCORES.slice(0, 1);
    if (this.which.options.length !== offered.length) {
      const now = this.which.value;
      fill(this.which, ...offered.map(([name, label]) => el("option", { value: name, selected: name === now }, label)));
    }
    const [name, label, isShare] = offered.find(([one]) => one === this.which.value) ?? offered[0];
    write(this.score.heading, label);
    this.loss.show(lines(measured, "loss"), {
      logarithmic: this.logarithmic.checked,
      key: `loss${this.logarithmic.checked}`,
    });
    this.score.show(lines(measured, name), { percent: isShare, key: name });
  }

  close() {
    this.loss.close();
    this.score.close();
  }
}

function lines(measured, name) {
  const x = measured.epochs;
  const train = {
    name: measured.has(`val_${name}`) ? "training" : name.replaceAll("_", " "),
    x,
    y: measured.column(name),
    colour: "line-2",
  };
  return measured.has(`val_${name}`)
    ? [train, { name: "validation", x, y: measured.column(`val_${name}`), colour: "line-1" }]
    : [train];
}
