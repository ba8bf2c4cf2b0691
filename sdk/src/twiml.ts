// How does a token reach the relay through Twilio?
//
// Twilio drops query strings, takes less than 500 characters for a parameter's name and value together, and at most 64 kB
// of document. Small tokens go into the path: the relay then knows the call before its audio comes. Larger ones go into
// numbered parameters. What is too large for these, or merely large, goes by reference when the app can keep it.

import { callback, relayAt } from "./address.js";
import { PatchcordError } from "./error.js";
import { inPieces } from "./pieces.js";
import { type CallOptions, tokenFor, type Travel } from "./travel.js";
import { attributes, xmlAnswer } from "./xml.js";

export interface ConnectOptions extends CallOptions {
  /** Where Twilio asks what comes after the agent: an address, or a path of your app. Without it the document ends, and so does the call. */
  action?: string;
  /** Where Twilio tells that the stream began, ended or failed: a whole address. */
  statusCallback?: string;
  /** Chosen by size when left out. */
  travel?: Exclude<Travel, "header">;
  /** The document goes into `Twiml=` of a new call, which takes 4,000 characters and not 64 kB. */
  inline?: boolean;
}

/** The document that answers Twilio's webhook. */
export async function connectTwiml(options: ConnectOptions): Promise<string> {
  const relay = relayAt(options.url, TWILIO);
  const isLarge = (token: string) => token.length > PARAMETERS_GOOD || document(relay, token, options).length > limit(options);
  const token = await tokenFor(options, isLarge);
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
  const connect = attributes({ action: callback("action", action, TWILIO, "https://this.app") });
  const stream = attributes({ url, statusCallback: callback("statusCallback", statusCallback, TWILIO) });
  const parameters = inPath ? "" : inPieces(token);
  const inner = parameters === "" ? `<Stream${stream}/>` : `<Stream${stream}>${parameters}</Stream>`;
  return xmlAnswer(`<Connect${connect}>${inner}</Connect>`);
}

const TWILIO = { name: "Twilio", route: "twilio" };

/** With the relay's name in front of it below the 1,200 characters that no proxy minds. */
const PATH_MAX = 1_000;

/** When `path` is asked for. The strictest usual proxy takes 8 kB for the first line of a request. */
const LONGEST_PATH = 7_000;

/** Twilio packs documents into something with a limit of its own that is not written anywhere; this much is known to go well. */
const PARAMETERS_GOOD = 16_000;

/** Of Twilio's 64 kB, with room for what it may count otherwise. */
const DOCUMENT_MAX = 60_000;

/** What Twilio takes as `Twiml=` when a call is made. */
const INLINE_MAX = 4_000;
