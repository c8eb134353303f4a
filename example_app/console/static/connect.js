// The panel "Connect": addresses and credentials, and lines to paste for each known client.

import { copyButton } from "./acting.js";
import { byId, el, redraw } from "./dom.js";
import { known } from "./protocol.js";

const PARTS = [
  ["http", "HTTP, and proxy to HTTPS"],
  ["https", "HTTPS"],
  ["ca", "CA file to trust"],
  ["account", "Account"],
  ["client_id", "Client id"],
  ["client_secret", "Client secret"],
];

/** Wire the panel. */
export function begin() {
  byId("client").addEventListener("change", describe);
  byId("client-copy").replaceWith(
    copyButton("Copy these lines", () => byId("client-text").textContent, {
      id: "client-copy",
      class: "primary",
    }),
  );
  document.addEventListener("known", draw);
  document.addEventListener("feed", ({ detail }) => detail.forEach(hear));
}

function draw() {
  const { session } = known;
  if (!session) return;
  redraw(byId("values"), session, () => [
    ...PARTS.flatMap(([name, title]) => row(title, session[name])),
    ...row("Agent's name", session.agent?.username),
    ...row("Agent's password", session.agent?.password),
    ...row("Webhooks go to", session.webhook),
  ]);
  redraw(byId("client"), session.clients, () =>
    session.clients.map(({ name }) => el("option", {}, name)),
  );
  byId("no-tls").hidden = Boolean(session.https);
  byId("no-webhook").hidden = Boolean(session.webhook);
  describe();
}

function row(title, value) {
  const shown = value ?? "none";
  const copy = value ? [copyButton("Copy", () => value, { "aria-label": `Copy: ${title}` })] : [];
  return [el("dt", {}, title), el("dd", {}, el("code", {}, shown), ...copy)];
}

function describe() {
  const { how, text } = known.session.clients[byId("client").selectedIndex];
  byId("client-how").textContent = how;
  byId("client-text").textContent = text;
}

/** Tell that somebody else's client has come. */
function hear({ kind, source, name, status, reason, at }) {
  if (kind !== "request" || source === "console" || source === "app") return;
  const time = new Date(at * 1000).toLocaleTimeString([], { hourCycle: "h23" });
  const why = reason ? ` (${reason.reason})` : "";
  byId("heard").textContent = `Last heard: ${source}, "${name}", ${status}${why}, at ${time}.`;
}
