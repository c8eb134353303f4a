// Helpers to find and create elements. Text is never interpreted as markup.

export const byId = (id) => document.getElementById(id);

/** Make an element; attributes that are undefined or false are left out. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Return a new name; crypto.randomUUID is not there for every address. */
export function unique() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Draw the children of `element` anew, unless `state` is that of the last time. */
export function redraw(element, state, children) {
  const text = JSON.stringify(state);
  // A button must not vanish just before a click, nor with the focus.
  if (element.dataset.state === text) return;
  element.dataset.state = text;
  element.replaceChildren(...children());
}

/** Grey `element` out for `reason`, or let it work again if there is none. */
export function allow(element, reason = "") {
  // Not the attribute "disabled": the reason must be found by keyboard too.
  element.toggleAttribute("data-reason", Boolean(reason));
  element.dataset.reason = reason;
  if (!reason) delete element.dataset.reason;
  element.title = reason;
  element.setAttribute("aria-disabled", String(Boolean(reason)));
}

/** A part of a text that scrolls, so it can be reached by the keyboard. */
export const block = (title, text) => [
  el("h3", {}, title),
  el("pre", { tabindex: 0, role: "group", "aria-label": title }, text),
];
