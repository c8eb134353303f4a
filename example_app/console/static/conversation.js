// The panel "Conversation": the consumer on one side, the agent on the other.

import { byId, el, onClick, onSubmit, say, unique } from "./dom.js";
import { reading } from "./http.js";
import * as protocol from "./protocol.js";

const { known } = protocol;
/** What the consumer's app knows was said: what it sent, and what a webhook would have told it. */
let said = [];
/** What the desk told last. */
let opened = [];

/** Wire the panel. */
export function begin() {
  byId("consumer").value = `visitor-${unique().slice(0, 6)}`;
  onClick(byId("look-up"), lookUp);
  onClick(byId("get-tokens"), getTokens);
  onClick(byId("open"), open);
  onClick(byId("close"), close);
  onSubmit(byId("consumer-form"), speak);
  onClick(byId("log-in"), logIn);
  onClick(byId("refresh"), refresh);
  onClick(byId("agent-close"), resolve);
  onSubmit(byId("agent-form"), answer);
  byId("open-ones").addEventListener("change", drawDesk);
  draw();
}

async function lookUp() {
  const { baseURIs } = await protocol.lookUp();
  say(`${baseURIs.length} services, all at ${baseURIs[0].baseURI}.`);
}

async function getTokens() {
  await protocol.getTokens();
  say("An AppJWT for the app, and a ConsumerJWS for the consumer.");
}

async function open() {
  await protocol.open();
  said = [];
  draw();
  say("A conversation is open.");
}

async function close() {
  if (!known.conversation) throw new Error("There is no open conversation.");
  await protocol.close();
  say("The consumer closed the conversation.");
  await caughtUp();
}

async function speak() {
  const message = byId("consumer-text").value;
  const before = known.conversation;
  const answer = await protocol.speak(message);
  if (answer.status !== 200) throw new Error(`Not sent: ${reading(answer)}`);
  if (known.conversation !== before) said = [];
  const { sequence } = answer.body.body;
  said.push({ sequence, role: "CONSUMER", event: { message } });
  draw();
  await caughtUp();
  say(`Message ${sequence} is sent.`);
}

async function logIn() {
  await protocol.logIn();
  say("The agent is logged in.");
  await refresh();
}

async function refresh() {
  opened = await protocol.openOnes();
  const chosen = byId("open-ones").value || known.conversation;
  byId("open-ones").replaceChildren(
    ...opened.map(({ conversationId: id, consumer }) =>
      el("option", { value: id, ...(id === chosen && { selected: "" }) }, consumer),
    ),
  );
  draw();
  say(`Open conversations: ${opened.length}.`);
}

/** Let the desk see what the consumer did, if an agent is there. */
const caughtUp = () => known.bearer && refresh();

async function answer() {
  const id = await chosen();
  const { sequence } = await protocol.answer(id, byId("agent-text").value);
  await refresh();
  say(`Message ${sequence} is the agent's.`);
}

async function resolve() {
  const id = await chosen();
  await protocol.resolve(id);
  if (id === known.conversation) known.conversation = "";
  await refresh();
  say("The agent closed the conversation.");
}

async function chosen() {
  if (byId("open-ones").value) return byId("open-ones").value;
  await refresh();
  const id = byId("open-ones").value;
  if (!id || id !== known.conversation) throw new Error("Choose one of the open conversations.");
  return id;
}

function draw() {
  const own = opened.find(({ conversationId }) => conversationId === known.conversation);
  if (own) said = own.messages;
  fill(byId("consumer-said"), said);
  drawDesk();
}

function drawDesk() {
  const id = byId("open-ones").value;
  const chosen = opened.find(({ conversationId }) => conversationId === id);
  fill(byId("agent-said"), chosen?.messages ?? []);
}

function fill(list, messages) {
  list.replaceChildren(...messages.map(bubble));
}

function bubble({ sequence, role, event }) {
  const who = role === "CONSUMER" ? "Consumer" : "Agent";
  const text = typeof event.message === "string" ? event.message : event.type;
  return el("li", { class: who.toLowerCase() }, el("small", {}, `${sequence} ${who}`), text);
}
