// How does a token reach the relay through Twilio?
//
// Twilio drops query strings, takes less than 500 characters for a parameter's name and value together, and at most 64 kB
// of document. Small tokens go into the path: the relay then knows the call before its audio comes. Larger ones go into
// numbered parameters. What is too large for these, or merely large, goes by reference when the app can keep it.

import type { CallClaims } from "./claims.js";
import { type ConfigKeeper, referTo } from "./config.js";
import { PatchcordError } from "./error.js";
import { callToken, sealCall, type TokenOptions } from "./token.js";

export interface ConnectOptions extends TokenOptions {
  /** The relay: `wss://relay.example.com`. A path of its own stays, without one it is `/stream/twilio`. */
  url: string | undefined;
  claims: CallClaims;
  /** Where Twilio asks what comes after the agent: an address, or a path of your app. Without it the document ends, and so does the call. */
  action?: string;
  /** Where Twilio tells that the stream began, ended or failed: a whole address. */
  statusCallback?: string;
  /** Where to keep what is too large for the document. */
  config?: ConfigKeeper;
  /** Chosen by size when left out. */
  travel?: Travel;
  /** Seals also what holds no secret. */
  seal?: boolean;
  /** The document goes into `Twiml=` of a new call, which takes 4,000 characters and not 64 kB. */
  inline?: boolean;
}

export type Travel = "path" | "parameters" | "reference";

/** The document that answers the carrier's webhook. */
export async function connectTwiml(options: ConnectOptions): Promise<string> {
  const { claims, travel, config } = options;
  const relay = relayAt(options.url);
  if (travel === "reference" || (travel === undefined && claims.config)) return referred(relay, options);
  const token = await tokenOf(claims, options).catch((error: unknown) => {
    // Too large for any token: only a reference is left.
    if (error instanceof PatchcordError && error.code === "too_large" && travel === undefined && config) return undefined;
    throw error;
  });
  if (token === undefined || (travel === undefined && config && isLarge(token, relay, options))) return referred(relay, options);
  return carrying(relay, token, options);
}

/** Whether a reference is the better way, when there is one. */
function isLarge(token: string, relay: URL, options: ConnectOptions): boolean {
  return token.length > PARAMETERS_GOOD || document(relay, token, options).length > limit(options);
}

async function referred(relay: URL, options: ConnectOptions): Promise<string> {
  const { claims, config } = options;
  if (claims.config) return carrying(relay, await tokenOf(claims, options), { ...options, travel: undefined });
  if (!config) throw new PatchcordError("too_large", "to go by reference it needs `config`: where to keep the claims, and where the relay gets them");
  return carrying(relay, await tokenOf(await referTo(claims, config), options), { ...options, travel: undefined });
}

function tokenOf(claims: CallClaims, options: ConnectOptions): Promise<string> {
  return options.seal ? sealCall(claims, options) : callToken(claims, options);
}

function carrying(relay: URL, token: string, options: ConnectOptions): string {
  const text = document(relay, token, options);
  if (text.length > limit(options)) {
    const where = options.inline ? "`Twiml=` takes 4000 characters: let Twilio fetch the document from a `Url`" : "Twilio takes 64 kB: seal it";
    throw new PatchcordError("too_large", `the document has ${text.length} characters, and ${where}, or give a \`config\``);
  }
  return text;
}

function limit({ inline }: ConnectOptions): number {
  return inline ? INLINE_MAX : DOCUMENT_MAX;
}

