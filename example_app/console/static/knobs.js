// The knobs: failures that are forced, and the life of new AppJWTs.

import { onClick } from "./acting.js";
import { byId } from "./dom.js";
import { ask } from "./http.js";
import { say } from "./status.js";

const LIVES = { "life-10": 10, "life-60": 60 };

/** Wire the part; `changed` draws the panel anew. */
export function begin(changed) {
  const turn = async (knob, told) => {
    await ask("/console/knobs", knob);
    await changed();
    say(told);
  };
  for (const status of [429, 503]) {
    onClick(byId(`fail-${status}`), () => {
      const service = byId("fail-service").value;
      const times = Number(byId("fail-times").value) || null;
      const told = times ? `the next ${times} POST requests` : "all POST requests, until the reset";
      return turn({ service, status, times }, `${service} answers ${status} to ${told}.`);
    });
  }
  for (const [id, seconds] of Object.entries(LIVES)) {
    onClick(byId(id), () =>
      turn({ token_life: seconds }, `New AppJWTs live for ${seconds} seconds, and the leeway.`),
    );
  }
  onClick(byId("knobs-reset"), () => turn({ reset: true }, "All knobs are as they were."));
}

/** Tell how the knobs are set. */
export function draw({ token_life, leeway, failures }) {
  const forced = failures.map(
    ({ service, status, remaining }) =>
      `${service} answers ${status} ${remaining === null ? "until the reset" : `${remaining} more times`}.`,
  );
  const life = `New AppJWTs live for ${token_life} seconds, and are accepted for ${leeway} more.`;
  byId("knobs-state").textContent = [...(forced.length ? forced : ["No failure is forced."]), life].join(" ");
}
