// The panel "Operations": costs, keys and health, updated every two seconds; see also the modules
// for what is revoked and for the knobs.

import { button, onClick } from "./acting.js";
import { byId, el, redraw } from "./dom.js";
import { Refused, ask } from "./http.js";
import * as knobs from "./knobs.js";
import { plot } from "./plot.js";
import { known, needConversation, publish, tokens } from "./protocol.js";
import * as revoking from "./revoking.js";
import { say } from "./status.js";

const PAUSE = 2000;

/** Wire the panel; it is drawn while it is shown. */
export function begin() {
  onClick(byId("load-new"), () => load(newTokens));
  onClick(byId("load-same"), () => load(tokens));
  onClick(byId("add-key"), addKey);
  onClick(byId("try"), attempt);
  revoking.begin(draw);
  knobs.begin(draw);
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
  revoking.draw(now.revoked);
  knobs.draw(now.knobs);
}

/** Tokens that were never verified: those of the protocol's services have been, on the way. */
const newTokens = () => ask("/console/faults", { ext_consumer_id: known.consumer });

const TIMES = 10;

async function load(headers) {
  await needConversation();
  const answers = [];
  for (let number = 0; number < TIMES; number += 1) answers.push(await publish(await headers()));
  await draw();
  const bad = answers.filter(({ status }) => status !== 200);
  const told = `${TIMES - bad.length} of ${TIMES} requests were good`;
  if (bad.length) throw new Refused("POST", "", bad.at(-1), told);
  say(`${told}.`);
}

async function attempt() {
  await needConversation();
  const answer = await publish(tokens());
  await draw();
  if (answer.status !== 200) throw new Refused("POST", "", answer);
  say("Answered with 200: the tokens are good.");
}

async function addKey() {
  const { kid } = await ask("/console/keys", {});
  await draw();
  say(`The key ${kid} is published.`);
}

async function change(kid, action, told) {
  await ask(`/console/keys/${kid}/${action}`, {});
  await draw();
  byId("add-key").focus(); // the clicked button was removed
  say(`The key ${kid} ${told}.`);
}

function health({ keys, cache, revocation }) {
  const named = ({ app_jwt, consumer_jws }) => ({ AppJWT: app_jwt, ConsumerJWS: consumer_jws });
  const caches = rows("Caches of verified tokens", named(cache));
  const revoked = rows("Revocation, lag in seconds", { "both tokens": revocation });
  return [rows("Key sets, times in seconds", named(keys)), el("div", {}, caches, revoked)];
}

function rows(caption, columns) {
  const names = Object.keys(Object.values(columns)[0]);
  const titles = Object.keys(columns);
  const head = titles.map((title) => el("th", { scope: "col" }, title));
  const lines = names.map((name) => [
    el("th", { scope: "row" }, ...breakable(name)),
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

/** A long name may be broken behind each underscore. */
const breakable = (name) => name.split(/(?<=_)/).flatMap((part) => [part, el("wbr")]);

function told(value) {
  if (typeof value === "number") return String(Math.round(value * 10) / 10);
  if (Array.isArray(value)) return value.join(", ");
  if (value && typeof value === "object") {
    return told(Object.entries(value).map((each) => each.join(" ")));
  }
  return String(value ?? "–");
}

function drawKeys(keys) {
  redraw(byId("keys"), keys, () =>
    keys.map(({ kid, signs }) =>
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
