// The panel "Operations": health, keys, costs and revocations, updated every two seconds.

import { button, byId, el, onClick, say } from "./dom.js";
import { ask, need, reading } from "./http.js";
import { decoded } from "./jwt.js";
import { plot } from "./plot.js";
import { known, needConversation, publish, tokens } from "./protocol.js";

const PAUSE = 2000;

/** Wire the panel; it is drawn while it is shown. */
export function begin() {
  onClick(byId("load-new"), () => load(newTokens));
  onClick(byId("load-same"), () => load(tokens));
  onClick(byId("add-key"), addKey);
  onClick(byId("revoke"), () => turn("revoke", "Revoked"));
  onClick(byId("restore"), () => turn("restore", "Restored"));
  onClick(byId("try"), attempt);
  plot(byId("plot"), byId("plot-caption"), []);
  setInterval(draw, PAUSE);
  document.addEventListener("panel", draw);
}

async function draw() {
  if (byId("operations").hidden) return;
  // The app may be unreachable for a while; the next update comes soon.
  const now = await ask("/console/operations").catch(() => null);
  if (!now) return;
  plot(byId("plot"), byId("plot-caption"), now.costs);
  byId("health").replaceChildren(...health(now.health));
  drawKeys(now.keys);
}

/** Tokens that were never verified: those of the protocol's services have been, on the way. */
const newTokens = () => ask("/console/faults", { ext_consumer_id: known.consumer });

async function load(headers) {
  await needConversation();
  for (let number = 0; number < 10; number += 1) await publish(await headers());
  await draw();
  say("Ten messages are sent.");
}

async function attempt() {
  await needConversation();
  say(`Answered with ${reading(await publish(tokens()))}.`);
  await draw();
}

async function addKey() {
  const { kid } = await need("POST", "/console/keys", { json: {} });
  await draw();
  say(`The key ${kid} is published.`);
}

async function change(kid, action, told) {
  await need("POST", `/console/keys/${kid}/${action}`, { json: {} });
  await draw();
  byId("add-key").focus(); // the clicked button was removed
  say(`The key ${kid} ${told}.`);
}

async function turn(action, done) {
  await needConversation();
  const name = byId("subject").value;
  const text = byId("subject").selectedOptions[0].textContent;
  await need("POST", `/console/${action}`, { json: subject(name) });
  await draw();
  say(`${done}: ${text}.`);
}

function subject(name) {
  const { account, client_id } = known.session;
  if (name === "install_id") return { install_id: client_id };
  if (name === "account_id") return { account_id: account };
  if (name.endsWith("_consumer_id")) {
    return { [name]: decoded(known.consumer_jws, 1)[name] };
  }
  return { token: known[name] };
}

function health({ keys, cache, revocation }) {
  const named = ({ app_jwt, consumer_jws }) => ({ AppJWT: app_jwt, ConsumerJWS: consumer_jws });
  const caches = rows("Caches of verified tokens", named(cache));
  const revoked = rows("Revocation", { "both tokens": revocation });
  return [rows("Key sets", named(keys)), el("div", {}, caches, revoked)];
}

function rows(caption, columns) {
  const names = Object.keys(Object.values(columns)[0]);
  const titles = Object.keys(columns);
  const head = titles.map((title) => el("th", { scope: "col" }, title));
  const lines = names.map((name) => [
    el("th", { scope: "row" }, name),
    ...Object.values(columns).map((each) => el("td", {}, told(each[name]))),
  ]);
  return el(
    "table",
    {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, el("td"), ...head)),
    el("tbody", {}, ...lines.map((line) => el("tr", {}, ...line))),
  );
}

function told(value) {
  if (typeof value === "number") return String(Math.round(value * 10) / 10);
  if (Array.isArray(value)) return value.join(", ");
  if (value && typeof value === "object") {
    return told(Object.entries(value).map((each) => each.join(" ")));
  }
  return String(value ?? "–");
}

function drawKeys(keys) {
  // Redrawn only after a change: a button must not vanish just before a click.
  const list = byId("keys");
  const state = JSON.stringify(keys);
  if (list.dataset.state === state) return;
  list.dataset.state = state;
  list.replaceChildren(
    ...keys.map(({ kid, signs }) =>
      el("li", {}, el("code", {}, kid), ...(signs ? [" signs"] : changes(kid))),
    ),
  );
}

const changes = (kid) => [
  button("Let it sign", () => change(kid, "use", "signs from now on"), {
    "aria-label": `Let it sign: ${kid}`,
  }),
  button("Withdraw", () => change(kid, "withdraw", "is withdrawn"), {
    "aria-label": `Withdraw ${kid}`,
  }),
];
