// Sends requests to the services of the app, and asks the console.

import { unique } from "./dom.js";

/** An answer that is an error. */
export class Refused extends Error {
  /** `told` says what was done nevertheless. */
  constructor(method, path, answer, told = "Not done") {
    super(`${told}: ${reading(answer)}.`);
    this.path = path;
    this.answer = answer;
  }
}

/** There was no answer. */
export class Gone extends Error {
  constructor() {
    super("The app does not answer.");
  }
}

/** Send a request, and return { id, status, body, headers } of the answer. */
export async function send(method, path, { headers = {}, json, form, file } = {}) {
  const { body, type } = file ? { body: file, type: {} } : encoded(json, form);
  const id = unique();
  // The console finds the reason of a refusal by this name.
  const sent = { ...headers, ...type, "Request-ID": id };
  const answer = await reach(path, { method, headers: sent, body });
  document.dispatchEvent(new Event("sent"));
  return { id, status: answer.status, body: parsed(await answer.text()), headers: answer.headers };
}

/** Send a request, and return the body of the answer; any but a good one is an error. */
export async function need(method, path, options) {
  const answer = await send(method, path, options);
  if (answer.status >= 300) throw new Refused(method, path, answer);
  return answer.body;
}

/** Ask the console itself: post `json` if there is any. */
export async function ask(path, json) {
  const { body, type } = encoded(json);
  const method = body ? "POST" : "GET";
  const answer = await reach(path, { method, headers: type, body });
  const value = parsed(await answer.text());
  if (!answer.ok) throw new Refused(method, path, { status: answer.status, body: value });
  return value;
}

/** Say in words what an answer is. */
export function reading({ status, body }) {
  const entry = [body].flat().at(-1) ?? {};
  const told = entry.body ?? {};
  if (told.errorCode) return `${status}, ${told.errorCode} ${told.title}`;
  const text = told.msg ?? entry.error_description ?? entry.error;
  return text ? `${status}, ${text}` : String(status);
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Gone();
  }
}

function encoded(json, form) {
  if (form) return { body: String(new URLSearchParams(form)), type: kind("x-www-form-urlencoded") };
  if (json) return { body: JSON.stringify(json), type: kind("json") };
  return { type: {} };
}

const kind = (name) => ({ "Content-Type": `application/${name}` });

/** Return the JSON value of `text`, or the text if it is none. */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
