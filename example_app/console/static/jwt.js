// Decodes the segments of a token as clients do, without verifying it.

/** Return the JSON object in segment `at`: 0 is the header, 1 the claims. */
export function decoded(token, at) {
  const binary = atob(token.split(".")[at].replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (each) => each.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** Say how long a token is good for. */
export function left(token) {
  const { exp } = decoded(token, 1);
  if (exp === undefined) return "never expires";
  const seconds = Math.ceil(exp - Date.now() / 1000);
  if (seconds <= 0) return "expired";
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s left`;
}
