// How does a call's configuration become a token that only this app can make?
//
// Carriers store and show TwiML, so a signed token is an open letter. A sealed one only the relay can read, and nobody
// without the secret can make one.

import { CompactEncrypt, CompactSign } from "jose";

import { type CallClaims, complete, encoded, type Lifetime, secretIn } from "./claims.js";
import { PatchcordError } from "./error.js";
import { derive, secretFor } from "./secret.js";

export interface TokenOptions extends Lifetime {
  /** The relay's `RELAY_SECRET`. `undefined` is taken so that an unset variable is reported by name. */
  secret: string | undefined;
  /** Which of several secrets; the first when left out. */
  kid?: string;
}

/** A token: sealed when keys or secrets are inside, else signed. */
export function callToken(claims: CallClaims, options: TokenOptions): Promise<string> {
  return secretIn(claims) ? sealCall(claims, options) : signCall(claims, options);
}

/** A signed token: everybody on its way can read it. Claims with keys or secrets are refused. */
export async function signCall(claims: CallClaims, options: TokenOptions): Promise<string> {
  const readable = secretIn(claims);
  if (readable) {
    throw new PatchcordError("secrets_readable", `\`${readable}\` could be read by everybody on the way: use sealCall`);
  }
  const { kid, bytes } = secretFor(options.secret, options.kid);
  const plain = encoded(complete(claims, options));
  const header = { alg: "HS256", typ: TYPE, ...(kid !== undefined && { kid }) };
  return fitting(await new CompactSign(plain).setProtectedHeader(header).sign(bytes));
}

/** A sealed token: only the relay can read it. Compressed as well, where the platform can. */
export async function sealCall(claims: CallClaims, options: TokenOptions): Promise<string> {
  const { kid, bytes } = secretFor(options.secret, options.kid);
  const plain = encoded(complete(claims, options));
  // Some Edge runtimes have no CompressionStream. Relays take both.
  const zip = typeof CompressionStream === "undefined" ? {} : { zip: "DEF" };
  const header = { alg: "dir", enc: "A256GCM", typ: TYPE, ...zip, ...(kid !== undefined && { kid }) };
  const key = await derive(bytes, "patchcord/seal/v1");
  return fitting(await new CompactEncrypt(plain).setProtectedHeader(header).encrypt(key));
}

function fitting(token: string): string {
  if (token.length > TOKEN_MAX) {
    const text = `the token has ${token.length} characters, and a relay takes ${TOKEN_MAX}: seal it, or give a \`config\``;
    throw new PatchcordError("too_large", text);
  }
  return token;
}

/** So that no other token with the same secret passes for one of these. */
const TYPE = "call+jwt";

/** The relay's limit. */
const TOKEN_MAX = 64 * 1024;
