// How does a token reach the relay through Vonage?
//
// As `Authorization` of the upgrade. What is called `headers` is none: it comes with the first message. Vonage itself tells
// a stream nothing of its call, so the call's `uuid` is sent that way, and the relay holds it against `sub`.

import { callback, relayAt } from "./address.js";
import { PatchcordError } from "./error.js";
import { aHeaderOf, type CallOptions, tokenWithin, type Travel } from "./travel.js";

export interface NccoOptions extends CallOptions {
  /** Your number, as Vonage wants it in `connect`. */
  from?: string;
  /** Where Vonage tells how the stream goes (`eventUrl`): a whole address. */
  statusCallback?: string;
  /** Samples a second; 16000 when left out. */
  sampleRate?: 8000 | 16000;
  /** Chosen by size when left out. */
  travel?: Extract<Travel, "header" | "reference">;
}

/** An action of an NCCO. */
export interface NccoConnect {
  action: "connect";
  from?: string;
  eventUrl?: [string];
  endpoint: [
    {
      type: "websocket";
      uri: string;
      "content-type": string;
      authorization: { type: "custom"; value: string };
      headers?: { uuid: string };
    },
  ];
}

/** The NCCO that answers Vonage's webhook; put behind it what comes after the agent. `sub` is the webhook's `uuid`. */
export async function connectNcco(options: NccoOptions): Promise<[NccoConnect]> {
  const relay = relayAt(options.url, VONAGE);
  const eventUrl = callback("statusCallback", options.statusCallback, VONAGE);
  const { from, sampleRate = 16000, claims } = options;
  if (![8000, 16000].includes(sampleRate)) throw new PatchcordError("url", `\`sampleRate\` is ${sampleRate}: it can be 8000 and 16000`);
  const headers = claims.sub ? { uuid: claims.sub } : undefined;
  if (headers && new TextEncoder().encode(JSON.stringify(headers)).length > HEADERS_MAX) {
    throw new PatchcordError("claims", "`sub` is too long for Vonage's `headers`: it should be the `uuid` of the answer webhook");
  }
  const token = await tokenWithin(aHeaderOf(VONAGE.name), options);
  return [
    {
      action: "connect",
      ...(from !== undefined && { from }),
      ...(eventUrl !== undefined && { eventUrl: [eventUrl] as [string] }),
      endpoint: [
        {
          type: "websocket",
          uri: relay.href,
          "content-type": `audio/l16;rate=${sampleRate}`,
          authorization: { type: "custom", value: `Bearer ${token}` },
          ...(headers && { headers }),
        },
      ],
    },
  ];
}

const VONAGE = { name: "Vonage", route: "vonage" };

/** In bytes, and in all: what Vonage's guide once said. */
const HEADERS_MAX = 512;
