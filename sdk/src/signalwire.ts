// How does a token reach the relay through SignalWire?
//
// As a bearer token, which comes with the upgrade: the relay then knows the call before its audio comes. What is too long
// for a header goes by reference, or into parameters as at Twilio. Addresses lose their query.

import { relayAt } from "./address.js";
import { inPieces } from "./pieces.js";
import { aHeaderOf, tokenFor, tokenWithin, type Travel } from "./travel.js";
import { type AnswerOptions, attributes, callbacks, xmlAnswer } from "./xml.js";

export interface CxmlOptions extends AnswerOptions {
  /** Chosen by size when left out. */
  travel?: Exclude<Travel, "path">;
}

/** The cXML document that answers SignalWire's webhook. `sub` is its `CallSid`. */
export async function connectCxml(options: CxmlOptions): Promise<string> {
  const relay = relayAt(options.url, SIGNALWIRE);
  const { action, statusCallback } = callbacks(options, SIGNALWIRE);
  const header = aHeaderOf(SIGNALWIRE.name);
  const { travel } = options;
  const token = travel === "header" ? await tokenWithin(header, options) : await tokenFor(options, (token) => token.length > header.good);
  const inHeader = travel === "header" || (travel !== "parameters" && token.length <= header.good);
  const stream = attributes({ url: relay.href, authBearerToken: inHeader ? token : undefined, codec: "PCMU@8000h", realtime: "true", statusCallback });
  const element = inHeader ? `<Stream${stream}/>` : `<Stream${stream}>${inPieces(token)}</Stream>`;
  return xmlAnswer(`<Connect>${element}</Connect>`, action);
}

const SIGNALWIRE = { name: "SignalWire", route: "signalwire" };
