// "Start here": four steps from nothing to a client of one's own; the next one is the primary button.

import { onClick } from "./acting.js";
import { answer } from "./agent.js";
import { flip } from "./breaking.js";
import { lookUp, speak } from "./conversation.js";
import { desk } from "./desk.js";
import { allow, byId } from "./dom.js";
import { known } from "./protocol.js";
import { open } from "./tabs.js";

const STEPS = ["send", "answer", "break", "connect"];
const KEPT = "connector-console-start";
const done = new Set(JSON.parse(localStorage.getItem(KEPT) ?? "[]"));

/** Wire the card. */
export function begin() {
  onClick(byId("start-send"), async () => {
    await lookUp();
    await speak(byId("consumer-text").value || "Is anybody there?");
    finish("send");
  });
  onClick(byId("start-answer"), async () => {
    await answer(byId("agent-text").value || "How can I help?");
    finish("answer");
  });
  onClick(byId("start-break"), async () => {
    open("break");
    await flip("app_jwt", "expired");
    finish("break");
  });
  byId("start-connect").addEventListener("click", () => {
    open("connect");
    finish("connect");
  });
  byId("start").open = done.size < STEPS.length;
  for (const event of ["desk", "known"]) document.addEventListener(event, draw);
  draw();
}

function finish(step) {
  done.add(step);
  localStorage.setItem(KEPT, JSON.stringify([...done]));
  draw();
}

function draw() {
  const next = STEPS.find((step) => !done.has(step));
  for (const step of STEPS) {
    byId(`start-${step}`).classList.toggle("primary", step === next);
    byId(`start-${step}-done`).textContent = done.has(step) ? "✓ done" : "";
  }
  const open = desk.opened.some(({ conversationId: id }) => id === known.conversation);
  allow(byId("start-answer"), open ? "" : "No conversation is open yet: send a message first.");
  byId("start-answer-why").textContent = open ? "" : "Possible once a message is sent.";
  // One primary button at a time: this card's, as long as it has one to offer.
  byId("consumer-send").classList.toggle("primary", !next);
}
