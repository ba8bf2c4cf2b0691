// How does a token travel in parameters, of which each holds only a piece?

import { PatchcordError } from "./error.js";
import { attributes } from "./xml.js";

/** Their order gets lost on the way, so they are numbered and counted. */
export function inPieces(token: string): string {
  const pieces = token.match(new RegExp(`.{1,${PIECE}}`, "g")) ?? [];
  if (pieces.length + 1 > PARAMETERS_MAX) {
    const text = `the token has ${token.length} characters, which do not fit into ${PARAMETERS_MAX} parameters: seal it, or give a \`config\``;
    throw new PatchcordError("too_large", text);
  }
  const parameter = (name: string, value: string) => `<Parameter${attributes({ name, value })}/>`;
  return parameter("tn", String(pieces.length)) + pieces.map((piece, i) => parameter(`t${i}`, piece)).join("");
}

/** Twilio takes less than 500 for name and value together. */
const PIECE = 480;

/** With `tn`: as many as Twilio's own API has names for. */
const PARAMETERS_MAX = 99;
