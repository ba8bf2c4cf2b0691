// Is the document what Twilio's own library would write, and never more than Twilio carries?

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { CompactSign } from "jose";
import { connectTwiml, sealCall, verifyConfigRequest } from "patchcord";
import twilio from "twilio";
import { BAKERY, keeper, prose, refused, SECRET, withPrompt } from "./given.mjs";

const URL_ = "wss://relay.example.com";
const USUAL = { secret: SECRET, url: URL_, claims: BAKERY };

const attribute = (text, name) => new RegExp(` ${name}="([^"]*)"`).exec(text)?.[1];

/** What is in a document, read without our own code. */
function opened(document) {
  const parameters = [...document.matchAll(/<Parameter name="([^"]*)" value="([^"]*)"\/>/g)].map(([, name, value]) => [name, value]);
  return { url: attribute(/<Stream[^>]*>/.exec(document)[0], "url"), parameters };
}

/** What the relay would put together. */
function tokenIn(document) {
  const { url, parameters } = opened(document);
  if (parameters.length === 0) return url.split("/").at(-1);
  const all = Object.fromEntries(parameters);
  return Array.from({ length: Number(all.tn) }, (_, i) => all[`t${i}`]).join("");
}

const claimsIn = (document) => JSON.parse(Buffer.from(tokenIn(document).split(".")[1], "base64url"));

/** The same by Twilio's library. */
function byTwilio({ url, parameters }, { action, statusCallback } = {}) {
  const response = new twilio.twiml.VoiceResponse();
  const stream = response.connect(action ? { action } : {}).stream({ url, ...(statusCallback && { statusCallback }) });
  for (const [name, value] of parameters) stream.parameter({ name, value });
  return response.toString();
}

test("it is what Twilio's library writes", async () => {
  const callbacks = { action: "/api/voice/after?a=1&b=2", statusCallback: "https://app.example.com/api/status" };
  for (const [options, plain] of [
    [{}, {}],
    [callbacks, callbacks],
    [{ ...callbacks, claims: withPrompt(3000) }, callbacks],
  ]) {
    const document = await connectTwiml({ ...USUAL, ...options });
    assert.equal(document, byTwilio(opened(document), plain));
  }
});

