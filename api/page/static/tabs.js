// Tabs: one of several parts is shown. Arrow keys go from one to the next (WAI-ARIA's pattern).

import { el, fill, newId } from "./dom.js";

/** `parts` are [name, label, make]; a part is made when it is first shown. `onChoose` is told its name. */
export function tabs(label, parts, { onChoose, first }) {
  const made = new Map();
  const bar = el("div", { class: "tabs", role: "tablist", "aria-label": label });
  const panel = el("div", { role: "tabpanel", id: newId("panel"), class: "stack" });
  const buttons = parts.map(([name, text]) =>
    el(
      "button",
      {
        type: "button",
        role: "tab",
        id: newId("tab"),
        data: { name },
        "aria-controls": panel.id,
        on: { click: () => choose(name) },
      },
      text,
    ),
  );
  bar.append(...buttons);
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -buttons.length, End: buttons.length }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = Math.min(buttons.length - 1, Math.max(0, buttons.indexOf(document.activeElement) + step));
    buttons[at].focus();
    choose(buttons[at].dataset.name);
  });

  function choose(name, { quietly = false } = {}) {
    const part = parts.find(([one]) => one === name) ?? parts[0];
    if (!made.has(part[0])) made.set(part[0], part[2]());
    for (const button of buttons) {
      const is = button.dataset.name === part[0];
      button.setAttribute("aria-selected", String(is));
      button.tabIndex = is ? 0 : -1;
      if (!is) continue;
      panel.setAttribute("aria-labelledby", button.id);
      bar.scrollTo({ left: button.offsetLeft - bar.offsetLeft - (bar.clientWidth - button.offsetWidth) / 2 });
    }
    fill(panel, made.get(part[0]));
    if (!quietly) onChoose(part[0]);
  }

  choose(first, { quietly: true });
  // A first choice that lies outside is scrolled to once there is a place for it.
  requestAnimationFrame(
    () => bar.isConnected && choose(bar.querySelector("[aria-selected=true]").dataset.name, { quietly: true }),
  );
  return { bar, panel, choose };
}
