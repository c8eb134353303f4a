// What is revoked, each with a button to restore it; and what else can be revoked.

import { button, onClick } from "./acting.js";
import { allow, byId, el, redraw } from "./dom.js";
import { ask } from "./http.js";
import { decoded } from "./jwt.js";
import { known } from "./protocol.js";
import { say } from "./status.js";

const KINDS = {
  token: "one token",
  install: "all AppJWTs of the app install",
  account: "all tokens of the account",
  lp_consumer: "all ConsumerJWSs of the consumer",
  ext_consumer: "all ConsumerJWSs of the ext_consumer_id",
};
const SHOWN = 20;

let redrawAll = () => {};

/** Wire the part; `changed` draws the panel anew. */
export function begin(changed) {
  redrawAll = changed;
  onClick(byId("revoke"), () => turn("revoke", "Revoked"));
  onClick(byId("restore"), () => turn("restore", "Restored"));
  byId("subject").addEventListener("change", permit);
  document.addEventListener("known", permit);
}

function permit() {
  const name = byId("subject").value;
  const lacks = name in known && !known[name];
  const reason = lacks ? "There is no token yet: send a message first." : "";
  for (const id of ["revoke", "restore"]) allow(byId(id), reason);
  byId("revoke-why").textContent = reason;
}

async function turn(action, done) {
  const name = byId("subject").value;
  const text = byId("subject").selectedOptions[0].textContent;
  await ask(`/console/${action}`, await subject(name));
  await redrawAll();
  say(`${done}: ${text}.`);
}

async function subject(name) {
  const { account, client_id } = known.session;
  if (name === "install_id") return { install_id: client_id };
  if (name === "account_id") return { account_id: account };
  if (name === "ext_consumer_id") return { ext_consumer_id: byId("consumer").value };
  if (name === "lp_consumer_id") return { lp_consumer_id: await consumer() };
  return { token: known[name] };
}

/** The service's id of the consumer; it needs no token that passes. */
async function consumer() {
  const minted = await ask("/console/faults", { ext_consumer_id: byId("consumer").value });
  return decoded(minted["X-LP-ON-BEHALF"], 1).lp_consumer_id;
}

/** List what is revoked; `revoked` is null if that is not known at the moment. */
export function draw(revoked) {
  const shown = revoked?.slice(-SHOWN).reverse() ?? [];
  redraw(byId("revoked"), revoked, () => {
    if (!revoked) return [el("li", {}, "It is not known at the moment: the store is out of reach.")];
    if (!shown.length) return [el("li", {}, "Nothing.")];
    return shown.map(entry);
  });
}

function entry({ kind, ...subject }) {
  const [value] = Object.values(subject);
  const title = `${KINDS[kind]} ${value.slice(0, 12)}${value.length > 12 ? "…" : ""}`;
  const restore = async () => {
    await ask("/console/restore", subject);
    await redrawAll();
    byId("subject").focus(); // the clicked button was removed
    say(`Restored: ${title}.`);
  };
  return el("li", {}, `${title} `, button("Restore", restore, { "aria-label": `Restore ${title}` }));
}