test("a small token goes into the path, a larger one into parameters", async () => {
  const small = await connectTwiml(USUAL);
  assert.match(opened(small).url, /^wss:\/\/relay\.example\.com\/stream\/twilio\/[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.deepEqual(opened(small).parameters, []);
  assert.ok(opened(small).url.length < 1200);
  assert.equal(claimsIn(small).sub, BAKERY.sub);

  const large = await connectTwiml({ ...USUAL, claims: withPrompt(3000) });
  const { url, parameters } = opened(large);
  assert.equal(url, "wss://relay.example.com/stream/twilio");
  assert.ok(parameters.every(([name, value]) => name.length + value.length < 500));
  assert.deepEqual(parameters.map(([name]) => name), ["tn", ...Array.from({ length: parameters.length - 1 }, (_, i) => `t${i}`)]);
  assert.equal(claimsIn(large).agent.prompt, prose(3000));
});

test("the way can be chosen", async () => {
  const inPieces = await connectTwiml({ ...USUAL, travel: "parameters" });
  assert.equal(opened(inPieces).parameters.length, 1 + Math.ceil(tokenIn(inPieces).length / 480));
  const inPath = await connectTwiml({ ...USUAL, claims: withPrompt(3000), travel: "path" });
  assert.equal(opened(inPath).parameters.length, 0);
  await assert.rejects(connectTwiml({ ...USUAL, claims: withPrompt(8000), travel: "path" }), refused("too_large", /path/));
});

test("what holds keys is sealed, and the rest when asked for", async () => {
  const dots = (document) => tokenIn(document).split(".").length - 1;
  assert.equal(dots(await connectTwiml({ ...USUAL, claims: { ...BAKERY, keys: { openai: "sk-1" } } })), 4);
  assert.equal(dots(await connectTwiml(USUAL)), 2);
  assert.equal(dots(await connectTwiml({ ...USUAL, seal: true })), 4);
});

test("a document is never larger than Twilio takes", async () => {
  const largest = await connectTwiml({ ...USUAL, claims: withPrompt(34_500) });
  assert.ok(opened(largest).parameters.length > 95 && opened(largest).parameters.length <= 99);
  assert.ok(largest.length < 60_000);
  await assert.rejects(connectTwiml({ ...USUAL, claims: withPrompt(36_000) }), refused("too_large", /`config`/));
  await assert.rejects(connectTwiml({ ...USUAL, claims: withPrompt(3000), inline: true }), refused("too_large", /4000/));
  assert.ok((await connectTwiml({ ...USUAL, claims: withPrompt(1500), inline: true })).length <= 4000);
});

test("what is large goes by reference when the app can keep it", async () => {
  for (const length of [17_000, 100_000, 200_000]) {
    const { kept, config } = keeper();
    const claims = { ...withPrompt(length), acct: "AC1", region: "iad", context: { shop: 3 } };
    const document = await connectTwiml({ ...USUAL, claims, config });
    const [[sha256, json]] = kept;
    assert.equal(createHash("sha256").update(json).digest("hex"), sha256);
    const { agent, legs, context, ...outside } = claims;
    assert.deepEqual(JSON.parse(json), { agent, legs, context });
    const { iat, exp, jti, ...inside } = claimsIn(document);
    const url = `https://app.example.com/config/${sha256}`;
    assert.deepEqual(inside, { ...outside, aud: "patchcord", v: 1, config: { url, sha256 } });
    assert.ok(document.length < 2000);
  }
});

test("what fits goes with the call even so, and an inline document sooner by reference", async () => {
  const { kept, config } = keeper();
  assert.ok(claimsIn(await connectTwiml({ ...USUAL, claims: withPrompt(6000), config })).agent);
  assert.equal(kept.size, 0);
  assert.ok(claimsIn(await connectTwiml({ ...USUAL, claims: withPrompt(6000), config, inline: true })).config);
  assert.equal(kept.size, 1);
  assert.ok(claimsIn(await connectTwiml({ ...USUAL, config, travel: "reference" })).config);
});

test("the flat form goes by reference too", async () => {
  const { kept, config } = keeper();
  const claims = { iss: "https://app.example.com", sub: "CA1", agentId: "a", prompt: "Hello.", voice: "marin" };
  assert.equal(claimsIn(await connectTwiml({ ...USUAL, claims, config, travel: "reference" })).prompt, undefined);
  const [json] = kept.values();
  assert.deepEqual(JSON.parse(json), { agent: { id: "a", prompt: "Hello.", voice: "marin" }, legs: [{ kind: "openai" }] });
});

test("nothing secret goes by reference", async () => {
  const { kept, config } = keeper();
  const claims = { ...withPrompt(20_000), keys: { openai: "sk-1" } };
  await assert.rejects(connectTwiml({ ...USUAL, claims, config }), refused("secrets_readable", /keys\.openai/));
  assert.equal(kept.size, 0);
  // Without a place to keep it goes sealed, as large as it is.
  assert.ok(opened(await connectTwiml({ ...USUAL, claims })).parameters.length > 40);
});

test("whoever keeps it badly is heard", async () => {
  const config = { url: () => "https://app.example.com/", keep: () => Promise.reject(new Error("the store is full")) };
  await assert.rejects(connectTwiml({ ...USUAL, config, travel: "reference" }), /the store is full/);
  await assert.rejects(connectTwiml({ ...USUAL, travel: "reference" }), refused("too_large", /where to keep/));
});

test("addresses of the relay are made whole", async () => {
  for (const [url, whole] of [
    ["wss://relay.example.com", "wss://relay.example.com/stream/twilio"],
    [" wss://relay.example.com/ ", "wss://relay.example.com/stream/twilio"],
    ["https://relay.example.com", "wss://relay.example.com/stream/twilio"],
    ["wss://relay.example.com:8443/api/twilio/media-stream/", "wss://relay.example.com:8443/api/twilio/media-stream"],
  ]) {
    assert.equal(opened(await connectTwiml({ ...USUAL, url, travel: "parameters" })).url, whole);
  }
});

test("what Twilio would cut or refuse is refused here", async () => {
  for (const [more, pattern] of [
    [{ url: undefined }, /VOICE_SERVER_URL/],
    [{ url: "" }, /VOICE_SERVER_URL/],
    [{ url: "relay.example.com" }, /no address/],
    [{ url: "ws://relay.example.com" }, /wss/],
    [{ url: "http://relay.example.com" }, /wss/],
    [{ url: "wss://relay.example.com/?a=1" }, /query/],
    [{ url: "wss://relay.example.com/?" }, /query/],
    [{ url: "wss://relay.example.com/#a" }, /#/],
    [{ url: "wss://user:sk-oops@relay.example.com" }, /password/],
    [{ action: "" }, /`action`/],
    [{ action: "ftp://app.example.com/" }, /`action`/],
    [{ action: "/after now" }, /`action`/],
    [{ statusCallback: "/api/status" }, /`statusCallback`.*whole/],
    [{ statusCallback: "https://" }, /`statusCallback`/],
    [{ statusCallback: "javascript:alert(1)" }, /`statusCallback`/],
  ]) {
    await assert.rejects(connectTwiml({ ...USUAL, ...more }), (error) => !error.message.includes("oops") && refused("url", pattern)(error));
  }
});

test("nothing in an address becomes an element of its own", async () => {
  const action = '/after?"><Hangup/><x%20a="';
  const document = await connectTwiml({ ...USUAL, action });
  assert.equal(document, byTwilio(opened(document), { action }));
  assert.ok(!document.includes("<Hangup"));
});

test("a relay that asks for a configuration is known by its token", async () => {
  const now = new Date();
  const claims = { ...BAKERY, agent: undefined, legs: undefined, config: { url: "https://app.example.com/c", sha256: "ab" } };
  const secret = `new=another-secret-of-thirty-two-byt,old=${SECRET}`;
  const asks = (token, scheme = "Bearer") => new Request("https://app.example.com/c", { headers: { authorization: `${scheme} ${token}` } });
  for (const seal of [true, false]) {
    const token = tokenIn(await connectTwiml({ ...USUAL, claims, seal }));
    const known = await verifyConfigRequest(asks(token), { secret });
    assert.deepEqual([known.sha256, known.claims.sub], ["ab", BAKERY.sub]);
    await assert.rejects(verifyConfigRequest(asks(token), { secret: "another-secret-of-thirty-two-byt" }), refused("message_signature"));
    await assert.rejects(verifyConfigRequest(asks(token), { secret, now: new Date(now.getTime() + 120_000) }), refused("message_time"));
    await assert.rejects(verifyConfigRequest(asks(`${token}A`), { secret }), refused("message_signature"));
    await assert.rejects(verifyConfigRequest(asks(token, "Basic"), { secret }), refused("message_unsigned"));
  }
  await assert.rejects(verifyConfigRequest(asks(await sealCall(BAKERY, { secret: SECRET })), { secret }), refused("message_kind"));
  await assert.rejects(verifyConfigRequest(asks("a.b.c"), { secret }), refused("message_signature"));
  // Somebody's login, made with the same secret.
  const login = new TextEncoder().encode(JSON.stringify({ exp: now.getTime() / 1000 + 60, config: claims.config }));
  const signed = (typ) => new CompactSign(login).setProtectedHeader({ alg: "HS256", typ }).sign(new TextEncoder().encode(SECRET));
  await assert.rejects(verifyConfigRequest(asks(await signed("JWT")), { secret }), refused("message_signature"));
  await verifyConfigRequest(asks(await signed("call+jwt")), { secret });
  await assert.rejects(verifyConfigRequest(new Request("https://app.example.com/c"), { secret }), refused("message_unsigned"));
});
