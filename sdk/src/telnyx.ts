// How does a token reach the relay through Telnyx?
//
// TeXML has an address and nothing else that is known to hold one. Call Control has `stream_auth_token`, which comes as a
// header, takes 4,000 characters, and is no parameter of `answer`. Both play MP3 files unless told to take RTP.

import { relayAt } from "./address.js";
import { PatchcordError } from "./error.js";
import { addressWithToken, anAddressOf, type CallOptions, tokenWithin, type Travel } from "./travel.js";
import { type AnswerOptions, attributes, callbacks, xmlAnswer } from "./xml.js";

export interface TexmlOptions extends AnswerOptions {
  /** Chosen by size when left out. */
  travel?: Extract<Travel, "path" | "reference">;
}

/** The document that answers a TeXML application's webhook. `sub` is its `CallSid`, which is the `call_control_id`. */
export async function connectTexml(options: TexmlOptions): Promise<string> {
  const relay = relayAt(options.url, TELNYX);
  const { action, statusCallback } = callbacks(options, TELNYX);
  const url = await addressWithToken(relay, anAddressOf(TELNYX.name), options);
  const stream = attributes({ url, track: TRACK, bidirectionalMode: "rtp", bidirectionalCodec: CODEC, statusCallback });
  return xmlAnswer(`<Connect><Stream${stream}/></Connect>`, action);
}

export interface CallControlOptions extends CallOptions {
  /** Which command the parameters are for; `streaming_start` when left out. */
  command?: "streaming_start" | "dial" | "answer";
  /** Chosen by size when left out. `answer` has no header. */
  travel?: Extract<Travel, "path" | "header" | "reference">;
}

/** What goes into a Call Control command beside its own parameters. */
export interface CallControlStream {
  stream_url: string;
  stream_track: typeof TRACK;
  stream_bidirectional_mode: "rtp";
  stream_bidirectional_codec: typeof CODEC;
  stream_bidirectional_sampling_rate?: 8000;
  stream_auth_token?: string;
}

/** The parameters that let a Call Control command stream to the relay. `sub` is the call's `call_control_id`. */
export async function connectCallControl(options: CallControlOptions): Promise<CallControlStream> {
  const relay = relayAt(options.url, TELNYX);
  const usual = { stream_track: TRACK, stream_bidirectional_mode: "rtp", stream_bidirectional_codec: CODEC } as const;
  const { command, travel } = options;
  if (command === "answer" && travel === "header") {
    throw new PatchcordError("too_large", "`answer` takes no token of its own: leave `travel` out, or begin the stream with `streaming_start`");
  }
  // `answer` knows no rate either: µ-law has 8,000 by itself.
  const rate = command === "answer" ? {} : ({ stream_bidirectional_sampling_rate: 8000 } as const);
  if (command === "answer" || travel === "path") {
    return { stream_url: await addressWithToken(relay, anAddressOf(TELNYX.name), options), ...usual, ...rate };
  }
  return { stream_url: relay.href, ...usual, ...rate, stream_auth_token: await tokenWithin(AUTH_TOKEN, options) };
}

const TELNYX = { name: "Telnyx", route: "telnyx" };

/** The caller alone: the agent must not hear itself. */
const TRACK = "inbound_track";

const CODEC = "PCMU";

/** Telnyx says so itself. */
const AUTH_TOKEN = { name: "Telnyx' `stream_auth_token`", way: "header", good: 4_000, most: 4_000 } as const;
