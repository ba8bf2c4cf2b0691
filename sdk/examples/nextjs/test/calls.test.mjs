// Whole calls: Twilio's webhook, this app, the relay, a phone, and back with a report.

import assert from "node:assert/strict";
import { test } from "node:test";
import twilio from "twilio";
import { callSid, needsRelay, relay } from "../../../test/relay.mjs";
import { app, model, phone, providers } from "./stage.mjs";

const SECRET = "0123456789abcdef0123456789abcdef";
const AUTH_TOKEN = "a-twilio-auth-token";

const APP = {
  VOICE_SERVER_URL: "wss://relay.example.com",
  RELAY_SECRET: SECRET,
  TWILIO_AUTH_TOKEN: AUTH_TOKEN,
  DEEPGRAM_API_KEY: "pretend",
  GROQ_API_KEY: "pretend",
  TRANSFER_TO: "+15550100",
};

/** As Twilio asks. */
async function ask(at, path, fields, authToken = AUTH_TOKEN) {
  const url = at + path;
  const signature = twilio.getExpectedTwilioSignature(authToken, url, fields);
  const headers = { "x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded" };
  const answer = await fetch(url, { method: "POST", headers, body: new URLSearchParams(fields) });
  return { status: answer.status, type: answer.headers.get("content-type"), text: await answer.text() };
}

function tokenIn(document) {
  const all = Object.fromEntries([...document.matchAll(/<Parameter name="([^"]*)" value="([^"]*)"\/>/g)].map(([, name, value]) => [name, value]));
  assert.ok(all.tn, document);
  return Array.from({ length: Number(all.tn) }, (_, i) => all[`t${i}`]).join("");
}

/** Everything but the app's own side of one call, from webhook to hang-up. */
async function call(t, home, plan) {
  const settings = { RELAY_SECRET: SECRET, REQUIRE_SEALED: "true", DEEPGRAM_BASE_URL: await providers(t), GROQ_BASE_URL: await model(t, plan) };
  const { address, log } = await relay(t, settings);
  const id = callSid();
  const { status, type, text } = await ask(home.at, "/api/voice", { CallSid: id, From: "+15550199", To: "+15550111" });
  assert.deepEqual([status, type], [200, "text/xml"], text);
  assert.match(text, new RegExp(`<Connect action="${home.at}/api/voice/after"><Stream url="wss://relay\\.example\\.com/stream/twilio" statusCallback="${home.at}/api/voice/stream">`));
  const heard = await phone(address, id, tokenIn(text));
  assert.deepEqual(heard.violations, []);
  assert.ok(heard.played_ms > 500, JSON.stringify({ heard, log }));
  return id;
}

/** The page, as soon as it shows what is waited for. */
async function page(home, pattern) {
  const until = Date.now() + 20_000;
  for (;;) {
    // React puts comments between pieces of text.
    const text = (await (await fetch(home.at)).text()).replaceAll("<!-- -->", "");
    if (pattern.test(text)) return text;
    assert.ok(Date.now() < until, `the page never showed ${pattern}: ${text}\n${home.lines.join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("a call goes from the webhook through a tool to the report", needsRelay, async (t) => {
  const home = await app(t, APP);
  assert.match(await page(home, /Calls/), /Nobody has called yet/);
  const id = await call(t, home, (messages) =>
    messages.some(({ role }) => role === "tool") ? "On mondays we open at eight." : { name: "opening_hours", arguments: { day: "Monday" } },
  );
  const shown = await page(home, /caller_hung_up/);
  for (const expected of [id, "+15550199", "Hello, Mill Street Bakery.", "On mondays we open at eight.", "opening_hours"]) {
    assert.ok(shown.includes(expected), `${expected} is not in ${shown}`);
  }
  // What the tool route answered is what the report tells.
  assert.match(shown, /&quot;from&quot;:&quot;08:00&quot;/);
  const after = await ask(home.at, "/api/voice/after", { CallSid: id });
  assert.match(after.text, /<Response><Hangup\/><\/Response>/);
});

test("a transfer is taken on and dialled", needsRelay, async (t) => {
  const home = await app(t, APP);
  const id = await call(t, home, (messages) =>
    messages.some(({ role }) => role === "tool") ? "Goodbye." : { name: "transfer", arguments: { target: "baker" }, say: "I will put you through to the baker." },
  );
  await page(home, /transferred/);
  const after = await ask(home.at, "/api/voice/after", { CallSid: id });
  assert.match(after.text, /<Dial answerOnBridge="true">\+15550100<\/Dial>/);
});

test("what others send is refused", { timeout: 60_000 }, async (t) => {
  const home = await app(t, APP);
  for (const path of ["/api/voice", "/api/voice/after", "/api/voice/stream"]) {
    assert.equal((await ask(home.at, path, { CallSid: "CA1" }, "another-token")).status, 403, path);
  }
  for (const path of ["/api/calls/report", "/api/tools/opening-hours"]) {
    const answer = await fetch(home.at + path, { method: "POST", body: "{}" });
    assert.deepEqual([answer.status, await answer.json()], [401, { error: "message_unsigned" }], path);
  }
});

test("what is missing is said in the log, and the caller hears a sentence", { timeout: 60_000 }, async (t) => {
  for (const name of ["RELAY_SECRET", "VOICE_SERVER_URL", "GROQ_API_KEY"]) {
    const { [name]: _, ...rest } = APP;
    const home = await app(t, rest);
    const { status, text } = await ask(home.at, "/api/voice", { CallSid: "CA1" });
    assert.equal(status, 200);
    assert.match(text, /<Say>Sorry/);
    assert.ok(home.lines.some((line) => line.includes(name)), home.lines.join("\n"));
    assert.ok(!home.lines.some((line) => line.includes(SECRET)));
  }
});
