// Which keys are made of `RELAY_SECRET`?
//
// The text itself signs tokens. For everything else a key is derived, one for each purpose, so that what serves one is
// of no use for another. The relay does the same in `src/derive.rs`.

import { PatchcordError } from "./error.js";

export type Bytes = Uint8Array<ArrayBuffer>;

export interface NamedSecret {
  kid: string | undefined;
  bytes: Bytes;
}

export type Purpose = "patchcord/seal/v1" | "patchcord/webhook/v1";

/** One secret, or several as `kid=secret` with commas between: the relay's own setting can be used as it is. */
export function secretsOf(setting: string | undefined): NamedSecret[] {
  if (!setting?.trim()) {
    throw new PatchcordError("secret_missing", "`secret` is not set: give it the relay's RELAY_SECRET");
  }
  const parts = setting.split(",").map((part) => part.trim()).filter((part) => part !== "");
  return parts.map((part) => {
    const at = part.indexOf("=");
    // A bare base64 secret ends in `=`: what has nothing but `=` behind the first one is padding, not a name.
    const named = at >= 0 && /[^=]/.test(part.slice(at));
    const kid = named ? part.slice(0, at).trim() : undefined;
    const bytes = new TextEncoder().encode(named ? part.slice(at + 1).trim() : part);
    if (bytes.length < SECRET_MIN) {
      const which = kid === undefined ? "`secret`" : `the secret called ${kid}`;
      throw new PatchcordError("secret_short", `${which} has fewer than 32 bytes: make one with \`openssl rand -base64 32\``);
    }
    return { kid, bytes };
  });
}

/** The one with that name; without a name the first. */
export function secretFor(setting: string | undefined, kid: string | undefined): NamedSecret {
  const all = secretsOf(setting);
  const found = kid === undefined ? all[0] : all.find((secret) => secret.kid === kid);
  if (!found) throw new PatchcordError("secret_missing", `\`secret\` has no secret called ${kid}`);
  return found;
}

/** HKDF-SHA256 with an empty salt; the purpose is its info. */
export async function derive(secret: Bytes, purpose: Purpose): Promise<Bytes> {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const info = new TextEncoder().encode(purpose);
  const bits = await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info }, key, 256);
  return new Uint8Array(bits);
}

/** Shorter secrets can be guessed from one token. */
const SECRET_MIN = 32;
