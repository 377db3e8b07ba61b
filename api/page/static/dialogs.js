// Questions that must be answered before anything goes on.

import { el, newId } from "./dom.js";

function ask(title, body, buttons, { onClose }) {
  const id = newId("dialog");
  const dialog = el("dialog", { "aria-labelledby": id });
  const form = el(
    "form",
    { method: "dialog" },
    el("h2", { id }, title),
    ...body,
    el("div", { class: "buttons end" }, ...buttons),
  );
  dialog.append(form);
  dialog.addEventListener("close", () => {
    dialog.remove();
    onClose(dialog.returnValue);
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, form };
}

/** Whether the reader says so. */
export function confirmed(title, text, action, { kind = "danger" } = {}) {
  return new Promise((resolve) => {
    const buttons = [el("button", { value: "" }, "Not now"), el("button", { value: "yes", class: kind }, action)];
    ask(title, [el("p", {}, text)], buttons, { onClose: (value) => resolve(value === "yes") });
  });
}

/** Asks for an API key and keeps it. Gives once there is an answer; without a key it raises AbortError. */
export async function askForKey(reason) {
  const { isKey, key } = await import("./api.js");
  return new Promise((resolve, reject) => {
    const input = el("input", {
      type: "password",
      name: "key",
      required: true,
      autocomplete: "off",
      placeholder: "gd_…",
      spellcheck: false,
    });
    const wrong = el("span", { class: "wrong", id: newId("wrong"), role: "alert" });
    input.setAttribute("aria-describedby", wrong.id);
    const given = () => input.value.trim();
    const remember = el("input", { type: "checkbox", checked: key.isRemembered() });
    const body = [
      el("p", {}, reason, " ", el("code", {}, "gradientd keys create --owner me"), " makes one."),
      el("label", { class: "field" }, el("span", {}, "API key"), input, wrong),
      el(
        "label",
        { class: "check" },
        remember,
        el("span", {}, "Remember it on this device. Otherwise it is forgotten with this tab."),
      ),
    ];
    const buttons = [
      el("button", { value: "", formNoValidate: true }, "Not now"),
      key.get() ? el("button", { value: "forget", formNoValidate: true }, "Forget the key") : "",
      el("button", { value: "keep", class: "primary" }, "Use this key"),
    ];
    const onClose = (value) => {
      if (value === "keep" && isKey(given())) {
        key.keep(given(), { remember: remember.checked });
        resolve(true);
        return;
      }
      if (value === "forget") key.forget();
      reject(new DOMException("no key was given", "AbortError"));
    };
    const { dialog, form } = ask("API key", body, buttons, { onClose });
    const isRight = () => {
      const is = isKey(given());
      wrong.textContent = is ? "" : "This is no key: it begins with gd_, with neither spaces nor accents.";
      if (is) input.removeAttribute("aria-invalid");
      else input.setAttribute("aria-invalid", "true");
      return is;
    };
    form.addEventListener("submit", (event) => {
      if (event.submitter?.value === "keep" && !isRight()) event.preventDefault();
    });
    // Return in the field means the key, not the first button.
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      if (isRight()) dialog.close("keep");
    });
  });
}
