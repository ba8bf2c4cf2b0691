// Does each carrier get its own answer, with a token where this carrier carries it and never more than it carries?

import assert from "node:assert/strict";
import { createHash, hkdfSync } from "node:crypto";
import { test } from "node:test";
import { DOMParser, onErrorStopParsing } from "@xmldom/xmldom";
import { compactDecrypt, compactVerify } from "jose";
import { connectCallControl, connectCxml, connectExotel, connectNcco, connectPlivo, connectTexml, signCall } from "patchcord";
import twilio from "twilio";
import { BAKERY, keeper, prose, refused, SECRET, withPrompt } from "./given.mjs";

const RELAY = "wss://relay.example.com";
const USUAL = { secret: SECRET, url: RELAY, claims: BAKERY };
const KEYED = { ...BAKERY, keys: { openai: "sk-oops" } };
const SHORT = { iss: "https://app.example.com", sub: BAKERY.sub, legs: [{ kind: "echo" }] };
const CALLBACKS = { action: "https://app.example.com/after?a=1&b=2", statusCallback: "https://app.example.com/status?a=1&b=2" };

/** A document as a parser without mercy sees it. */
const parsed = (xml) => new DOMParser({ onError: onErrorStopParsing }).parseFromString(xml, "text/xml").documentElement;
const stream = (xml) => parsed(xml).getElementsByTagName("Stream")[0];
const shape = (element) => [element.tagName, ...Array.from(element.childNodes).filter((node) => node.tagName).map(shape)];
const attributesOf = (element) => Object.fromEntries(Array.from(element.attributes, ({ name, value }) => [name, value]));
const lastSegment = (url) => new URL(url).pathname.split("/").at(-1);

/** Each carrier: how its answer is made, and where the relay finds the token in it. */
const CARRIERS = {
  telnyx: { make: connectTexml, token: (xml) => lastSegment(stream(xml).getAttribute("url")), xml: true },
  "telnyx, streaming_start": { make: connectCallControl, token: (all) => all.stream_auth_token },
  "telnyx, answer": { make: (options) => connectCallControl({ ...options, command: "answer" }), token: (all) => lastSegment(all.stream_url) },
  signalwire: { make: connectCxml, token: (xml) => stream(xml).getAttribute("authBearerToken"), xml: true },
  plivo: { make: connectPlivo, token: (xml) => lastSegment(stream(xml).textContent), xml: true },
  exotel: { make: connectExotel, token: ({ url }) => lastSegment(url) },
  vonage: { make: connectNcco, token: ([{ endpoint }]) => endpoint[0].authorization.value.replace(/^Bearer /, "") },
};
const each = (check) => Promise.all(Object.entries(CARRIERS).map(([name, carrier]) => check(carrier, name)));

/** What the relay would read. */
async function claimsOf(token) {
  const bytes = new TextEncoder().encode(SECRET);
  if (token.split(".").length === 3) return JSON.parse(new TextDecoder().decode((await compactVerify(token, bytes)).payload));
  const key = new Uint8Array(hkdfSync("sha256", SECRET, "", "patchcord/seal/v1", 32));
  return JSON.parse(new TextDecoder().decode((await compactDecrypt(token, key)).plaintext));
}

/** With a name for the secret there is a signed token of 4,000 characters and one of 4,001: base64 leaves some lengths out. */
const NAMED = { ...USUAL, secret: `k=${SECRET}` };

/** Claims whose signed token has exactly that many characters. */
async function claimsOfLength(length) {
  for (let prompt = 1; ; ) {
    const claims = withPrompt(prompt);
    const token = await signCall(claims, NAMED);
    if (token.length === length) return claims;
    assert.ok(token.length < length, `no signed token has ${length} characters`);
    prompt += Math.max(1, Math.floor((length - token.length) * 0.75));
  }
}

