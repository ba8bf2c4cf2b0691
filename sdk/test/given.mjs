// What several tests begin with.

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

/** Text that hardly gets smaller when it is packed. */
export function prose(length) {
  let [text, state] = ["", 1];
  while (text.length < length) {
    state = (state * 48271) % 2147483647;
    text += String.fromCharCode(33 + (state % 90)).replace(/["\\]/, "x");
  }
  return text;
}
