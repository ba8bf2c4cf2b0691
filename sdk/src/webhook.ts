// Is this message from the relay, unchanged, and of now?
//
// Signed as Standard Webhooks says: an id, a time and a signature over both and the body. Tools are signed with a key
// derived from `RELAY_SECRET`; reports too, unless the token brought a `report.secret` (`whsec_…`).

import { PatchcordError } from "./error.js";
import type { Report, ToolCall } from "./messages.js";
import { type Bytes, derive, secretsOf } from "./secret.js";

/** A `Request`, or its headers and raw body as another server has them. */
export type Message =
  | { headers: { get(name: string): string | null }; text(): Promise<string> }
  | { headers: { get(name: string): string | null } | { [name: string]: string | string[] | undefined }; body: string | Uint8Array };

export interface VerifyOptions {
  /** `RELAY_SECRET`; for reports `report.secret` if the token had one. */
  secret: string | undefined;
  /** Now when left out. */
  now?: Date;
}

/** The `webhook-id`. Twice the same is the same message once more, because an answer did not come through. */
export interface Identified {
  id: string;
}

/** A report that is from the relay, or a `PatchcordError`. */
export async function verifyReport<Context = unknown>(message: Message, options: VerifyOptions): Promise<Report<Context> & Identified> {
  const { id, json } = await verify(message, options);
  if (typeof json.type !== "string" || typeof json.data !== "object" || json.data === null) {
    throw new PatchcordError("message_kind", "this message is no report: is it a tool's call?");
  }
  return { ...(json as unknown as Report<Context>), id };
}

/** A call of a tool that is from the relay, or a `PatchcordError`. */
export async function verifyTool<Arguments = { [name: string]: unknown }, Context = unknown>(
  message: Message,
  options: VerifyOptions,
): Promise<ToolCall<Arguments, Context> & Identified> {
  const { id, json } = await verify(message, options);
  if (typeof json.name !== "string" || !("arguments" in json)) {
    throw new PatchcordError("message_kind", "this message is no tool's call: is it a report?");
  }
  return { ...(json as unknown as ToolCall<Arguments, Context>), id };
}

async function verify(message: Message, { secret, now = new Date() }: VerifyOptions): Promise<{ id: string; json: { [name: string]: unknown } }> {
  const keys = await keysOf(secret);
  const [id, time, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => header(message.headers, name));
  if (!id || !time || !signatures) {
    throw new PatchcordError("message_unsigned", "the message has no signature (webhook-id, webhook-timestamp, webhook-signature)");
  }
  // Of a `Request` the body can be read only once, and must be read as text.
  const raw = utf8("text" in message ? await message.text() : message.body);
  const signed = joined(utf8(`${id}.${time}.`), raw);
  const given = signatures.split(" ", SIGNATURES_MAX).flatMap((one) => (one.startsWith("v1,") ? [unbase64(one.slice(3))] : []));
  if (!(await anyFits(keys, given, signed))) {
    const text = "the signature does not fit: app and relay need the same secret, and the body must be verified as it came";
    throw new PatchcordError("message_signature", text);
  }
  const age = Math.abs(now.getTime() / 1000 - Number(time));
  if (!(age <= TOLERANCE)) {
    throw new PatchcordError("message_time", "the message was signed more than five minutes ago, or in the future: check both clocks");
  }
  const json: unknown = parsed(new TextDecoder().decode(raw));
  if (typeof json !== "object" || json === null) throw new PatchcordError("message_kind", "the message is not a JSON object");
  return { id, json: json as { [name: string]: unknown } };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** With each secret in force the relay signs once; one that fits is enough. */
async function keysOf(secret: string | undefined): Promise<CryptoKey[]> {
  const own = secret?.trim().startsWith("whsec_") ? unbase64(secret.trim().slice(6)) : undefined;
  if (own && own.length < 24) {
    throw new PatchcordError("secret_malformed", "a secret of one's own is `whsec_` and base64 of 24 to 64 bytes");
  }
  const keys = own ? [own] : await Promise.all(secretsOf(secret).map(({ bytes }) => derive(bytes, "patchcord/webhook/v1")));
  const hmac = { name: "HMAC", hash: "SHA-256" };
  return Promise.all(keys.map((key) => crypto.subtle.importKey("raw", key, hmac, false, ["verify"])));
}

/** The platform compares, in constant time. */
async function anyFits(keys: CryptoKey[], signatures: Bytes[], signed: Bytes): Promise<boolean> {
  const checks = keys.flatMap((key) => signatures.map((signature) => crypto.subtle.verify("HMAC", key, signature, signed)));
  return (await Promise.all(checks)).includes(true);
}

function header(headers: Message["headers"], name: string): string | undefined {
  if (typeof headers.get === "function") return (headers as { get(name: string): string | null }).get(name) ?? undefined;
  const value = (headers as { [name: string]: string | string[] | undefined })[name];
  return Array.isArray(value) ? value[0] : value;
}

function utf8(text: string | Uint8Array): Bytes {
  return typeof text === "string" ? new TextEncoder().encode(text) : new Uint8Array(text);
}

function joined(a: Bytes, b: Bytes): Bytes {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Nothing when it is no base64: no signature is empty. */
function unbase64(text: string): Bytes {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    return new Uint8Array(0);
  }
}

/** In seconds; what Standard Webhooks advises. The relay signs each attempt anew. */
const TOLERANCE = 5 * 60;

/** A relay has at most 16 secrets. */
const SIGNATURES_MAX = 16;
