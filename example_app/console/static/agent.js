// The agent's side of the panel "Conversation".

import { onClick, onSubmit, run } from "./acting.js";
import { allow, byId, el, redraw } from "./dom.js";
import { chosen, desk, read } from "./desk.js";
import { show } from "./messages.js";
import * as protocol from "./protocol.js";
import { say } from "./status.js";

const { known, learn } = protocol;
/** Structured content, as the documentation of the protocol has it. */
const CARD = {
  type: "vertical",
  elements: [
    { type: "text", text: "Was that helpful?" },
    ...["Yes", "No"].map((text) => ({
      type: "button",
      title: text,
      click: { actions: [{ type: "publishText", text }] },
    })),
  ],
};
/** What an agent does beside answering, by the id of the button. */
const ACTIONS = {
  "agent-types": () =>
    publish({ type: "ChatStateEvent", chatState: "COMPOSING" }, "The agent types."),
  "agent-reads": () =>
    publish(
      { type: "AcceptStatusEvent", status: "READ", sequenceList: unread() },
      "The agent has read it.",
    ),
  "agent-card": () =>
    publish({ type: "RichContentEvent", content: CARD }, "A card with two buttons is sent."),
};
const OTHERS = [...Object.keys(ACTIONS), "agent-picture", "agent-close", "agent-send"];

/** Wire the pane. */
export function begin() {
  onClick(byId("log-in"), logIn);
  onClick(byId("agent-close"), resolve);
  onSubmit(byId("agent-form"), () => answer());
  for (const [id, action] of Object.entries(ACTIONS)) onClick(byId(id), action);
  onClick(byId("agent-picture"), async () => byId("agent-file").click());
  byId("agent-file").addEventListener("change", () => run(sendFile));
  byId("open-ones").addEventListener("change", draw);
  for (const event of ["desk", "known"]) document.addEventListener(event, draw);
  draw();
}

async function logIn() {
  await protocol.logIn();
  await read();
  say(`The agent is logged in. Open conversations: ${desk.opened.length}.`);
}

/** Answer as the agent with `text`, or with what is in the field. */
export async function answer(text) {
  const message = text ?? byId("agent-text").value;
  const { sequence } = await protocol.publishAsAgent(chosen(), { message });
  byId("agent-text").value = "";
  await read();
  say(`Message ${sequence} is the agent's.`);
}

async function publish(event, told) {
  await protocol.publishAsAgent(chosen(), { event });
  await read();
  say(told);
}

/** The numbers of what the consumer has said. */
function unread() {
  const all = desk.messages.get(chosen()) ?? [];
  return all.filter(({ role }) => role === "CONSUMER").map(({ sequence }) => sequence);
}

async function sendFile() {
  const field = byId("agent-file");
  const [file] = field.files;
  field.value = "";
  if (!file) return;
  const { sequence } = await protocol.sendFile(chosen(), file, file.name);
  await read();
  say(`Message ${sequence} is the agent's: the picture ${file.name}.`);
}

async function resolve() {
  const id = chosen();
  await protocol.resolve(id);
  if (id === known.conversation) learn({ conversation: "" });
  await read();
  say("The agent closed the conversation.");
}

function draw() {
  drawChoice();
  const id = chosen();
  const open = desk.opened.some(({ conversationId }) => conversationId === id);
  const reason = why(id, open);
  for (const name of OTHERS) allow(byId(name), reason);
  byId("log-in").textContent = known.bearer ? "Log in again" : "Log in";
  byId("agent-why").textContent = reason || (desk.notes.get(id)?.consumer ?? "");
  const empty = known.bearer
    ? "What the consumer of this conversation says appears here by itself."
    : "The agent logs in with the first conversation, and reads it here.";
  const told = (open && desk.messages.get(id)) || [];
  show(byId("agent-said"), told, empty, (path) => protocol.fileForAgent(id, path));
}

function why(id, open) {
  if (desk.over && !known.bearer) return "The agent's session is over: log in.";
  if (open) return "";
  return id ? "This conversation is not open." : "No conversation is open: send a message first.";
}

function drawChoice() {
  const select = byId("open-ones");
  const before = select.value;
  const others = desk.opened.map(({ conversationId: id, consumer }) => [id, consumer]);
  redraw(select, others, () => [
    el("option", { value: "" }, "the consumer's (follow)"),
    ...others.map(([id, consumer]) => el("option", { value: id }, consumer)),
  ]);
  // A chosen conversation that is no longer open: follow the consumer again.
  select.value = others.some(([id]) => id === before) ? before : "";
}
