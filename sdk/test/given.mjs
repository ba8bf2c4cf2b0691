// What several tests begin with.

import { PatchcordError } from "patchcord";

export const SECRET = "0123456789abcdef0123456789abcdef";

export const CALL = "CA33333333333333333333333333333333";

/** A line test: needs no provider, and greets with a chime. */
export const ECHO = { iss: "https://app.example.com", sub: CALL, agent: { id: "front-desk", greeting: "Hello." }, legs: [{ kind: "echo" }] };

export const BAKERY = {
  iss: "https://app.example.com",
  sub: CALL,
  agent: { id: "front-desk", prompt: "You answer the phone for a bakery.", greeting: "Hello, this is the bakery." },
  legs: [{ kind: "openai", model: "gpt-realtime-2.1-mini" }],
};

export const withPrompt = (length) => ({ ...BAKERY, agent: { ...BAKERY.agent, prompt: prose(length) } });

/** What `assert.rejects` should find. */
export const refused = (code, pattern = /./) => (error) => error instanceof PatchcordError && error.code === code && pattern.test(error.message);

/** An app that keeps configurations. */
export function keeper() {
  const kept = new Map();
  return { kept, config: { url: (sha256) => `https://app.example.com/config/${sha256}`, keep: (sha256, json) => void kept.set(sha256, json) } };
}

/** Text that hardly gets smaller when it is packed. */
export function prose(length) {
  let [text, state] = ["", 1];
  while (text.length < length) {
    state = (state * 48271) % 2147483647;
    text += String.fromCharCode(33 + (state % 90)).replace(/["\\]/, "x");
  }
  return text;
}
