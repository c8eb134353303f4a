// The protocol's requests of consumer, app and agent, and the values from their answers.

import { byId } from "./dom.js";
import { ask, need, send } from "./http.js";

/** What the page knows: who may call, the tokens, the conversation, the agent's session. */
export const known = {
  session: null,
  consumer: "",
  app_jwt: "",
  consumer_jws: "",
  conversation: "",
  bearer: "",
};

const account = () => `/api/account/${known.session.account}`;
const conversations = () => `${account()}/messaging/consumer/conversation`;
const desk = () => `/agent${account()}/conversations`;

/** Learn who may call. */
export async function begin() {
  known.session = await ask("/console/session");
  byId("account").textContent = known.session.account;
  if (known.session.ca) byId("account").dataset.ca = known.session.ca;
}

export const lookUp = () => need("GET", `${account()}/service/baseURI.json?version=1.0`);

/** Get an AppJWT for the app, and a ConsumerJWS for the consumer whose name is in the field. */
export async function getTokens() {
  const { account: id, client_id, client_secret } = known.session;
  const form = { grant_type: "client_credentials", client_id, client_secret };
  const sentinel = `/sentinel/api/account/${id}/app/token?v=1.0`;
  const granted = await need("POST", sentinel, { form });
  known.app_jwt = granted.access_token;
  known.consumer = byId("consumer").value;
  const headers = { Authorization: known.app_jwt };
  const json = { ext_consumer_id: known.consumer };
  const issued = await need("POST", `${account()}/consumer?v=1.0`, { headers, json });
  known.consumer_jws = issued.token;
  document.dispatchEvent(new Event("tokens"));
}

/** Get the tokens, unless they are there, for the same consumer. */
async function needTokens() {
  if (known.consumer === byId("consumer").value && known.consumer_jws) return;
  known.conversation = "";
  await getTokens();
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
  known.conversation = answer[1].body.conversationId;
}

/** Open a conversation, unless there is one. */
export async function needConversation() {
  await needTokens();
  if (!known.conversation) await open();
}

/** Send an event by the given headers; a chat state if none is given, of which nothing is kept. */
export function publish(headers, event = { type: "ChatStateEvent", chatState: "ACTIVE" }) {
  const json = request("3", "ms.PublishEvent", { dialogId: known.conversation, event });
  return send("POST", `${conversations()}/send?v=3`, { headers, json });
}

/** Say something as the consumer. */
export async function speak(message) {
  await needConversation();
  return publish(tokens(), { type: "ContentEvent", contentType: "text/plain", message });
}

/** Close the conversation, as the consumer. */
export async function close() {
  const field = { field: "ConversationStateField", conversationState: "CLOSE" };
  const body = { conversationId: known.conversation, conversationField: field };
  const json = request("4", "cm.UpdateConversationField", body);
  await need("POST", `${conversations()}/send?v=3`, { headers: tokens(), json });
  known.conversation = "";
}

/** Let the agent in. */
export async function logIn() {
  const json = known.session.agent;
  known.bearer = (await need("POST", `${account()}/login?v=1.3`, { json })).bearer;
}

async function asAgent(method, path, json) {
  if (!known.bearer) await logIn();
  const headers = { Authorization: `Bearer ${known.bearer}` };
  try {
    return await need(method, desk() + path, { headers, json });
  } catch (error) {
    known.bearer = ""; // the session may be what was refused
    throw error;
  }
}

export const openOnes = () => asAgent("GET", "");
export const answer = (id, message) => asAgent("POST", `/${id}`, { message });
export const resolve = (id) => asAgent("POST", `/${id}/close`, {});
