// Who answers the phone? Everything here goes into the token of each call; the relay keeps nothing.

import type { CallClaims, Leg } from "patchcord";
import { here } from "./settings";

export function agentFor(call: { id: string; account: string; from: string }): CallClaims {
  const { OPENAI_API_KEY: openai, DEEPGRAM_API_KEY: deepgram, GROQ_API_KEY: groq, TRANSFER_TO: baker } = process.env;
  const legs: Leg[] = [];
  if (openai) legs.push({ kind: "openai", model: "gpt-realtime-2.1-mini" });
  if (deepgram && groq) {
    legs.push({
      kind: "cascade",
      stt: { provider: "deepgram", model: "flux-general-en" },
      llm: { provider: "groq", model: "openai/gpt-oss-20b" },
      tts: { provider: "deepgram", voice: "aura-2-thalia-en" },
    });
  }
  if (legs.length === 0) throw new Error("nobody can answer: set OPENAI_API_KEY, or DEEPGRAM_API_KEY and GROQ_API_KEY");
  return {
    iss: here("/").replace(/\/$/, ""),
    sub: call.id,
    acct: call.account || undefined,
    agent: {
      id: "front-desk",
      prompt: "You answer the phone for the bakery in Mill Street. Be brief and friendly. Look the opening hours up before you say them.",
      greeting: "Hello, Mill Street Bakery.",
    },
    legs,
    keys: { openai: openai || undefined, deepgram: deepgram || undefined, groq: groq || undefined },
    tools: [
      {
        name: "opening_hours",
        description: "When the bakery is open on a day of the week.",
        parameters: { type: "object", properties: { day: { type: "string" } }, required: ["day"] },
        url: here("/api/tools/opening-hours"),
        say: "One moment, I am looking that up.",
      },
      { kind: "hang_up" },
      ...(baker ? [{ kind: "transfer" as const, description: "When the caller wants to talk to a person.", targets: { baker } }] : []),
    ],
    call: { max_seconds: 900, error_message: "Sorry, something went wrong. Please call again." },
    report: { url: here("/api/calls/report"), events: ["call.started", "call.ended"] },
    context: { from: call.from },
  };
}
