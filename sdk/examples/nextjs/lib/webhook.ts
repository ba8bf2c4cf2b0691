// Is this request from our Twilio account? Then its fields, else nothing.

import twilio from "twilio";
import { here, setting } from "./settings";

export async function fromTwilio(request: Request): Promise<{ [field: string]: string } | undefined> {
  const { pathname, search } = new URL(request.url);
  const fields = Object.fromEntries(new URLSearchParams(await request.text()));
  const signature = request.headers.get("x-twilio-signature") ?? "";
  // The address as Twilio knows it: behind a proxy `request.url` has another host.
  return twilio.validateRequest(setting("TWILIO_AUTH_TOKEN"), signature, here(pathname + search), fields) ? fields : undefined;
}

export function forbidden(): Response {
  return new Response("Twilio did not sign this: are TWILIO_AUTH_TOKEN and APP_URL right?\n", { status: 403 });
}

export function twiml(document: string): Response {
  return new Response(document, { headers: { "content-type": "text/xml" } });
}
