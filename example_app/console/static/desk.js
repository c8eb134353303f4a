// What the desk has of the open conversations; read again after each request that may change them.

import { byId } from "./dom.js";
import { Refused } from "./http.js";
import * as protocol from "./protocol.js";

const { known, learn } = protocol;

/** The open conversations, and the last messages of each that was open. */
export const desk = { opened: [], messages: new Map(), over: false, notes: new Map() };

let reading = false;
let again = false;

/** Follow the feed: the desk is read when a request of anybody belongs to a conversation. */
export function begin() {
  document.addEventListener("feed", ({ detail }) => {
    const talk = detail.filter(
      ({ kind, method, status, conversation }) =>
        kind === "request" && method !== "GET" && status < 300 && conversation,
    );
    talk.forEach(note);
    if (talk.length) follow();
  });
}

/** Read the desk without a word, if an agent is there, or is to come with the first request. */
export async function follow() {
  if (desk.over && !known.bearer) return;
  again = true;
  if (reading) return;
  reading = true;
  while (again) {
    again = false;
    await read().catch(lost);
  }
  reading = false;
}

/** Read the desk; the agent logs in first, if that was not done yet. */
export async function read() {
  take(await protocol.openOnes());
}

function take(opened) {
  desk.opened = opened;
  desk.over = false;
  for (const { conversationId, messages } of opened) desk.messages.set(conversationId, messages);
  document.dispatchEvent(new Event("desk"));
}

function lost(error) {
  if (!(error instanceof Refused)) return; // the feed tells that the app is gone
  if (error.answer.status === 401) {
    learn({ bearer: "" });
    desk.over = true;
    document.dispatchEvent(new Event("desk"));
  }
}

/** Keep what the other side does at the moment: it is in no list of messages. */
function note({ conversation, event, name }) {
  const side = name.startsWith("Agent:") ? "agent" : "consumer";
  const other = side === "agent" ? "The agent" : "The consumer";
  const notes = desk.notes.get(conversation) ?? {};
  notes[side] = event ? told(other, event) : "";
  desk.notes.set(conversation, notes);
  document.dispatchEvent(new Event("desk"));
}

function told(who, { type, chatState, status, sequenceList }) {
  if (type === "ChatStateEvent") {
    return chatState === "COMPOSING" ? `${who} is typing …` : `${who} is ${chatState}.`;
  }
  if (type === "AcceptStatusEvent" && status === "READ") return `${who} has read ${sequenceList}.`;
  return "";
}

/** The id of the conversation that the agent looks at: the chosen one, or the consumer's. */
export const chosen = () => byId("open-ones").value || known.conversation;
