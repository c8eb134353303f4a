// The protocol's requests of consumer, app and agent, and the values from their answers.

import { byId, unique } from "./dom.js";
import { Refused, ask, need, send } from "./http.js";

const KEPT = "connector-console";
const NAMES = ["consumer", "app_jwt", "consumer_jws", "conversation", "bearer"];

/** What the page knows: who may call, the tokens, the conversation, the agent's session. */
export const known = {
  session: null,
  consumer: "",
  app_jwt: "",
  consumer_jws: "",
  conversation: "",
  bearer: "",
};

/** Change what is known; it outlives a reload of this tab. */
export function learn(values) {
  Object.assign(known, values);
  const kept = Object.fromEntries(NAMES.map((name) => [name, known[name]]));
  sessionStorage.setItem(KEPT, JSON.stringify({ ...kept, of: known.session?.client_id }));
  document.dispatchEvent(new Event("known"));
}

const account = () => `/api/account/${known.session.account}`;
const conversations = () => `${account()}/messaging/consumer/conversation`;
const desk = () => `/agent${account()}/conversations`;

/** Learn who may call, and what this tab knew before it was loaded again. */
export async function begin() {
  const session = await ask("/console/session");
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  // Another folder has other credentials, and knows nothing of all that.
  const mine = kept.of === session.client_id ? kept : {};
  byId("account").textContent = session.account;
  byId("consumer").value = mine.consumer || `visitor-${unique().slice(0, 6)}`;
  learn({ ...mine, session });
}

export const lookUp = () => need("GET", `${account()}/service/baseURI.json?version=1.0`);

/** Get an AppJWT for the app, and a ConsumerJWS for the consumer whose name is in the field. */
export async function getTokens() {
  const { account: id, client_id, client_secret } = known.session;
  const form = { grant_type: "client_credentials", client_id, client_secret };
  const sentinel = `/sentinel/api/account/${id}/app/token?v=1.0`;
  const { access_token: app_jwt } = await need("POST", sentinel, { form });
  const consumer = byId("consumer").value;
  const headers = { Authorization: app_jwt };
  const json = { ext_consumer_id: consumer };
  const { token } = await need("POST", `${account()}/consumer?v=1.0`, { headers, json });
  const conversation = consumer === known.consumer ? known.conversation : "";
  learn({ app_jwt, consumer, consumer_jws: token, conversation });
}

/** Get the tokens, unless they are there, for the same consumer. */
export async function needTokens() {
  if (known.consumer !== byId("consumer").value || !known.consumer_jws) await getTokens();
}

/** Both tokens, as headers. */
export const tokens = () => ({
  Authorization: known.app_jwt,
  "X-LP-ON-BEHALF": known.consumer_jws,
});

const request = (id, type, body) => ({ kind: "req", id, type, body });

/** Open a conversation. */
export async function open() {
  await needTokens();
  const json = [
    request("1", "userprofile.SetUserProfile", { firstName: known.consumer }),
    request("2", "cm.ConsumerRequestConversation", { brandId: known.session.account }),
  ];
  const answer = await need("POST", `${conversations()}?v=3`, { headers: tokens(), json });
  learn({ conversation: answer[1].body.conversationId });
}

/** Open a conversation, unless there is one. */
export async function needConversation() {
  await needTokens();
  if (!known.conversation) await open();
}

const sending = () => `${conversations()}/send?v=3`;

/** Send an event by the given headers; a chat state if none is given, of which nothing is kept. */
export function publish(headers, event = { type: "ChatStateEvent", chatState: "ACTIVE" }) {
  const json = request("3", "ms.PublishEvent", { dialogId: known.conversation, event });
  return send("POST", sending(), { headers, json });
}

/** Send an event as the consumer, and return its number; an answer that is an error is thrown. */
export async function tell(event) {
  const answer = await publish(tokens(), event);
  if (answer.status !== 200) throw new Refused("POST", sending(), answer);
  return answer.body.body.sequence;
}

/** Say something as the consumer; return the message's number. */
export async function speak(message) {
  await needConversation();
  return tell({ type: "ContentEvent", contentType: "text/plain", message });
}

/** Close the conversation, as the consumer. */
export async function close() {
  const field = { field: "ConversationStateField", conversationState: "CLOSE" };
  const body = { conversationId: known.conversation, conversationField: field };
  const json = request("4", "cm.UpdateConversationField", body);
  await need("POST", sending(), { headers: tokens(), json });
  learn({ conversation: "" });
}

/** Let the agent in. */
export async function logIn() {
  const json = known.session.agent;
  learn({ bearer: (await need("POST", `${account()}/login?v=1.3`, { json })).bearer });
}

/** Send a request of the agent, who logs in before the first one. */
async function asAgent(method, path, json) {
  if (!known.bearer) await logIn();
  const headers = { Authorization: `Bearer ${known.bearer}` };
  return need(method, desk() + path, { headers, json });
}

/** Whether a request was one of the agent. */
export const isAgents = (path) => path.startsWith("/agent/");
/** Whether a request was to open a conversation. */
export const isOpening = (path) => path.startsWith(`${conversations()}?`);

export const openOnes = () => asAgent("GET", "");
/** Publish as the agent: { message }, a text, or { event }, any of the protocol's. */
export const publishAsAgent = (id, said) => asAgent("POST", `/${id}`, said);
export const resolve = (id) => asAgent("POST", `/${id}/close`, {});

/** Upload a file as the agent, and publish it. */
export async function sendFile(id, file, caption) {
  const fileType = file.name.split(".").at(-1).toUpperCase();
  const place = await asAgent("POST", `/${id}/files`, { fileType, fileSize: file.size });
  await need("PUT", swift(place), { file });
  const message = { caption, relativePath: place.relativePath, fileType };
  return publishAsAgent(id, { event: { type: "ContentEvent", contentType: "hosted/file", message } });
}

const swift = ({ relativePath, queryParams }) => `${relativePath}?${new URLSearchParams(queryParams)}`;

/** Return the address of a file for the agent. */
export async function fileForAgent(id, relativePath) {
  const query = new URLSearchParams({ relativePath });
  return swift(await asAgent("GET", `/${id}/files?${query}`));
}

/** Return the address of a file for the consumer. */
export async function fileForConsumer(relativePath) {
  const json = request("5", "ms.GenerateURLForDownloadFile", { relativePath });
  return swift((await need("POST", sending(), { headers: tokens(), json })).body);
}
