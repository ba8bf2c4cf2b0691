// Twilio tells how the stream goes. Only trouble is worth a line.

import { forbidden, fromTwilio } from "@/lib/webhook";

export async function POST(request: Request): Promise<Response> {
  const fields = await fromTwilio(request);
  if (!fields) return forbidden();
  if (fields.StreamEvent === "stream-error") console.error(`the stream of ${fields.CallSid} failed:`, fields.StreamError);
  return new Response(null, { status: 204 });
}
