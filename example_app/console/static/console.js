// Starts the four panels of the page.

import * as breaking from "./breaking.js";
import * as conversation from "./conversation.js";
import { run } from "./dom.js";
import * as operations from "./operations.js";
import * as protocol from "./protocol.js";
import * as tabs from "./tabs.js";
import * as tokens from "./tokens.js";

conversation.begin();
tokens.begin();
operations.begin();
tabs.begin();
run(async () => {
  await protocol.begin();
  await breaking.begin();
  document.body.dataset.ready = "";
});
