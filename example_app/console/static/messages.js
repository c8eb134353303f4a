// The messages of a conversation, as one side sees them, in a pane that scrolls by itself.

import { button } from "./acting.js";
import { el, redraw } from "./dom.js";

/** Show `messages` in `list`, or the text `empty` if there are none.
 *  `address` returns where the file at a path can be loaded from, for a short time. */
export function show(list, messages, empty, address) {
  const before = list.childElementCount;
  redraw(list, [messages, empty], () =>
    messages.length ? messages.map((message) => bubble(message, address)) : [el("li", { class: "empty" }, empty)],
  );
  if (list.childElementCount !== before) list.scrollTop = list.scrollHeight;
}

function bubble({ sequence, role, event, messageAudience: audience = "ALL" }, address) {
  const consumer = role === "CONSUMER";
  const who = consumer ? "Consumer" : "Agent";
  const more = [role === "CONSUMER" || role === "ASSIGNED_AGENT" ? "" : role, audience === "ALL" ? "" : "(agents only)"];
  const title = [sequence, who, ...more].filter((each) => each !== "").join(" ");
  return el("li", { class: who.toLowerCase() }, el("small", {}, title), ...content(event, address));
}

function content(event, address) {
  const { type, message, content: rich } = event;
  if (type === "AcceptStatusEvent") return [el("i", {}, `${event.status} ${event.sequenceList}`)];
  if (type === "RichContentEvent") return texts(rich).map((each) => el("div", {}, each));
  if (message?.relativePath) {
    return [file(message, address)];
  }
  return [typeof message === "string" ? message : JSON.stringify(message ?? type)];
}

function file({ relativePath: path, caption }, address) {
  const name = caption || path.split("/").at(-1);
  const place = el("span", {}, `${name} `);
  const load = async () => place.replaceChildren(el("img", { src: await address(path), alt: name }));
  place.append(button("Show", load, { class: "copy", "aria-label": `Show ${name}` }));
  return place;
}

/** The texts of structured content, in their order. */
function texts(rich) {
  const own = [rich?.text ?? rich?.title].filter((each) => typeof each === "string");
  const inner = (Array.isArray(rich?.elements) ? rich.elements : []).flatMap(texts);
  return own.length + inner.length ? [...own, ...inner] : ["Rich content"];
}
