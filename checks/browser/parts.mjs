// The page's own parts, as modules for Node.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Beside a file that says they are modules: the page's own folder has none.
const parts = mkdtempSync(join(tmpdir(), "patchcord-parts-"));
cpSync(new URL("../../src/phone/web/", import.meta.url), parts, { recursive: true });
writeFileSync(join(parts, "package.json"), '{"type":"module"}');
export const { decode, encode } = await import(join(parts, "ulaw.js"));
export const { Resampler } = await import(join(parts, "resampler.js"));
export const { Tape } = await import(join(parts, "tape.js"));
rmSync(parts, { recursive: true });
