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

/** Make a button that runs `action`. */
export function button(text, action, attributes = {}) {
  const element = el("button", { type: "button", ...attributes }, text);
  onClick(element, action);
  return element;
}

/** Run `action` at each click; what goes wrong is told in the status line. */
export function onClick(element, action) {
  element.addEventListener("click", () => run(action));
}

/** Run `action` when the form is sent. */
export function onSubmit(form, action) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(action);
  });
}

/** Tell in the status line, which screen readers read out. */
export function say(text) {
  byId("status").textContent = text;
}

// Runs one action after the other: an early click waits for the actions that it depends on.
let last = Promise.resolve();
let waiting = 0;

/** Run `action` after those before it; until all are done, the page is marked as busy. */
export function run(action) {
  count(1);
  last = last
    .then(action)
    .catch((error) => say(error.message))
    .finally(() => count(-1));
}

function count(more) {
  waiting += more;
  document.body.classList.toggle("busy", waiting > 0);
}
