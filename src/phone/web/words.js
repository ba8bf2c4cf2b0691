// What went wrong, and what to do about it, in words for the person at the phone.

/** A close of the line, explained; nothing when it was an ordinary end. */
export function closing({ code, reason }, ended) {
  if (code === 1000) return "";
  if (code === 1001) return "The relay is about to stop and has ended its calls. Call again in a moment.";
  if (code === 1008) return REFUSED[reason] ? `${REFUSED[reason]} (${reason})` : `The relay refused the call: ${reason || "no reason given"}. ${TOKEN}`;
  if (code === 1011) return `The agent cannot be reached any more. ${ended?.text ?? "The relay's log says why."}`;
  if (code === 1013) return "The relay is full. Call again in a moment.";
  return `The line broke (${code}). Check the network, and whether the relay still runs.`;
}

/** A line that never opened. A browser hides why, so the relay is asked once more, as a page. */
export async function unopened() {
  try {
    const answer = await fetch("/stream/browser", { cache: "no-store" });
    const { error } = await answer.json();
    if (answer.status !== 426) return `The relay does not take the call: ${error.message} (${error.code})`;
    return "The relay is there, but the line could not be opened. A proxy in between may not let WebSockets through.";
  } catch {
    return "The relay cannot be reached. Does it still run?";
  }
}

const TOKEN = "`patchcord token --inspect` explains a token.";

const REFUSED = {
  token_missing: "No token came with the call: paste one.",
  token_malformed: "This is no token: paste the whole of it, and nothing else.",
  token_expired: "The token is too old: they live for minutes. Make a new one.",
  token_not_yet_valid: "The token is not valid yet: check the clock of the machine that made it.",
  token_signature: "The token was made with another secret than this relay's RELAY_SECRET.",
  token_seal: "The token does not open: it was sealed with another secret than this relay's RELAY_SECRET.",
  token_unbound: "The token names no call: make it with this page's call id as its `sub`.",
  claims_key_missing: "Neither the token nor this relay has the provider's key.",
  token_audience: "The token is for another relay: its `aud` is not this one's RELAY_AUDIENCE.",
  token_other_call: "The token was made for another call: write the call id that it was made for, or make it for the one shown here.",
  token_other_account: "The token names an account (`acct`), and a browser has none: make it without.",
  token_replayed: "The token was used already: each is for one call. Make a new one.",
  start_timeout: "The relay heard no good token in time. Call again.",
};
