// A pad to draw on, by hand, mouse or keyboard, and what it is as the pixels that a model takes.

import { button, el } from "./dom.js";

const SIDE = 280;
const INK = 23;
const STEP = 12;
const BACKGROUND = "#101116";

/** The pad; `onChange` is told after each change whether anything is drawn. `marks` can be written for the reader. */
export class Pad {
  #ink = new OffscreenCanvas(SIDE, SIDE);
  #pen = { x: SIDE / 2, y: SIDE / 2, isDown: false, isShown: false };
  #last = null;
  isEmpty = true;

  constructor({ onChange, marks }) {
    this.onChange = onChange;
    this.canvas = el("canvas", { class: "pad", width: SIDE, height: SIDE, tabIndex: 0, role: "application", "aria-roledescription": "drawing pad" });
    this.canvas.setAttribute("aria-label", `Drawing pad. Arrow keys move the pen, Space sets it down or lifts it, Delete clears${marks.length ? ", a digit key writes that digit" : ""}.`);
    const on = (kind, listener) => this.canvas.addEventListener(kind, listener);
    on("pointerdown", (event) => (event.preventDefault(), this.canvas.focus({ preventScroll: true }), this.canvas.setPointerCapture(event.pointerId), this.#showPen(false), this.#to(this.#at(event), true)));
    on("pointermove", (event) => this.#last && event.getCoalescedEvents().concat(event).forEach((one) => this.#to(this.#at(one))));
    for (const kind of ["pointerup", "pointercancel"]) on(kind, () => (this.#last = null));
    on("keydown", (event) => this.#key(event, marks));
    on("blur", () => this.#showPen(false));
    const write = marks.map((mark) => el("button", { type: "button", "aria-label": `Write ${mark}`, on: { click: () => this.write(mark) } }, mark));
    const hint = el("p", { class: "hint" }, "Draw with a finger or the mouse. By keyboard: ", el("kbd", {}, "← ↑ ↓ →"), " move the pen, ", el("kbd", {}, "Space"), " sets it down, ", el("kbd", {}, "Del"), " clears", marks.length ? ", or have a digit written for you:" : ".");
    this.element = el("div", { class: "pad-side" }, this.canvas, el("div", { class: "buttons" }, button("Clear", async () => this.clear())), hint, write.length ? el("div", { class: "digits" }, ...write) : null);
    this.#draw();
  }

  clear() {
    this.#context.clearRect(0, 0, SIDE, SIDE);
    this.#changed(true);
  }

  /** Writes a letter or digit as large as it fits. */
  write(mark) {
    const context = this.#context;
    context.clearRect(0, 0, SIDE, SIDE);
    Object.assign(context, { fillStyle: "#fff", font: `400 ${SIDE * 0.78}px "Segoe Print", "Comic Sans MS", "Liberation Sans", Arial, sans-serif`, textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 7, strokeStyle: "#fff" });
    context.fillText(mark, SIDE / 2, SIDE / 2 + 8);
    context.strokeText(mark, SIDE / 2, SIDE / 2 + 8);
    this.#changed(false);
  }

  /** Rows of pixels, 0 to 255, [height][width] or, of several channels, [height][width][channels]. */
  pixels([height, width, channels]) {
    const isDigit = height === 28 && width === 28 && channels === 1;
    const small = isDigit ? centred(this.#ink) : scaled(this.#ink, width, height);
    const { data } = small.getContext("2d").getImageData(0, 0, width, height);
    const at = (x, y) => data[4 * (y * width + x) + 3];
    const rows = Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => at(x, y)));
    return channels === 1 ? rows : rows.map((row) => row.map((value) => [value, value, value, 255].slice(0, channels)));
  }

  get #context() {
    return this.#ink.getContext("2d", { willReadFrequently: true });
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) * SIDE) / box.width, y: ((event.clientY - box.top) * SIDE) / box.height };
  }

  #to(point, isFirst = false) {
    const from = isFirst || !this.#last ? point : this.#last;
    const context = this.#context;
    Object.assign(context, { lineWidth: INK, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(point.x + 0.01, point.y);
    context.stroke();
    this.#last = point;
    this.#changed(false);
  }

  #key(event, marks) {
    const step = event.shiftKey ? STEP / 3 : STEP;
    const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] ?? [0, 0];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (marks.includes(event.key)) this.write(event.key);
    else if (event.key === "Delete" || event.key === "Backspace") this.clear();
    else if (event.key === " ") this.#pen.isDown = !this.#pen.isDown;
    else if (!dx && !dy) return;
    event.preventDefault();
    const inside = (value) => Math.min(SIDE - INK / 2, Math.max(INK / 2, value));
    this.#pen.x = inside(this.#pen.x + dx);
    this.#pen.y = inside(this.#pen.y + dy);
    this.#showPen(true);
    if (this.#pen.isDown && (dx || dy || event.key === " ")) this.#to({ x: this.#pen.x, y: this.#pen.y }, event.key === " ");
    else this.#last = null;
  }

  #showPen(is) {
    this.#pen.isShown = is;
    if (!is) this.#pen.isDown = false;
    this.#draw();
  }

  #changed(isEmpty) {
    this.isEmpty = isEmpty;
    this.#draw();
    this.onChange();
  }

