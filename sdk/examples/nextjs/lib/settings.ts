// What this app must be told. Whatever is missing is said by name, in the log: a caller cannot do anything about it.

/** A variable that must be set. */
export function setting(name: "APP_URL" | "VOICE_SERVER_URL" | "RELAY_SECRET" | "TWILIO_AUTH_TOKEN"): string {
  const value = process.env[name]?.trim();
  if (!value) throw new Error(`${name} is not set: see .env.example`);
  return value;
}

/** An address of this app, for others to call. */
export function here(path: string): string {
  return new URL(path, setting("APP_URL")).href;
}
