// Somebody calls: whom do they talk to?

import { connectTwiml } from "patchcord";
import twilio from "twilio";
import { agentFor } from "@/lib/agent";
import { note } from "@/lib/calls";
import { here, setting } from "@/lib/settings";
import { forbidden, fromTwilio, twiml } from "@/lib/webhook";

export async function POST(request: Request): Promise<Response> {
  try {
    const fields = await fromTwilio(request);
    if (!fields) return forbidden();
    const { CallSid: id = "", AccountSid: account = "", From: from = "" } = fields;
    const document = await connectTwiml({
      url: setting("VOICE_SERVER_URL"),
      secret: setting("RELAY_SECRET"),
      claims: agentFor({ id, account, from }),
      action: here("/api/voice/after"),
      statusCallback: here("/api/voice/stream"),
    });
    note(id, { from });
    return twiml(document);
  } catch (error) {
    console.error("a call could not be answered:", error instanceof Error ? error.message : error);
    // An error page would be read to nobody: the caller hears a sentence.
    const answer = new twilio.twiml.VoiceResponse();
    answer.say("Sorry, nobody can answer at the moment. Please call again later.");
    return twiml(answer.toString());
  }
}
