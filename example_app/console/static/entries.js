// One entry of the feed: what it was, its answer, the reason of a refusal, and what to do with it.

import { button, copyButton, run } from "./acting.js";
import { curl } from "./curl.js";
import { block, el } from "./dom.js";
import { ask, parsed } from "./http.js";
import { say } from "./status.js";

/** Make the element of an entry. */
export function draw(entry) {
  const details = el("details", {}, summary(entry));
  // Filled when it is opened first: most never are.
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(...inside(entry));
  });
  const copy = copyButton("Copy curl", () => curl(entry), {
    "aria-label": `Copy curl: ${entry.name}`,
  });
  return el("li", { "data-number": entry.number }, details, copy, ...why(entry));
}

/** Show what has changed of an entry, into which a poll was folded. */
export function update(element, entry) {
  element.querySelector("summary").replaceWith(summary(entry));
}

function summary({ name, detail, status, source, kind, milliseconds, at, count }) {
  const good = status > 0 && status < 400;
  const from = kind === "webhook" ? "to your client" : from_(source);
  const time = new Date(at * 1000).toLocaleTimeString([], { hourCycle: "h23" });
  return el(
    "summary",
    {},
    el("b", { class: good ? "good" : "bad" }, String(status || "no answer")),
    ` ${name}`,
    ...(detail ? [el("q", {}, detail)] : []),
    ...(count > 1 ? [el("span", { class: "count" }, `×${count}`)] : []),
    el("small", {}, `${from} · ${Math.round(milliseconds)} ms · ${time}`),
  );
}

function from_(source) {
  if (source === "console") return "this console";
  return source === "app" ? "the app itself" : `client ${source}`;
}

function why({ reason, status, kind, answer }) {
  if (reason) {
    const word = el("b", {}, [reason.reason, reason.details].filter(Boolean).join(" "));
    const more = reason.explanation ? [`: ${reason.explanation}`] : [];
    return [el("p", { class: "why" }, word, ...more)];
  }
  if (kind === "webhook" && (status < 200 || status > 201)) {
    const told = status ? "Only 200 and 201 count as taken." : answer.body;
    return [el("p", { class: "why" }, told)];
  }
  return [];
}

function inside(entry) {
  const { method, path, request, answer, status } = entry;
  const asked = [`${method} ${path}`, ...lines(request.headers), "", shown(request)];
  const got = [`${status || "no answer"}`, ...lines(answer.headers), "", shown(answer)];
  return [
    ...block("Request", asked.join("\n")),
    ...block("Answer", got.join("\n")),
    ...(entry.kind === "webhook" ? webhook(entry) : []),
    ...block("Command", curl(entry)),
    el(
      "p",
      { class: "row" },
      copyButton("Copy without secrets", () => curl(entry, { secrets: false }), {
        title: "With $APP_JWT, $CONSUMER_JWS and $CLIENT_SECRET in place of their values",
      }),
    ),
  ];
}

const lines = (headers) => headers.map(([name, value]) => `${name}: ${value}`);

function shown({ body, size, complete }) {
  if (!complete) return size ? `(${size} bytes, which are not kept)` : "";
  const value = parsed(body);
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function webhook(entry) {
  const sent = entry.request.headers.find(([name]) => name === "x-liveperson-signature")?.[1] ?? "";
  const id = `signature-${entry.number}`;
  const field = el("input", { id, value: sent, spellcheck: "false", autocomplete: "off" });
  const verdict = el("p", { class: "verdict" });
  const check = async () => {
    const json = { body: entry.request.body, signature: field.value };
    const { matches, expected, explanation } = await ask("/console/signature", json);
    const text = matches ? "It matches." : `It does not match: ${expected} is right.`;
    verdict.className = matches ? "verdict good" : "verdict bad";
    verdict.textContent = `${text} ${explanation}`;
    say(`The signature ${matches ? "matches" : "does not match"}.`);
  };
  const resend = async () => {
    await ask(`/console/webhooks/${entry.number}/resend`, {});
    say("The webhook is in the queue again: its answer will be at the top of the feed.");
  };
  field.addEventListener("keydown", (event) => event.key === "Enter" && run(check));
  return [
    el("p", { class: "row" }, button("Resend", resend)),
    el(
      "p",
      { class: "row" },
      el("label", { for: id }, "Signature, this one or your own"),
      field,
      button("Check this signature", check),
    ),
    verdict,
  ];
}
