// How is an answer in XML written, so that nothing in a value becomes an element of its own?

import { type Carrier, callback } from "./address.js";
import type { CallOptions } from "./travel.js";

/** What is the same for every carrier that is answered with XML and goes on with it when the relay has closed the stream. */
export interface AnswerOptions extends CallOptions {
  /** Where the carrier gets the document that comes after the agent: a whole address. Without it the document ends, and so does the call. */
  action?: string;
  /** Where the carrier tells that the stream began, ended or failed: a whole address. */
  statusCallback?: string;
}

/** Both addresses, checked. */
export function callbacks({ action, statusCallback }: AnswerOptions, carrier: Carrier): Pick<AnswerOptions, "action" | "statusCallback"> {
  return { action: callback("action", action, carrier), statusCallback: callback("statusCallback", statusCallback, carrier) };
}

/** The whole document. What stands behind the stream is done when the relay has closed it. */
export function xmlAnswer(stream: string, after?: string): string {
  const then = after === undefined ? "" : `<Redirect>${inText(after)}</Redirect>`;
  return `<?xml version="1.0" encoding="UTF-8"?><Response>${stream}${then}</Response>`;
}

export function attributes(all: { [name: string]: string | undefined }): string {
  const given = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [` ${name}="${inAttribute(value)}"`]));
  return given.join("");
}

export function inText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function inAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
