// The panel "Break it": sends a request with the chosen faults, and shows answer and reason.

import { onClick } from "./acting.js";
import { byId, el } from "./dom.js";
import { ask, reading } from "./http.js";
import { known, needConversation, publish } from "./protocol.js";
import { say } from "./status.js";

/** The fault that is on, for each token. */
const on = { app_jwt: null, consumer_jws: null };

/** Wire the panel, with a switch for each fault that the console can make. */
export async function begin() {
  const faults = await ask("/console/faults");
  for (const [kind, named] of Object.entries(faults)) {
    const toggles = Object.entries(named).map(([name, title]) => toggle(kind, name, title));
    byId(`faults-${kind}`).append(...toggles);
  }
}

function toggle(kind, name, title) {
  const attributes = { type: "button", role: "switch", "aria-checked": "false", "data-name": name };
  const element = el("button", attributes, title);
  onClick(element, () => flip(kind, on[kind] === name ? null : name));
  return element;
}

/** Turn the switch `name` of a token on and all others off, and send a request. */
export async function flip(kind, name) {
  await needConversation();
  on[kind] = name;
  for (const each of byId(`faults-${kind}`).querySelectorAll("[role=switch]")) {
    each.setAttribute("aria-checked", String(each.dataset.name === name));
  }
  const headers = await ask("/console/faults", { ext_consumer_id: known.consumer, ...on });
  const answer = await publish(headers);
  const told = await ask(`/console/reasons/${answer.id}`);
  const reason = told.reason ?? "none";
  byId("answer-status").textContent = reading(answer);
  byId("answer").textContent = JSON.stringify(answer.body, null, 2);
  byId("reason").textContent = [reason, told.details].filter(Boolean).join(" ");
  byId("reason-text").textContent = told.explanation ?? "Both tokens are good.";
  byId("reason-hidden").hidden = !told.explanation;
  say(`Answered with ${reading(answer)}. Reason in the log: ${reason}.`);
}
