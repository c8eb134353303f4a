// The curl command that sends a request of the feed once more.

import { known } from "./protocol.js";

/** Headers that curl sets itself, or that only a browser sends. */
const OWN = new Set(
  "accept accept-encoding accept-language cache-control connection content-length host origin pragma priority referer request-id transfer-encoding user-agent"
    .split(" "),
);
/** The headers with tokens, and the variables in place of them. */
const VARIABLES = {
  authorization: "APP_JWT",
  "x-lp-on-behalf": "CONSUMER_JWS",
  "lp-on-behalf": "CONSUMER_JWS",
};

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Write the command that sends the same; without secrets, these are variables of the shell. */
export function curl({ kind, method, path, request }, { secrets = true } = {}) {
  const url = kind === "webhook" ? path : location.origin + path;
  const secure = url.startsWith(`${location.origin}/`) && location.protocol === "https:";
  const ca = secure && known.session.ca ? ["--cacert", quoted(known.session.ca)] : [];
  const headers = request.headers
    .filter(([name]) => !OWN.has(name.toLowerCase()) && !name.toLowerCase().startsWith("sec-"))
    .flatMap(([name, value]) => ["-H", header(name, value, secrets)]);
  const words = ["curl", "-sS", ...ca, "-X", method, told(url, secrets), ...headers];
  return [...words, ...data(request, secrets)].join(" ");
}

function header(name, value, secrets) {
  const variable = VARIABLES[name.toLowerCase()];
  if (secrets || !variable || !value.includes("eyJ")) return quoted(`${name}: ${value}`);
  const agent = value.startsWith("Bearer ");
  return `"${name}: ${agent ? "Bearer $BEARER" : `$${variable}`}"`;
}

function data({ body, complete, size }, secrets) {
  if (!complete) return size ? ["--data-binary", "@FILE"] : [];
  return body ? ["--data-raw", told(body, secrets)] : [];
}

/** Quote a text, in which the secrets are variables if that is wanted. */
function told(text, secrets) {
  if (secrets) return quoted(text);
  const names = [
    [known.session.client_secret, "CLIENT_SECRET"],
    [known.session.agent?.password, "AGENT_PASSWORD"],
  ];
  return names.reduce(
    (word, [secret, name]) => (secret ? word.replaceAll(secret, `'"$${name}"'`) : word),
    quoted(text),
  );
}
