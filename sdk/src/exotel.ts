// How does a token reach the relay through Exotel?
//
// In the path of an address of at most 600 characters, which has the sample rate in its query. Custom parameters hold 256
// together and Basic is the only header: neither holds a token. So a prompt practically always goes by reference, and even
// what points to it is sealed, because that packs it.

import { relayAt } from "./address.js";
import { PatchcordError } from "./error.js";
import { addressWithToken, type CallOptions, type Travel } from "./travel.js";

export interface ExotelOptions extends CallOptions {
  /** Samples a second; 8000, the telephone network's own, when left out. */
  sampleRate?: 8000 | 16000 | 24000;
  /** When left out it is sealed where the platform has `CompressionStream`: that makes it shorter. */
  seal?: boolean;
  /** Chosen by size when left out. */
  travel?: Extract<Travel, "path" | "reference">;
}

/** What the dynamic endpoint of a Voicebot applet answers as JSON; its `url` is the `StreamUrl` of the Connect API. `sub` is the `CallSid`. */
export async function connectExotel(options: ExotelOptions): Promise<{ url: string }> {
  const relay = relayAt(options.url, EXOTEL);
  const { sampleRate = 8000, seal = typeof CompressionStream !== "undefined" } = options;
  if (![8000, 16000, 24000].includes(sampleRate)) throw new PatchcordError("url", `\`sampleRate\` is ${sampleRate}: Exotel has 8000, 16000 and 24000`);
  return { url: await addressWithToken(relay, ADDRESS, { ...options, seal }, `?sample-rate=${sampleRate}`) };
}

const EXOTEL = { name: "Exotel", route: "exotel" };

/** What the Connect API takes. Nothing is told of the applet's, so they are the same here. */
const ADDRESS = { name: "an address at Exotel", way: "path", good: 600, most: 600 } as const;
