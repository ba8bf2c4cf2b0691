// The relay reports. 2xx means heard; everything else it says again later.

import { PatchcordError, verifyReport } from "patchcord";
import { note } from "@/lib/calls";
import { setting } from "@/lib/settings";

export async function POST(request: Request): Promise<Response> {
  try {
    const report = await verifyReport<{ from: string }>(request, { secret: setting("RELAY_SECRET") });
    const id = report.data.call.carrier_call_id;
    switch (report.type) {
      case "call.started":
        note(id, { from: report.data.context.from });
        break;
      case "call.action":
        // Saying 2xx is a promise: /api/voice/after dials this number.
        note(id, { transferTo: report.data.number });
        break;
      case "call.ended":
        note(id, { from: report.data.context.from, ended: report.data });
        break;
    }
    return new Response(null, { status: 204 });
  } catch (error) {
    if (!(error instanceof PatchcordError)) throw error;
    console.error("a report was refused:", error.message);
    return Response.json({ error: error.code }, { status: 401 });
  }
}
