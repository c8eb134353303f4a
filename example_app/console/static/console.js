// Starts the parts of the page.

import { run } from "./acting.js";
import * as agent from "./agent.js";
import * as breaking from "./breaking.js";
import * as connect from "./connect.js";
import * as conversation from "./conversation.js";
import * as desk from "./desk.js";
import * as feed from "./feed.js";
import * as operations from "./operations.js";
import * as protocol from "./protocol.js";
import * as start from "./start.js";
import * as status from "./status.js";
import * as tabs from "./tabs.js";
import * as tokens from "./tokens.js";

status.begin(run);
for (const part of [conversation, agent, desk, start, connect, tokens, operations, tabs]) {
  part.begin();
}
run(async () => {
  await protocol.begin();
  await breaking.begin();
  await feed.begin();
  document.body.dataset.ready = "";
});
