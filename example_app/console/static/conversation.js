// The consumer's side of the panel "Conversation".

import { onClick, onSubmit } from "./acting.js";
import { allow, byId } from "./dom.js";
import { desk } from "./desk.js";
import { left } from "./jwt.js";
import { show } from "./messages.js";
import * as protocol from "./protocol.js";
import { say } from "./status.js";

const { known } = protocol;
/** What a consumer does beside saying something, by the id of the button. */
const ACTIONS = {
  "consumer-types": () =>
    protocol.tell({ type: "ChatStateEvent", chatState: "COMPOSING" }).then(() => {
      say("The consumer types.");
    }),
  "consumer-reads": () =>
    protocol.tell({ type: "AcceptStatusEvent", status: "READ", sequenceList: answers() }).then(() => {
      say("The consumer has read it.");
    }),
};
/** What the consumer's app has seen of its last conversation. */
let said = { id: "", messages: [] };

/** Wire the pane. */
export function begin() {
  onClick(byId("look-up"), lookUp);
  onClick(byId("get-tokens"), getTokens);
  onClick(byId("open"), open);
  onClick(byId("close"), close);
  onSubmit(byId("consumer-form"), () => speak());
  for (const [id, action] of Object.entries(ACTIONS)) onClick(byId(id), action);
  for (const event of ["desk", "known"]) document.addEventListener(event, draw);
  draw();
}

/** Look up the services. */
export async function lookUp() {
  const { baseURIs } = await protocol.lookUp();
  byId("look-up-state").textContent = `${baseURIs.length} services`;
  say(`${baseURIs.length} services, all at ${baseURIs[0].baseURI}.`);
}

async function getTokens() {
  await protocol.getTokens();
  say("An AppJWT for the app, and a ConsumerJWS for the consumer.");
}

async function open() {
  await protocol.open();
  say("A conversation is open.");
}

async function close() {
  await protocol.close();
  say("The consumer closed the conversation.");
}

/** Say what is in the field, or the given text; return the message's number. */
export async function speak(text) {
  const message = text ?? byId("consumer-text").value;
  const sequence = await protocol.speak(message);
  byId("consumer-text").value = "";
  see(known.conversation, [{ sequence, role: "CONSUMER", event: { type: "ContentEvent", message } }]);
  draw();
  say(`Message ${sequence} is sent.`);
  return sequence;
}

/** The numbers of what agents have said. */
const answers = () =>
  said.messages.filter(({ role }) => role !== "CONSUMER").map(({ sequence }) => sequence);

/** Keep what the consumer sees: of each message, what was heard of it last. */
function see(id, messages) {
  const before = said.id === id ? said.messages : [];
  const all = new Map([...before, ...messages].map((each) => [each.sequence, each]));
  said = { id, messages: [...all.values()].sort((one, other) => one.sequence - other.sequence) };
}

function draw() {
  const { conversation, app_jwt } = known;
  // After the end of a conversation, it is still shown.
  if (conversation) see(conversation, desk.messages.get(conversation) ?? []);
  byId("tokens-state").textContent = app_jwt ? `AppJWT: ${left(app_jwt)}` : "";
  byId("open-state").textContent = conversation ? "open" : "";
  const none = conversation ? "" : "No conversation is open.";
  for (const id of ["close", "consumer-types"]) allow(byId(id), none);
  allow(byId("consumer-reads"), none || (answers().length ? "" : "No agent has said anything yet."));
  allow(byId("open"), conversation ? "A conversation is open: close it first." : "");
  drawExport(said.id);
  byId("consumer-note").textContent = desk.notes.get(conversation)?.agent ?? "";
  // Some messages are for agents and managers only.
  const seen = said.messages.filter(({ messageAudience: to = "ALL" }) => to === "ALL");
  const empty = "What the consumer says, and the agent's answers.";
  show(byId("consumer-said"), seen, empty, protocol.fileForConsumer);
}

function drawExport(id) {
  const link = byId("export");
  if (id) {
    link.href = `/console/conversations/${id}.sh`;
    link.removeAttribute("aria-disabled");
  } else {
    link.removeAttribute("href");
    link.setAttribute("aria-disabled", "true");
  }
  byId("export-why").textContent = id ? "" : "once there is one";
}
