// How does a token reach the relay through Plivo?
//
// In the path. Plivo's own way is `extraHeaders`, which takes 512 bytes of letters and digits: a token has dots as well.

import { relayAt } from "./address.js";
import { addressWithToken, anAddressOf, type Travel } from "./travel.js";
import { type AnswerOptions, attributes, callbacks, inText, xmlAnswer } from "./xml.js";

export interface PlivoOptions extends AnswerOptions {
  /** Chosen by size when left out. */
  travel?: Extract<Travel, "path" | "reference">;
}

/** The document that answers Plivo's webhook. `sub` is its `CallUUID`. */
export async function connectPlivo(options: PlivoOptions): Promise<string> {
  const relay = relayAt(options.url, PLIVO);
  const { action, statusCallback: statusCallbackUrl } = callbacks(options, PLIVO);
  const url = await addressWithToken(relay, anAddressOf(PLIVO.name), options);
  const stream = attributes({
    bidirectional: "true",
    // Else the rest of the document, or its end, would not wait for the stream.
    keepCallAlive: "true",
    audioTrack: "inbound",
    // Plivo's documents disagree on what it is when left out.
    contentType: "audio/x-mulaw;rate=8000",
    statusCallbackUrl,
  });
  return xmlAnswer(`<Stream${stream}>${inText(url)}</Stream>`, action);
}

const PLIVO = { name: "Plivo", route: "plivo" };
