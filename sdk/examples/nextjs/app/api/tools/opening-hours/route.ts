// The agent wants to know when the bakery is open. Whatever is answered here the model reads.

import { PatchcordError, verifyTool } from "patchcord";
import { setting } from "@/lib/settings";

export async function POST(request: Request): Promise<Response> {
  try {
    // A model wrote the arguments, so they may be anything.
    const tool = await verifyTool<{ day?: unknown }>(request, { secret: setting("RELAY_SECRET") });
    const day = String(tool.arguments?.day ?? "").toLowerCase();
    if (day === "sunday") return Response.json({ day, open: false });
    return Response.json({ day, open: true, from: "08:00", until: day === "saturday" ? "14:00" : "18:00" });
  } catch (error) {
    if (!(error instanceof PatchcordError)) throw error;
    console.error("a tool's call was refused:", error.message);
    return Response.json({ error: error.code }, { status: 401 });
  }
}