test("Telnyx gets TeXML that takes RTP, as a library would write it", async () => {
  for (const options of [{}, CALLBACKS]) {
    const document = await connectTexml({ ...USUAL, ...options });
    const url = stream(document).getAttribute("url");
    assert.match(url, /^wss:\/\/relay\.example\.com\/stream\/telnyx\/[\w-]+\.[\w-]+\.[\w-]+$/);
    const { action, statusCallback } = options;
    const response = new twilio.twiml.VoiceResponse();
    response.connect().stream({ url, track: "inbound_track", bidirectionalMode: "rtp", bidirectionalCodec: "PCMU", ...(statusCallback && { statusCallback }) });
    if (action) response.redirect(action);
    assert.equal(document, response.toString());
  }
});

test("Telnyx' Call Control gets a token of its own, and `answer` one in the path", async () => {
  const fixed = { stream_track: "inbound_track", stream_bidirectional_mode: "rtp", stream_bidirectional_codec: "PCMU" };
  for (const command of [undefined, "streaming_start", "dial"]) {
    const { stream_auth_token, ...rest } = await connectCallControl({ ...USUAL, command });
    assert.deepEqual(rest, { stream_url: "wss://relay.example.com/stream/telnyx", ...fixed, stream_bidirectional_sampling_rate: 8000 });
    assert.equal((await claimsOf(stream_auth_token)).sub, BAKERY.sub);
  }
  for (const [options, more] of [[{ command: "answer" }, {}], [{ travel: "path" }, { stream_bidirectional_sampling_rate: 8000 }]]) {
    const { stream_url, ...rest } = await connectCallControl({ ...USUAL, ...options });
    assert.deepEqual(rest, { ...fixed, ...more });
    assert.match(stream_url, /^wss:\/\/relay\.example\.com\/stream\/telnyx\/[\w-]+\.[\w-]+\.[\w-]+$/);
  }
  await assert.rejects(connectCallControl({ ...USUAL, command: "answer", travel: "header" }), refused("too_large", /streaming_start/));
});

test("SignalWire gets cXML with a bearer token, as a library would write it", async () => {
  for (const options of [{}, CALLBACKS]) {
    const document = await connectCxml({ ...USUAL, ...options });
    const { action, statusCallback } = options;
    const authBearerToken = stream(document).getAttribute("authBearerToken");
    const all = { url: "wss://relay.example.com/stream/signalwire", authBearerToken, codec: "PCMU@8000h", realtime: "true", ...(statusCallback && { statusCallback }) };
    const response = new twilio.twiml.VoiceResponse();
    response.connect().stream(all);
    if (action) response.redirect(action);
    assert.equal(document, response.toString());
  }
});

test("Plivo gets the address as text, in a stream that goes both ways and that the rest waits for", async () => {
  for (const options of [{}, CALLBACKS]) {
    const document = await connectPlivo({ ...USUAL, ...options });
    const element = stream(document);
    const url = element.textContent;
    assert.match(url, /^wss:\/\/relay\.example\.com\/stream\/plivo\/[\w-]+\.[\w-]+\.[\w-]+$/);
    const all = { bidirectional: "true", keepCallAlive: "true", audioTrack: "inbound", contentType: "audio/x-mulaw;rate=8000" };
    const statusCallbackUrl = options.statusCallback;
    assert.deepEqual(attributesOf(element), { ...all, ...(statusCallbackUrl && { statusCallbackUrl }) });
    const redirect = options.action ? "<Redirect>https://app.example.com/after?a=1&amp;b=2</Redirect>" : "";
    const status = statusCallbackUrl ? ' statusCallbackUrl="https://app.example.com/status?a=1&amp;b=2"' : "";
    const begin = '<Stream bidirectional="true" keepCallAlive="true" audioTrack="inbound" contentType="audio/x-mulaw;rate=8000"';
    assert.equal(document, `<?xml version="1.0" encoding="UTF-8"?><Response>${begin}${status}>${url}</Stream>${redirect}</Response>`);
  }
});

