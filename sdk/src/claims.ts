// What goes into a token: what the app says, what is the same in every token, and what of it nobody may read.

import type { CallToken } from "./call-token.js";
import { PatchcordError } from "./error.js";

/** The claims of a call. The times are added, and so are `aud`, `jti` and `v` where they are left out. */
export type CallClaims = Omit<CallToken, "aud" | "iat" | "exp" | "nbf"> & Partial<Pick<CallToken, "aud">>;

export interface Lifetime {
  /** How many seconds the call has to begin: 90 when left out, 900 at most. Count what rings or is said before `<Connect>`. */
  expiresIn?: number;
  /** The time when the token is made; now when left out. */
  now?: Date;
}

/** The whole claims. */
export function complete(claims: CallClaims, { expiresIn = USUAL_LIFE, now = new Date() }: Lifetime): CallToken {
  if (!claims.iss) {
    throw new PatchcordError("claims", "`iss` is missing: name your app, such as https://app.example.com");
  }
  if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > LONGEST_LIFE) {
    throw new PatchcordError("claims", `\`expiresIn\` is ${expiresIn}: whole seconds from 1 to ${LONGEST_LIFE}`);
  }
  const iat = Math.floor(now.getTime() / 1000);
  if (!Number.isFinite(iat)) throw new PatchcordError("claims", "`now` is not a time");
  return {
    ...claims,
    aud: claims.aud ?? "patchcord",
    jti: claims.jti ?? crypto.randomUUID(),
    v: claims.v ?? 1,
    iat,
    exp: iat + expiresIn,
  };
}

/** Where the first thing stands that nobody but the relay should read; nothing when there is none. */
export function secretIn(claims: CallClaims): string | undefined {
  const { keys, openAIKey, report, call, tools } = claims;
  const key = Object.entries(keys ?? {}).find(([, value]) => value !== undefined && value !== null);
  if (key) return `keys.${key[0]}`;
  if (openAIKey) return "openAIKey";
  if (report?.secret) return "report.secret";
  // Whoever has it can write there.
  if (call?.record) return "call.record.put_url";
  const tool = (tools ?? []).findIndex((tool) => tool.kind === "mcp" && tool.authorization);
  return tool < 0 ? undefined : `tools[${tool}].authorization`;
}

/** As compact as it gets; what is `undefined` is left out. */
export function encoded(value: unknown): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  if (bytes.length > CLAIMS_MAX) {
    throw new PatchcordError("too_large", `the claims have ${bytes.length} bytes, and a relay takes ${CLAIMS_MAX}: is all of the prompt needed?`);
  }
  return bytes;
}

/** Long enough for a webhook that takes its time, too short to be found in a log and used. */
const USUAL_LIFE = 90;

/** The relay's own limit. */
const LONGEST_LIFE = 15 * 60;

/** The relay's limit for unpacked claims, and for what `config` points to. */
const CLAIMS_MAX = 250_000;
