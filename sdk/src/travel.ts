// Does a call's configuration travel in the token, or by reference?
//
// Every carrier has its places for a token, and every place has an end, told or not. What goes is sent with the call;
// what is larger goes by reference when the app can keep it; and what goes neither way is an error here and not a dead line there.

import { type CallClaims, secretIn } from "./claims.js";
import { type ConfigKeeper, referTo } from "./config.js";
import { PatchcordError } from "./error.js";
import { callToken, sealCall, type TokenOptions } from "./token.js";

/** What is the same for every carrier. */
export interface CallOptions extends TokenOptions {
  /** The relay: `wss://relay.example.com`. A path of its own stays, without one it is `/stream/` and the carrier's name. */
  url: string | undefined;
  claims: CallClaims;
  /** Where to keep what is too large to travel with the call. */
  config?: ConfigKeeper;
  /** Seals also what holds no secret. */
  seal?: boolean;
}

export type Travel = "path" | "header" | "parameters" | "reference";

interface Travelling extends CallOptions {
  travel?: Travel;
}

/** The token that goes with the call: of the whole claims, or of what points to them. */
export async function tokenFor(options: Travelling, isLarge: (token: string) => boolean): Promise<string> {
  const { claims, travel, config } = options;
  if (travel === "reference" || (travel === undefined && claims.config)) return reference(options);
  const token = await tokenOf(claims, options).catch((error: unknown) => {
    // Too large for any token: only a reference is left.
    if (error instanceof PatchcordError && error.code === "too_large" && travel === undefined && config) return undefined;
    throw error;
  });
  if (token === undefined || (travel === undefined && config && isLarge(token))) return reference(options);
  return token;
}

async function reference(options: CallOptions): Promise<string> {
  const { claims, config } = options;
  if (claims.config) return tokenOf(claims, options);
  if (!config) throw new PatchcordError("too_large", "to go by reference it needs `config`: where to keep the claims, and where the relay gets them");
  return tokenOf(await referTo(claims, config), options);
}

function tokenOf(claims: CallClaims, options: CallOptions): Promise<string> {
  return options.seal ? sealCall(claims, options) : callToken(claims, options);
}

/** Where a carrier has room for a token, and for how much of one, in characters. */
export interface Room {
  /** For people. */
  name: string;
  way: Travel;
  /** This much goes. */
  good: number;
  /** This much when the way is asked for. */
  most: number;
}

/** The token for a carrier that has one place for it. */
export async function tokenWithin(room: Room, options: Travelling): Promise<string> {
  const token = await tokenFor(options, (token) => token.length > room.good);
  const takes = options.travel === room.way ? room.most : room.good;
  if (token.length > takes) throw tooLong(token, takes, room, options);
  return token;
}

function tooLong(token: string, takes: number, { name, way, most }: Room, { claims, config, travel, seal }: Travelling): PatchcordError {
  const text = `the token has ${token.length} characters, and ${name} has room for ${takes}`;
  if (claims.config || (config && travel !== way)) {
    return new PatchcordError("too_large", `${text}, although it only points to a \`config\`: make that address or \`iss\` shorter`);
  }
  const secret = secretIn(claims);
  const cures = [
    ...(seal || secret ? [] : ["seal it"]),
    "make the prompt smaller",
    secret ? "let the relay have its own keys and give a `config`" : "give a `config`",
    ...(takes < most ? [`try up to ${most} with \`travel: "${way}"\``] : []),
  ];
  return new PatchcordError("too_large", `${text}: ${cures.join(", or ")}`);
}

/** The relay's address with the token as its last segment. */
export async function addressWithToken(relay: URL, address: Room, options: Travelling, query = ""): Promise<string> {
  const taken = relay.href.length + "/".length + query.length;
  if (taken >= address.good) throw new PatchcordError("url", `\`url\` is too long: ${address.name} has ${address.good} characters, and the token needs most of them`);
  const token = await tokenWithin({ ...address, good: address.good - taken, most: address.most - taken }, options);
  return `${relay.href}/${token}${query}`;
}

/** Of a carrier that does not say how long an address may be: 2,000 go everywhere, and the strictest usual proxy takes 8 kB for the first line of a request. */
export function anAddressOf(name: string): Room {
  return { name: `an address at ${name}`, way: "path", good: 2_000, most: 7_000 };
}

/** Of a carrier that does not say how long a header may be: 4,000 is what Telnyx says, and the strictest usual proxy takes 8 kB for one line. */
export function aHeaderOf(name: string): Room {
  return { name: `a header of ${name}`, way: "header", good: 4_000, most: 7_000 };
}