test("Exotel gets an address with the rate in its query", async () => {
  for (const [options, rate] of [[{}, 8000], [{ sampleRate: 16000 }, 16000], [{ sampleRate: 24000 }, 24000]]) {
    const answer = await connectExotel({ ...USUAL, ...options });
    assert.deepEqual(Object.keys(answer), ["url"]);
    const [address, query] = answer.url.split("?");
    assert.match(address, /^wss:\/\/relay\.example\.com\/stream\/exotel\/[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/);
    assert.equal(query, `sample-rate=${rate}`);
    assert.equal((await claimsOf(lastSegment(answer.url))).agent.prompt, BAKERY.agent.prompt);
  }
  await assert.rejects(connectExotel({ ...USUAL, sampleRate: 11025 }), refused("url", /16000/));
});

test("Vonage gets an NCCO with a bearer token, and with the call's id for the first message", async () => {
  const claims = { ...BAKERY, sub: "63f61863-4a51-4f6b-86e1-46edebcf9356" };
  const [{ endpoint: [{ authorization, ...endpoint }], ...action }, ...others] = await connectNcco({ ...USUAL, claims });
  assert.deepEqual([action, others], [{ action: "connect" }, []]);
  assert.deepEqual(endpoint, { type: "websocket", uri: "wss://relay.example.com/stream/vonage", "content-type": "audio/l16;rate=16000", headers: { uuid: claims.sub } });
  assert.equal(authorization.type, "custom");
  assert.match(authorization.value, /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);

  const { sub: _, ...unbound } = BAKERY;
  const [more] = await connectNcco({ ...USUAL, claims: unbound, from: "15550100", statusCallback: CALLBACKS.statusCallback, sampleRate: 8000 });
  assert.deepEqual([more.from, more.eventUrl], ["15550100", [CALLBACKS.statusCallback]]);
  assert.equal(more.endpoint[0]["content-type"], "audio/l16;rate=8000");
  assert.ok(!("headers" in more.endpoint[0]));
  await assert.rejects(connectNcco({ ...USUAL, sampleRate: 44100 }), refused("url", /8000/));
});

test("what Vonage calls headers stays within 512 bytes", async () => {
  // {"uuid":"…"} has 11 characters without the id.
  const [{ endpoint }] = await connectNcco({ ...USUAL, claims: { ...BAKERY, sub: "é".repeat(250) + "x" } });
  assert.equal(Buffer.byteLength(JSON.stringify(endpoint[0].headers)), 512);
  await assert.rejects(connectNcco({ ...USUAL, claims: { ...BAKERY, sub: "é".repeat(251) } }), refused("claims", /`uuid`/));
});

test("a token is signed, or sealed when it holds keys or when asked for", async () => {
  await each(async ({ make, token }, name) => {
    const dots = async (options) => token(await make({ ...USUAL, ...options })).split(".").length - 1;
    assert.equal(await dots({ claims: KEYED }), 4, name);
    assert.equal(await dots({ seal: true }), 4, name);
    // Exotel has so little room that it is sealed for being packed.
    assert.equal(await dots({}), name === "exotel" ? 4 : 2, name);
    assert.equal(await dots({ seal: false, claims: SHORT }), 2, name);
    assert.deepEqual((await claimsOf(token(await make({ ...USUAL, claims: KEYED })))).keys, KEYED.keys, name);
  });
});

test("where a platform cannot pack, nothing is sealed for the sake of it", async (t) => {
  const { CompressionStream } = globalThis;
  t.after(() => (globalThis.CompressionStream = CompressionStream));
  delete globalThis.CompressionStream;
  assert.equal(lastSegment((await connectExotel({ ...USUAL, claims: SHORT })).url).split(".").length, 3);
});

test("addresses of the relay are made whole, and a path of one's own stays", async () => {
  const address = {
    telnyx: (xml) => stream(xml).getAttribute("url"),
    "telnyx, streaming_start": (all) => all.stream_url,
    "telnyx, answer": (all) => all.stream_url,
    signalwire: (xml) => stream(xml).getAttribute("url"),
    plivo: (xml) => stream(xml).textContent,
    exotel: ({ url }) => url.split("?")[0],
    vonage: ([{ endpoint }]) => endpoint[0].uri,
  };
  await each(async ({ make, token }, name) => {
    for (const [url, whole] of [
      ["wss://relay.example.com", `wss://relay.example.com/stream/${name.split(",")[0]}`],
      [" https://relay.example.com/ ", `wss://relay.example.com/stream/${name.split(",")[0]}`],
      ["wss://relay.example.com:8443/calls/", "wss://relay.example.com:8443/calls"],
    ]) {
      const answer = await make({ ...USUAL, url });
      assert.equal(address[name](answer).replace(`/${token(answer)}`, ""), whole, name);
    }
  });
});

test("what a carrier would cut or refuse is refused here", async () => {
  await each(async ({ make, xml }, name) => {
    for (const [more, pattern] of [
      [{ url: undefined }, /VOICE_SERVER_URL/],
      [{ url: "relay.example.com" }, /no address/],
      [{ url: "ws://relay.example.com" }, /wss/],
      [{ url: "wss://relay.example.com/?a=1" }, /query/],
      [{ url: "wss://relay.example.com/#a" }, /#/],
      [{ url: "wss://user:sk-oops@relay.example.com" }, /password/],
      ...(xml ? [[{ action: "/after" }, /`action`.*whole/], [{ action: "ftp://app.example.com/" }, /`action`/]] : []),
      ...(xml || name === "vonage" ? [[{ statusCallback: "/status" }, /`statusCallback`.*whole/], [{ statusCallback: "https://a.example/ b" }, /`statusCallback`/]] : []),
    ]) {
      await assert.rejects(make({ ...USUAL, ...more }), (error) => !error.message.includes("oops") && refused("url", pattern)(error), `${name}: ${JSON.stringify(more)}`);
    }
  });
});

test("nothing in an address becomes an element of its own", async () => {
  const evil = 'https://app.example.com/?"><Hangup/></Redirect><Dial>1</Dial>]]>&amp;<!--';
  await each(async ({ make, xml }, name) => {
    if (!xml) return;
    const document = await make({ ...USUAL, action: evil, statusCallback: evil });
    const inner = name === "plivo" ? ["Stream"] : ["Connect", ["Stream"]];
    assert.deepEqual(shape(parsed(document)), ["Response", inner, ["Redirect"]]);
    assert.equal(parsed(document).getElementsByTagName("Redirect")[0].textContent, evil);
    // This parser lets it pass between elements; others must not.
    assert.doesNotMatch(document.replaceAll(/"[^"]*"/g, ""), /]]>/);
    assert.ok(Object.values(attributesOf(stream(document))).includes(evil));
  });
});

test("an address holds 2,000 characters where nobody says, and more when asked for", async () => {
  for (const make of [connectTexml, connectPlivo, (options) => connectCallControl({ ...options, command: "answer" })]) {
    const [small, large] = await Promise.all([BAKERY, withPrompt(4_800)].map((claims) => signCall(claims, USUAL)));
    const path = (length, token) => `wss://relay.example.com/${"x".repeat(length - token.length - "wss://relay.example.com//".length)}`;
    await make({ ...USUAL, url: path(2_000, small) });
    await assert.rejects(make({ ...USUAL, url: path(2_001, small) }), refused("too_large", /seal it.*`config`.*`travel: "path"`/));
    await make({ ...USUAL, url: path(2_001, small), travel: "path" });
    const asked = { ...USUAL, claims: withPrompt(4_800), travel: "path" };
    await make({ ...asked, url: path(7_000, large) });
    await assert.rejects(make({ ...asked, url: path(7_001, large) }), (error) => refused("too_large", /`config`/)(error) && !error.message.includes("travel"));
    await assert.rejects(make({ ...USUAL, url: `wss://relay.example.com/${"x".repeat(2_000)}` }), refused("url", /too long/));
  }
});

test("an address at Exotel holds 600 characters and not one more", async () => {
  const signed = { ...USUAL, seal: false, claims: SHORT };
  const { url } = await connectExotel(signed);
  const path = (length) => `wss://relay.example.com/stream/exotel${"x".repeat(length - url.length)}`;
  assert.equal((await connectExotel({ ...signed, url: path(600) })).url.length, 600);
  await assert.rejects(connectExotel({ ...signed, url: path(601) }), refused("too_large", /seal it/));
  await assert.rejects(connectExotel({ ...signed, url: path(601), travel: "path" }), refused("too_large"));
  await assert.rejects(connectExotel({ ...USUAL, claims: { ...KEYED, agent: withPrompt(600).agent } }), refused("too_large", /own keys/));
});

test("a header holds 4,000 characters, and more when asked for where nobody says", async () => {
  const [fits, over, most, more] = await Promise.all([4_000, 4_001, 7_000, 7_001].map(claimsOfLength));
  for (const name of ["telnyx, streaming_start", "vonage", "signalwire"]) {
    const { make, token } = CARRIERS[name];
    const length = async (claims, travel) => token(await make({ ...NAMED, claims, travel })).length;
    assert.equal(await length(fits), 4_000, name);
    if (name !== "signalwire") await assert.rejects(length(over), refused("too_large", /4001 .*4000.*seal it/), name);
    if (name.startsWith("telnyx")) await assert.rejects(length(over, "header"), refused("too_large"), name);
    else assert.equal(await length(most, "header"), 7_000, name);
    await assert.rejects(length(more, "header"), refused("too_large"), name);
  }
});

test("SignalWire takes in parameters what is too long for its header", async () => {
  for (const [options, length] of [[{ claims: await claimsOfLength(4_001) }, 4_001], [{ travel: "parameters" }, undefined]]) {
    const element = stream(await connectCxml({ ...NAMED, ...options }));
    assert.equal(element.getAttribute("authBearerToken"), null);
    const all = Object.fromEntries(Array.from(element.getElementsByTagName("Parameter"), (one) => [one.getAttribute("name"), one.getAttribute("value")]));
    assert.ok(Object.entries(all).every(([name, value]) => name.length + value.length < 500));
    const token = Array.from({ length: Number(all.tn) }, (_, i) => all[`t${i}`]).join("");
    assert.equal(token.length, length ?? token.length);
    assert.equal((await claimsOf(token)).sub, BAKERY.sub);
  }
  await assert.rejects(connectCxml({ ...NAMED, claims: withPrompt(36_000) }), refused("too_large", /`config`/));
});

test("what is large goes by reference when the app can keep it", async () => {
  await each(async ({ make, token }, name) => {
    for (const options of [{ claims: withPrompt(6_000) }, { claims: withPrompt(100_000) }, { travel: "reference" }]) {
      const { kept, config } = keeper();
      const found = await claimsOf(token(await make({ ...USUAL, ...options, config })));
      const [[sha256, json]] = kept;
      assert.equal(createHash("sha256").update(json).digest("hex"), sha256);
      assert.deepEqual(JSON.parse(json).agent, (options.claims ?? BAKERY).agent);
      assert.deepEqual(found.config, { url: `https://app.example.com/config/${sha256}`, sha256 }, name);
      assert.deepEqual([found.agent, found.sub], [undefined, BAKERY.sub], name);
    }
    const { kept, config } = keeper();
    assert.ok((await claimsOf(token(await make({ ...USUAL, config })))).agent, name);
    assert.equal(kept.size, 0);
  });
});

test("nothing secret goes by reference, and a reference must fit as well", async () => {
  await each(async ({ make }, name) => {
    const { kept, config } = keeper();
    const claims = { ...KEYED, agent: withPrompt(6_000).agent };
    await assert.rejects(make({ ...USUAL, claims, config }), refused("secrets_readable", /keys\.openai/), name);
    assert.equal(kept.size, 0);
    await assert.rejects(make({ ...USUAL, travel: "reference" }), refused("too_large", /where to keep/), name);
  });
  const far = { ...keeper().config, url: (sha256) => `https://app.example.com/${prose(600).replace(/[^a-z]/g, "x")}/${sha256}` };
  await assert.rejects(connectExotel({ ...USUAL, claims: withPrompt(6_000), config: far }), refused("too_large", /only points/));
});
