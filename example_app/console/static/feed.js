// Follows the feed of all requests that the app gets, and lists them, the newest first.

import { byId } from "./dom.js";
import { draw, update } from "./entries.js";
import { Gone, ask } from "./http.js";
import { back, gone } from "./problems.js";

const PAUSE = 1000;
/** As many as the app keeps. */
const KEPT = 200;
const SHOWN = {
  all: () => true,
  client: ({ kind, source }) => kind === "request" && source !== "console" && source !== "app",
  refused: ({ status }) => status >= 400 || status === 0,
  webhook: ({ kind }) => kind === "webhook",
};

/** The entries by number, each with its element. */
const entries = new Map();
let instance = "";
let version = 0;
let away = false;
let timer;

/** Follow the feed. */
export function begin() {
  byId("feed-filter").addEventListener("change", filter);
  byId("feed-clear").addEventListener("click", clear);
  // What was sent just now is shown at once.
  document.addEventListener("sent", () => schedule(0));
  return follow();
}

function schedule(pause) {
  clearTimeout(timer);
  timer = setTimeout(follow, pause);
}

async function follow() {
  try {
    const told = await ask(`/console/feed?after=${version}`);
    if (told.instance !== instance && instance) {
      clear();
      version = 0;
      instance = told.instance;
      schedule(0);
      return;
    }
    instance = told.instance;
    version = told.version;
    take(told.entries);
    if (away) back();
    away = false;
  } catch (error) {
    if (!(error instanceof Gone)) throw error;
    if (!away) gone();
    away = true;
  }
  byId("feed-state").textContent = away ? "Not live: the app does not answer." : "Live.";
  schedule(PAUSE);
}

function take(changed) {
  for (const entry of changed) {
    const known = entries.get(entry.number);
    if (known) {
      Object.assign(known.entry, entry);
      update(known.element, entry);
    } else {
      const element = draw(entry);
      entries.set(entry.number, { entry, element });
      byId("requests").prepend(element);
    }
  }
  for (const number of [...entries.keys()].slice(0, Math.max(0, entries.size - KEPT))) {
    entries.get(number).element.remove();
    entries.delete(number);
  }
  if (!changed.length) return;
  filter();
  document.dispatchEvent(new CustomEvent("feed", { detail: changed }));
}

function filter() {
  const shows = SHOWN[byId("feed-filter").value];
  for (const { entry, element } of entries.values()) element.hidden = !shows(entry);
  const shown = [...entries.values()].filter(({ element }) => !element.hidden).length;
  byId("feed-empty").hidden = shown > 0;
  byId("feed-count").textContent = String(shown);
}

function clear() {
  entries.clear();
  byId("requests").replaceChildren();
  filter();
}

