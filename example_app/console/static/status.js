// The status line: what was done, or what went wrong and what to do about it.

import { byId, el } from "./dom.js";

/** Tell what was done; screen readers read it out. */
export function say(text) {
  tell(text, []);
}

/** Tell what went wrong, with buttons: each is [text, action]. */
export function complain(text, ...actions) {
  tell(text, actions, "bad");
}

let act = () => {};

/** Set what runs the action of a button. */
export function begin(run) {
  act = run;
}

function tell(text, actions, tone = "") {
  byId("status").textContent = text;
  byId("bar").className = tone;
  byId("status-actions").replaceChildren(
    ...actions.map(([name, action], at) => {
      const button = el("button", { type: "button", class: at ? "" : "primary" }, name);
      button.addEventListener("click", () => act(action));
      return button;
    }),
  );
}
