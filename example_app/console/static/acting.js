// Runs what buttons and forms do, one action after the other.

import { el } from "./dom.js";
import { report } from "./problems.js";
import * as status from "./status.js";

// An early click waits for the actions that it depends on.
let last = Promise.resolve();
let waiting = 0;

/** Run `action` after those before it; until all are done, the page is marked as busy. */
export function run(action) {
  count(1);
  last = last
    .then(action)
    .catch((error) => report(error, action))
    .catch((error) => status.complain(error.message))
    .finally(() => count(-1));
  return last;
}

function count(more) {
  waiting += more;
  document.body.classList.toggle("busy", waiting > 0);
}

/** Run `action` at each click, but once for a double click, and not while it is still running. */
export function onClick(element, action) {
  element.addEventListener("click", (event) => {
    if (event.detail > 1) return;
    start(element, element, action);
  });
}

/** Run `action` when the form is sent; as with a click, a double click sends it once. */
export function onSubmit(form, action) {
  const button = form.querySelector("button:not([type=button])");
  button.addEventListener("click", (event) => event.detail > 1 && event.preventDefault());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start(form, button, action);
  });
}

function start(element, control, action) {
  if (control.dataset.reason) {
    status.complain(control.dataset.reason);
    return;
  }
  if (element.dataset.running) return;
  element.dataset.running = "";
  run(action).finally(() => delete element.dataset.running);
}

/** Make a button that runs `action`. */
export function button(text, action, attributes = {}) {
  const element = el("button", { type: "button", ...attributes }, text);
  onClick(element, action);
  return element;
}

const SHOWN = 2000;

/** Make a button that copies what `text` returns, and says on itself that it has. */
export function copyButton(name, text, attributes = {}) {
  const element = el("button", { type: "button", class: "copy", ...attributes }, name);
  element.addEventListener("click", async () => {
    // Browsers have no clipboard on a page that came by plain HTTP from another machine.
    const copied = await (navigator.clipboard?.writeText(text()) ?? Promise.reject()).then(
      () => "Copied",
      () => "",
    );
    if (!copied) {
      status.complain("Not copied: this browser permits it by https alone. Select the text instead.");
      return;
    }
    element.textContent = copied;
    document.getElementById("told").textContent = copied;
    setTimeout(() => {
      element.textContent = name;
      document.getElementById("told").textContent = "";
    }, SHOWN);
  });
  return element;
}
