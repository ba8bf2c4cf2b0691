// How does a configuration travel that is too large for a token?
//
// The app keeps the JSON, the token has its address and its hash, and the relay fetches it with the token as its
// authorisation. Whoever sees the token can do the same while it lives, so nothing secret goes this way.

import { compactDecrypt, compactVerify, decodeProtectedHeader, errors } from "jose";

import type { CallToken } from "./call-token.js";
import { type CallClaims, encoded, secretIn } from "./claims.js";
import { PatchcordError } from "./error.js";
import { derive, secretsOf } from "./secret.js";

export interface ConfigKeeper {
  /** Where the relay gets the JSON with that hash: an https address of your app. */
  url: (sha256: string) => string;
  /** Keeps the JSON until the call has begun, where every instance of your app finds it. The same hash is the same JSON. */
  keep: (sha256: string, json: string) => void | Promise<void>;
}

/** The same call, with everything large kept by the app. */
export async function referTo(claims: CallClaims, keeper: ConfigKeeper): Promise<CallClaims> {
  const readable = secretIn(claims);
  if (readable) {
    const text = `\`${readable}\` cannot go by reference: whoever sees the token could fetch it. Give the relay its own keys, or make the prompt smaller`;
    throw new PatchcordError("secrets_readable", text);
  }
  const { agent, legs, keys: _, tools, call, report, context, ...rest } = claims;
  const { agentId, openAIKey: __, prompt, voice, temperature, ...small } = rest;
  const flat = [agentId, prompt, voice, temperature].some((value) => value !== undefined && value !== null);
  const body = flat
    ? { agent: { id: agentId, prompt, voice, temperature }, legs: [{ kind: "openai" }], tools, call, report, context }
    : { agent, legs, tools, call, report, context };
  const bytes = encoded(body);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const sha256 = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  await keeper.keep(sha256, new TextDecoder().decode(bytes));
  return { ...small, config: { url: keeper.url(sha256), sha256 } };
}

/** Of a relay that asks for a configuration: its token, proven. Answer with the JSON that was kept for `sha256`, byte by byte. */
export async function verifyConfigRequest(
  request: { headers: { get(name: string): string | null } },
  { secret, now = new Date() }: { secret: string | undefined; now?: Date },
): Promise<{ sha256: string; claims: CallToken }> {
  const secrets = secretsOf(secret);
  const token = /^Bearer ([\w.-]+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (!token) throw new PatchcordError("message_unsigned", "the request has no token (Authorization: Bearer)");
  let bytes: Uint8Array | undefined;
  for (const { bytes: key } of secrets) bytes ??= await opened(token, key);
  if (!bytes) throw new PatchcordError("message_signature", "the token does not open: app and relay need the same secret");
  const claims = JSON.parse(new TextDecoder().decode(bytes)) as CallToken;
  if (!(now.getTime() / 1000 <= claims.exp + GRACE)) throw new PatchcordError("message_time", "the token has expired");
  if (!claims.config?.sha256) throw new PatchcordError("message_kind", "the token points to no configuration");
  return { sha256: claims.config.sha256, claims };
}

async function opened(token: string, secret: Uint8Array<ArrayBuffer>): Promise<Uint8Array | undefined> {
  try {
    // A login token with the same secret must not pass for a call's.
    if (decodeProtectedHeader(token).typ !== "call+jwt") return undefined;
    if (token.split(".").length === 3) return (await compactVerify(token, secret, { algorithms: ["HS256"] })).payload;
    const key = await derive(secret, "patchcord/seal/v1");
    const only = { keyManagementAlgorithms: ["dir"], contentEncryptionAlgorithms: ["A256GCM"] };
    return (await compactDecrypt(token, key, only)).plaintext;
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** In seconds. The relay asks when the stream is open, and looks at `exp` just before. */
const GRACE = 15;
