// The agent is done: what comes next? Twilio asks when the relay has closed the stream.

import twilio from "twilio";
import { find } from "@/lib/calls";
import { forbidden, fromTwilio, twiml } from "@/lib/webhook";

export async function POST(request: Request): Promise<Response> {
  const fields = await fromTwilio(request);
  if (!fields) return forbidden();
  const answer = new twilio.twiml.VoiceResponse();
  const number = find(fields.CallSid ?? "")?.transferTo;
  if (number) answer.dial({ answerOnBridge: true }, number);
  else answer.hangup();
  return twiml(answer.toString());
}
