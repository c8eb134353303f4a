// Sends requests, and lists each on the page with its answer and a curl line to copy.

import { byId, button, el, say, unique } from "./dom.js";

const KEPT = 50;

/** Send a request, show it, and return { id, status, body }. */
export async function send(method, path, { headers = {}, json, form } = {}) {
  const { body, type } = encoded(json, form);
  const began = performance.now();
  const id = unique();
  // The console finds the reason of a refusal by this name.
  const sent = { ...headers, ...type, "Request-ID": id };
  const answer = await fetch(path, { method, headers: sent, body });
  const text = await answer.text();
  const ms = Math.round(performance.now() - began);
  show({ method, path, sent, body, status: answer.status, answer, text, ms });
  return { id, status: answer.status, body: parsed(text) };
}

/** Send a request, and return the body of the answer; any but a good one is an error. */
export async function need(method, path, options) {
  const answer = await send(method, path, options);
  if (answer.status >= 300) throw new Error(`${path.split("?")[0]}: ${reading(answer)}`);
  return answer.body;
}

/** Ask the console itself, without showing it. */
export async function ask(path, json) {
  const { body, type } = encoded(json);
  const answer = await fetch(path, { method: body ? "POST" : "GET", headers: type, body });
  return answer.json();
}

/** Say in words what an answer is. */
export function reading({ status, body }) {
  const told = [body].flat().at(-1)?.body ?? {};
  if (told.errorCode) return `${status}, ${told.errorCode} ${told.title}`;
  return told.msg ? `${status}, ${told.msg}` : String(status);
}

function encoded(json, form) {
  if (form) return { body: String(new URLSearchParams(form)), type: kind("x-www-form-urlencoded") };
  if (json) return { body: JSON.stringify(json), type: kind("json") };
  return { type: {} };
}

const kind = (name) => ({ "Content-Type": `application/${name}` });

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Write the command that sends the same. */
export function curl({ method, path, sent, body }, ca = byId("account").dataset.ca) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const secure = location.protocol === "https:" && ca ? ["--cacert", quoted(ca)] : [];
  const headers = Object.entries(sent).flatMap((each) => ["-H", quoted(each.join(": "))]);
  const data = body === undefined ? [] : ["--data-raw", quoted(body)];
  const url = quoted(location.origin + path);
  return ["curl", "-sS", ...secure, "-X", method, url, ...headers, ...data].join(" ");
}

function show(exchange) {
  const { method, path, sent, body, status, answer, text, ms } = exchange;
  const title = `${method} ${path.split("?")[0].replace(/\/api\/account\/[^/]+/, "…")}`;
  const line = curl(exchange);
  const asked = [`${method} ${path}`, ...lines(Object.entries(sent)), "", indented(body ?? "")];
  const got = [`${status} ${answer.statusText}`, ...lines(answer.headers), "", indented(text)];
  const code = el("b", { class: status < 400 ? "good" : "bad" }, String(status));
  const details = el(
    "details",
    {},
    el("summary", {}, code, ` ${title} `, el("small", {}, `${ms} ms`)),
    ...block("Request", asked.join("\n")),
    ...block("Answer", got.join("\n")),
    ...block("Command", line),
  );
  const list = byId("requests");
  list.prepend(el("li", {}, details, button("Copy curl", () => copy(line))));
  while (list.children.length > KEPT) list.lastChild.remove();
}

const lines = (headers) => [...headers].map(([name, value]) => `${name}: ${value}`);

function indented(text) {
  const value = parsed(text);
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

// The element scrolls, so it must be reachable by the keyboard.
const block = (title, text) => [
  el("h3", {}, title),
  el("pre", { tabindex: 0, role: "group", "aria-label": title }, text),
];

async function copy(line) {
  // Browsers have no clipboard on a page that came by plain HTTP from another machine.
  if (!navigator.clipboard) throw new Error("Not copied: select the line instead.");
  await navigator.clipboard.writeText(line);
  say("Copied.");
}
