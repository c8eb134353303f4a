// The panel "Tokens": the parts of both tokens, explained, and the remaining time.

import { onClick } from "./acting.js";
import { byId, el, redraw } from "./dom.js";
import { decoded, left } from "./jwt.js";
import { getTokens, known } from "./protocol.js";
import { say } from "./status.js";

const MEANINGS = {
  kid: "which published key verifies it",
  typ: "a JSON Web Token",
  alg: "how it is signed: RSA with SHA-256",
  aud: "the account that it is good for",
  azp: "the app install that it was issued to",
  scope: "what the app may do",
  iss: "who issued it",
  iat: "when it was issued",
  exp: "when it expires",
  account_id: "the account that it is good for",
  ext_consumer_id: "the app's own name for the consumer",
  lp_consumer_id: "the service's name for the consumer",
};
const TIMES = new Set(["iat", "exp"]);
const KINDS = ["app_jwt", "consumer_jws"];
const NONE = "None yet. The first message gets both, and so does the button above.";

/** Wire the panel. */
export function begin() {
  onClick(byId("new-tokens"), async () => {
    await getTokens();
    say("Both tokens are new.");
  });
  document.addEventListener("known", draw);
  setInterval(count, 1000);
  draw();
}

function draw() {
  for (const kind of KINDS) {
    redraw(byId(`${kind}-parts`), known[kind] || "none", () => shown(kind, known[kind]));
  }
  count();
}

function shown(kind, token) {
  if (!token) return [el("p", {}, NONE)];
  const [header, payload, signature] = token
    .split(".")
    .map((part, at) => el("span", { class: `part${at}` }, part));
  return [
    el("p", { role: "timer", class: "figure", "data-kind": kind }),
    table("Header", decoded(token, 0)),
    table("Claims", decoded(token, 1)),
    el(
      "details",
      {},
      el("summary", {}, `${byId(`${kind}-title`).textContent} as it is sent`),
      el("pre", {}, header, ".", payload, ".", signature),
    ),
  ];
}

function table(caption, values) {
  const head = ["Name", "Value", "Meaning"].map((text) => el("th", { scope: "col" }, text));
  const rows = Object.entries(values).map(([name, value]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, name),
      el("td", {}, told(name, value)),
      el("td", {}, MEANINGS[name] ?? ""),
    ),
  );
  return el(
    "table",
    {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...head)),
    el("tbody", {}, ...rows),
  );
}

function told(name, value) {
  if (!TIMES.has(name)) return String(value);
  const time = new Date(value * 1000).toLocaleTimeString([], { hourCycle: "h23" });
  return `${value} (${time})`;
}

function count() {
  for (const timer of document.querySelectorAll("[role=timer]")) {
    timer.textContent = left(known[timer.dataset.kind]);
  }
}