  #draw() {
    const context = this.canvas.getContext("2d");
    context.fillStyle = BACKGROUND;
    context.fillRect(0, 0, SIDE, SIDE);
    context.drawImage(this.#ink, 0, 0);
    if (!this.#pen.isShown) return;
    context.beginPath();
    context.arc(this.#pen.x, this.#pen.y, INK / 2, 0, 2 * Math.PI);
    Object.assign(context, { strokeStyle: this.#pen.isDown ? "#ffb35c" : "#9db0ff", lineWidth: 3 });
    context.stroke();
  }
}

/** As MNIST's makers did it: the ink fits 20 by 20 pixels, and its centre of mass is the middle of 28 by 28. */
function centred(ink) {
  const box = bounds(ink);
  const out = new OffscreenCanvas(28, 28);
  if (!box) return out;
  const scale = 20 / Math.max(box.width, box.height);
  const [width, height] = [Math.max(1, Math.round(box.width * scale)), Math.max(1, Math.round(box.height * scale))];
  const cut = new OffscreenCanvas(box.width, box.height);
  cut.getContext("2d").drawImage(ink, -box.x, -box.y);
  const small = scaled(cut, width, height);
  const { data } = small.getContext("2d").getImageData(0, 0, width, height);
  let [sum, sumX, sumY] = [0, 0, 0];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const mass = data[4 * (y * width + x) + 3];
      sum += mass;
      sumX += mass * (x + 0.5);
      sumY += mass * (y + 0.5);
    }
  out.getContext("2d").drawImage(small, Math.round(14 - sumX / sum), Math.round(14 - sumY / sum));
  return out;
}

/** Smaller by halves, so that each pixel counts. */
function scaled(from, width, height) {
  let now = from;
  while (now.width > 2 * width || now.height > 2 * height) now = drawn(now, Math.max(width, Math.ceil(now.width / 2)), Math.max(height, Math.ceil(now.height / 2)));
  return drawn(now, width, height);
}

function drawn(from, width, height) {
  const out = new OffscreenCanvas(width, height);
  const context = out.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(from, 0, 0, width, height);
  return out;
}

function bounds(ink) {
  const { data } = ink.getContext("2d").getImageData(0, 0, SIDE, SIDE);
  let [left, top, right, bottom] = [SIDE, SIDE, -1, -1];
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++)
      if (data[4 * (y * SIDE + x) + 3] > 20) {
        left = Math.min(left, x);
        right = Math.max(right, x);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y);
      }
  return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}