function document(relay: URL, token: string, { action, statusCallback, travel }: ConnectOptions): string {
  const inPath = travel === "path" || (travel !== "parameters" && token.length <= PATH_MAX);
  const url = inPath ? `${relay.href}/${token}` : relay.href;
  if (inPath && token.length > LONGEST_PATH) {
    throw new PatchcordError("too_large", `the token has ${token.length} characters, and a path should not have more than ${LONGEST_PATH}: leave \`travel\` out`);
  }
  const connect = attributes({ action: callback("action", action, "https://this.app") });
  const stream = attributes({ url, statusCallback: callback("statusCallback", statusCallback, undefined) });
  const parameters = inPath ? "" : inPieces(token);
  const inner = parameters === "" ? `<Stream${stream}/>` : `<Stream${stream}>${parameters}</Stream>`;
  return `<?xml version="1.0" encoding="UTF-8"?><Response><Connect${connect}>${inner}</Connect></Response>`;
}

/** Their order gets lost on the way, so they are numbered and counted. */
function inPieces(token: string): string {
  const pieces = token.match(new RegExp(`.{1,${PIECE}}`, "g")) ?? [];
  if (pieces.length + 1 > PARAMETERS_MAX) {
    const text = `the token has ${token.length} characters, which do not fit into ${PARAMETERS_MAX} parameters: seal it, or give a \`config\``;
    throw new PatchcordError("too_large", text);
  }
  const parameter = (name: string, value: string) => `<Parameter${attributes({ name, value })}/>`;
  return parameter("tn", String(pieces.length)) + pieces.map((piece, i) => parameter(`t${i}`, piece)).join("");
}

function relayAt(address: string | undefined): URL {
  if (!address?.trim()) throw new PatchcordError("url", "`url` is not set: the relay's address, such as wss://relay.example.com (VOICE_SERVER_URL)");
  let url = read(address.trim());
  if (!url) throw new PatchcordError("url", "`url` is no address: write it like wss://relay.example.com");
  if (url.protocol === "https:") url = new URL(`wss:${url.href.slice("https:".length)}`);
  if (url.protocol !== "wss:") throw new PatchcordError("url", "`url` does not begin with wss://, and Twilio opens no other streams");
  if (address.includes("?")) throw new PatchcordError("url", "`url` has a query, which Twilio drops: the token travels by itself, and yours goes into `context`");
  if (address.includes("#")) throw new PatchcordError("url", "`url` has a `#`, and what is behind it never leaves");
  if (url.username || url.password) throw new PatchcordError("url", "`url` has a user or a password in it: the token is what opens the relay");
  const path = url.pathname.replace(/\/+$/, "");
  return new URL(path === "" ? "/stream/twilio" : path, url);
}

/** Without a `base` Twilio wants a whole address; with one it finds the rest by its own request. */
function callback(name: string, address: string | undefined, base: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const whole = read(address, base);
  // The carrier takes these as they are, so nothing may stand in them that an address does not have.
  if (!whole || !/^https?:$/.test(whole.protocol) || /[\s\p{Cc}]/u.test(address) || address === "") {
    const cure = base === undefined ? "give a whole one, https://" : "give an https:// one, or a path of your app";
    throw new PatchcordError("url", `\`${name}\` is no address that Twilio can call: ${cure}`);
  }
  return address;
}

function read(address: string, base?: string): URL | undefined {
  try {
    return new URL(address, base);
  } catch {
    return undefined;
  }
}

function attributes(all: { [name: string]: string | undefined }): string {
  const given = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [` ${name}="${escaped(value)}"`]));
  return given.join("");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** With the relay's name in front of it below the 1,200 characters that no proxy minds. */
const PATH_MAX = 1_000;

/** When `path` is asked for. The strictest usual proxy takes 8 kB for the first line of a request. */
const LONGEST_PATH = 7_000;

/** Twilio takes less than 500 for name and value together. */
const PIECE = 480;

/** With `tn`: as many as Twilio's own API has names for. */
const PARAMETERS_MAX = 99;

/** Twilio packs documents into something with a limit of its own that is not written anywhere; this much is known to go well. */
const PARAMETERS_GOOD = 16_000;

/** Of Twilio's 64 kB, with room for what it may count otherwise. */
const DOCUMENT_MAX = 60_000;

/** What Twilio takes as `Twiml=` when a call is made. */
const INLINE_MAX = 4_000;
