// What to say of an error, and the buttons that help.

import { Gone, Refused, ask, reading } from "./http.js";
import * as protocol from "./protocol.js";
import { complain, say } from "./status.js";

const { known, learn } = protocol;

/** The action that found the app gone: it is offered again when the app is back. */
let interrupted = null;

/** Tell what went wrong in `action`, and what can be done. */
export async function report(error, action) {
  if (error instanceof Gone) {
    interrupted = action;
    gone();
  } else if (error instanceof Refused && error.answer.id) {
    await explain(error, action);
  } else {
    complain(error.message);
  }
}

/** Tell that the app does not answer; it is asked again each second. */
export function gone() {
  complain("The app does not answer: was it stopped? It is asked again each second.");
}

/** Tell that the app answers again. */
export function back() {
  const action = interrupted;
  interrupted = null;
  if (action) complain("The app answers again. The last click was not done.", ["Try again", action]);
  else say("The app answers again.");
}

async function explain(error, action) {
  const { answer, path, message: told } = error;
  const { reason, explanation } = await ask(`/console/reasons/${answer.id}`);
  if (answer.status === 401 && protocol.isAgents(path)) {
    learn({ bearer: "" });
    complain(`The agent's session is over (${reason}).`, ["Log in and try again", after(protocol.logIn, action)]);
  } else if (reason === "revoked") {
    complain(`${told} Reason in the log: revoked.`, ["Show what is revoked", showRevoked]);
  } else if (answer.status === 401) {
    const renew = ["Get new tokens and try again", after(protocol.getTokens, action)];
    complain(`${told} Reason in the log: ${reason}. ${explanation ?? ""}`, renew);
  } else if (reason === "forced by a knob") {
    complain(
      `${told} A knob forces this answer.`,
      ["Try again", action],
      ["Reset the knobs and try again", after(() => ask("/console/knobs", { reset: true }), action)],
    );
  } else if (answer.status === 400 && protocol.isOpening(path)) {
    complain(told, ["Join the open conversation", join]);
  } else if (answer.status === 400 && /closed/.test(reading(answer))) {
    complain(told, ["Open a new conversation", after(forget, action)]);
  } else if (answer.status >= 500) {
    complain(told, ["Try again", action]);
  } else {
    complain(told);
  }
}

const after = (first, action) => async () => {
  await first();
  await action();
};

async function forget() {
  learn({ conversation: "" });
}

function showRevoked() {
  location.hash = "#operations";
  say("What is revoked is listed below, each with a button to restore it.");
}

/** Go on with the conversation that the consumer has opened elsewhere. */
async function join() {
  const mine = (await protocol.openOnes()).filter(({ consumer }) => consumer === known.consumer);
  if (!mine.length) throw new Error("The conversation is no longer open: open a new one.");
  learn({ conversation: mine[0].conversationId });
  say("Joined: this tab goes on with the open conversation.");
}
