// The panel "Break it": sends a request with the chosen faults, and shows answer and reason.

import { byId, el, onClick, say } from "./dom.js";
import { ask, reading } from "./http.js";
import { known, needConversation, publish } from "./protocol.js";

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
  onClick(element, async () => {
    on[kind] = on[kind] === name ? null : name;
    for (const each of byId(`faults-${kind}`).querySelectorAll("[role=switch]")) {
      each.setAttribute("aria-checked", String(each.dataset.name === on[kind]));
    }
    await sendBroken();
  });
  return element;
}

async function sendBroken() {
  await needConversation();
  const headers = await ask("/console/faults", { ext_consumer_id: known.consumer, ...on });
  const answer = await publish(headers);
  const { reason } = await ask(`/console/reasons/${answer.id}`);
  byId("answer-status").textContent = reading(answer);
  byId("answer").textContent = JSON.stringify(answer.body, null, 2);
  byId("reason").textContent = reason ?? "none";
  byId("reason-text").textContent = explained(answer.status, reason);
  say(`Answered with ${reading(answer)}. Reason in the log: ${reason ?? "none"}.`);
}

function explained(status, reason) {
  if (reason) return "The client is told the row, and nothing that would help to guess a token.";
  return status === 200
    ? "Both tokens are good."
    : "Both tokens are good; the service itself refused what was asked for.";
}
