// A pad to draw on, by hand, mouse or keyboard, and what it is as the pixels that a model takes.

import { button, el } from "./dom.js";

const SIDE = 280;
const INK = 23;
const STEP = 12;
const BACKGROUND = "#101116";

/** How each digit is written, on 100 by 100. */
const STROKES = {
  0: "M50 18C25 18 25 82 50 82C75 82 75 18 50 18Z",
  1: "M53 18L48 82",
  2: "M30 35C32 14 70 12 68 36C66 55 40 65 30 80L73 78",
  3: "M32 24C45 12 70 18 65 35C62 45 52 48 46 48C60 48 71 56 67 70C61 87 38 84 29 74",
  4: "M56 18L28 58L76 56M62 36L57 84",
  5: "M69 20L38 22L34 48C48 40 70 46 68 64C66 82 42 86 29 76",
  6: "M62 17C42 28 32 48 34 64C36 84 66 84 66 66C66 50 42 48 35 64",
  7: "M29 22L71 20L46 84",
  8: "M61 24C46 11 29 26 42 40C52 50 71 58 62 75C54 88 31 82 36 66C40 52 68 45 65 30C64 27 63 25 61 24",
  9: "M65 34C60 15 34 20 34 38C34 54 61 54 65 36L59 84",
};

/** The pad; `onChange` is told after each change whether anything is drawn. `marks` are the digits that it can write by itself. */
export class Pad {
  #ink = new OffscreenCanvas(SIDE, SIDE);
  #pen = { x: SIDE / 2, y: SIDE / 2, isDown: false, isShown: false };
  #last = null;
  isEmpty = true;

  constructor({ onChange, marks }) {
    this.onChange = onChange;
    this.canvas = el("canvas", {
      class: "pad",
      width: SIDE,
      height: SIDE,
      tabIndex: 0,
      role: "application",
      "aria-roledescription": "drawing pad",
    });
    this.canvas.setAttribute(
      "aria-label",
      `Drawing pad. Arrow keys move the pen, Space sets it down or lifts it, Delete clears${marks.length ? ", a digit key writes that digit" : ""}.`,
    );
    const on = (kind, listener) => this.canvas.addEventListener(kind, listener);
    on(
      "pointerdown",
      (event) => (
        event.preventDefault(),
        this.canvas.focus({ preventScroll: true }),
        this.canvas.setPointerCapture(event.pointerId),
        this.#showPen(false),
        this.#to(this.#at(event), true)
      ),
    );
    on(
      "pointermove",
      (event) =>
        this.#last &&
        event
          .getCoalescedEvents()
          .concat(event)
          .forEach((one) => this.#to(this.#at(one))),
    );
    for (const kind of ["pointerup", "pointercancel"]) on(kind, () => (this.#last = null));
    on("keydown", (event) => this.#key(event, marks));
    on("blur", () => this.#showPen(false));
    const write = marks.map((mark) =>
      el("button", { type: "button", "aria-label": `Write ${mark}`, on: { click: () => this.write(mark) } }, mark),
    );
    const hint = el(
      "p",
      { class: "hint" },
      "Draw with a finger or the mouse. By keyboard: ",
      el("kbd", {}, "← ↑ ↓ →"),
      " move the pen, ",
      el("kbd", {}, "Space"),
      " sets it down, ",
      el("kbd", {}, "Del"),
      " clears",
      marks.length ? ", or have a digit written for you:" : ".",
    );
    this.element = el(
      "div",
      { class: "pad-side" },
      this.canvas,
      el(
        "div",
        { class: "buttons" },
        button("Clear", async () => this.clear()),
      ),
      hint,
      write.length ? el("div", { class: "digits" }, ...write) : null,
    );
    this.#draw();
  }

  clear() {
    this.#context.clearRect(0, 0, SIDE, SIDE);
    this.#changed(true);
  }

  /** Writes a digit as a hand does it. */
  write(digit) {
    const context = this.#context;
    context.clearRect(0, 0, SIDE, SIDE);
    context.save();
    context.scale(SIDE / 100, SIDE / 100);
    Object.assign(context, { lineWidth: (100 * INK) / SIDE, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
    context.stroke(new Path2D(STROKES[digit]));
    context.restore();
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
    const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[
      event.key
    ] ?? [0, 0];
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
    if (this.#pen.isDown && (dx || dy || event.key === " "))
      this.#to({ x: this.#pen.x, y: this.#pen.y }, event.key === " ");
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
  while (now.width > 2 * width || now.height > 2 * height)
    now = drawn(now, Math.max(width, Math.ceil(now.width / 2)), Math.max(height, Math.ceil(now.height / 2)));
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
