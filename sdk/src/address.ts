// Which addresses can a carrier use as they are?

import { PatchcordError } from "./error.js";

export interface Carrier {
  /** For people. */
  name: string;
  /** The last word of the relay's own path for it: `/stream/twilio`. */
  route: string;
}

/** Where the relay takes this carrier's calls; the token travels by itself. */
export function relayAt(address: string | undefined, { name, route }: Carrier): URL {
  if (!address?.trim()) throw new PatchcordError("url", "`url` is not set: the relay's address, such as wss://relay.example.com (VOICE_SERVER_URL)");
  let url = read(address.trim());
  if (!url) throw new PatchcordError("url", "`url` is no address: write it like wss://relay.example.com");
  if (url.protocol === "https:") url = new URL(`wss:${url.href.slice("https:".length)}`);
  if (url.protocol !== "wss:") throw new PatchcordError("url", `\`url\` does not begin with wss://, and ${name} should open no other streams: the token could be read on its way`);
  if (address.includes("?")) throw new PatchcordError("url", "`url` has a query, which not every carrier keeps: the token travels by itself, and yours goes into `context`");
  if (address.includes("#")) throw new PatchcordError("url", "`url` has a `#`, and what is behind it never leaves");
  if (url.username || url.password) throw new PatchcordError("url", "`url` has a user or a password in it: the token is what opens the relay");
  const path = url.pathname.replace(/\/+$/, "");
  return new URL(path === "" ? `/stream/${route}` : path, url);
}

/** Without a `base` the carrier wants a whole address; with one it finds the rest by its own request. */
export function callback(option: string, address: string | undefined, { name }: Carrier, base?: string): string | undefined {
  if (address === undefined) return undefined;
  const whole = read(address, base);
  // The carrier takes these as they are, so nothing may stand in them that an address does not have.
  if (!whole || !/^https?:$/.test(whole.protocol) || /[\s\p{Cc}\p{Cs}\uFFFE\uFFFF]/u.test(address) || address === "") {
    const cure = base === undefined ? "give a whole one, https://" : "give an https:// one, or a path of your app";
    throw new PatchcordError("url", `\`${option}\` is no address that ${name} can call: ${cure}`);
  }
  return address;
}

function read(address: string, base?: string): URL | undefined {
  try {
    return new URL(address, base);
  } catch {
    return undefined;
  }
}
