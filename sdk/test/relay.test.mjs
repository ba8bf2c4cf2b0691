// Does the real relay take our tokens on every way, and do we take what it sends?

import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { existsSync } from "node:fs";
import { test } from "node:test";
import {
  callToken, connectCallControl, connectCxml, connectExotel, connectNcco, connectPlivo, connectTexml, connectTwiml, sealCall, signCall, verifyConfigRequest, verifyReport,
} from "patchcord";
import { ECHO, prose, SECRET } from "./given.mjs";
import { app, BINARY, callSid, dial, dialDocument, needsRelay, relay } from "./relay.mjs";

const URL_ = "wss://relay.example.com";

test("a relay that is named is there", { skip: !process.env.PATCHCORD }, () => assert.ok(existsSync(BINARY), BINARY));

test("a token opens a call on every way that it can travel", needsRelay, async (t) => {
  const { address } = await relay(t, { RELAY_SECRET: SECRET });
  const stream = `ws://${address}/stream/twilio`;
  const withToken = (way) => async (claims, seal) => way(await (seal ? sealCall : signCall)(claims, { secret: SECRET }), claims.sub);
  const withTwiml = (length) => async (claims, seal) => {
    const whole = { ...claims, agent: { ...claims.agent, prompt: prose(length) } };
    return dialDocument(await connectTwiml({ secret: SECRET, url: URL_, claims: whole, seal }), address, claims.sub);
  };
  const ways = {
    path: withToken((token, sid) => dial(`${stream}/${token}`, { sid })),
    "the path of existing apps": withToken((token, sid) => dial(`ws://${address}/api/twilio/media-stream/${token}`, { sid })),
    query: withToken((token, sid) => dial(`${stream}?token=${token}`, { sid })),
    authorization: withToken((token, sid) => dial(stream, { sid, headers: { authorization: `Bearer ${token}` } })),
    "Telnyx' header": withToken((token, sid) => dial(stream, { sid, headers: { "x-telnyx-streaming-auth-token": token } })),
    "one parameter": withToken((token, sid) => dial(stream, { sid, parameters: { token } })),
    "TwiML with a path": withTwiml(1),
    "TwiML with a few parameters": withTwiml(3_000),
    "TwiML with nearly as many parameters as there may be": withTwiml(30_000),
  };
  const calls = Object.entries(ways).flatMap(([name, way]) => [false, true].map((seal) => [`${name}, ${seal ? "sealed" : "signed"}`, way, seal]));
  for (const [name, way, seal] of calls) {
    await t.test(name, async () => {
      const call = await way({ ...ECHO, sub: callSid() }, seal);
      assert.equal(call.refused, undefined);
      // The agent greets; a call that is refused later closes instead.
      const first = await Promise.race([call.heard, call.closed]);
      assert.equal(first, true, JSON.stringify(first));
      await call.hangUp();
    });
  }
});

test("the token in every carrier's answer is found where that carrier brings it", needsRelay, async (t) => {
  const { address } = await relay(t, { RELAY_SECRET: SECRET });
  // The phone of these tests speaks as Twilio does, so that is where it calls.
  const url = "wss://relay.example.com/stream/twilio";
  const near = (far) => far.replace(/^wss:\/\/[^/]+/, `ws://${address}`);
  const ways = {
    "TeXML's address": async (options) => ({ url: / url="([^"]*)"/.exec(await connectTexml(options))[1] }),
    "Telnyx' token": async (options) => {
      const { stream_url, stream_auth_token } = await connectCallControl(options);
      return { url: stream_url, headers: { "x-telnyx-streaming-auth-token": stream_auth_token } };
    },
    "SignalWire's token": async (options) => {
      const document = await connectCxml(options);
      return { url: / url="([^"]*)"/.exec(document)[1], headers: { authorization: `Bearer ${/ authBearerToken="([^"]*)"/.exec(document)[1]}` } };
    },
    "Plivo's address": async (options) => ({ url: />(wss:[^<]*)</.exec(await connectPlivo(options))[1] }),
    "Exotel's address": connectExotel,
    "Vonage's authorization": async (options) => {
      const [{ endpoint: [{ uri, authorization }] }] = await connectNcco(options);
      return { url: uri, headers: { authorization: authorization.value } };
    },
  };
  for (const [name, way] of Object.entries(ways)) {
    for (const seal of [false, true]) {
      const sid = callSid();
      const { url: far, headers } = await way({ secret: SECRET, url, claims: { ...ECHO, sub: sid }, seal });
      const call = await dial(near(far), { sid, headers });
      assert.equal(call.refused, undefined, name);
      assert.equal(await Promise.race([call.heard, call.closed]), true, name);
      await call.hangUp();
    }
  }
});

test("a configuration by reference is fetched, and given out only to the relay", needsRelay, async (t) => {
  const kept = new Map();
  const asked = [];
  const home = await app(t, async ({ headers, url }) => {
    const { sha256 } = await verifyConfigRequest({ headers: new Headers(headers) }, { secret: SECRET });
    asked.push(url);
    return { body: kept.get(sha256) };
  });
  const { address } = await relay(t, { RELAY_SECRET: SECRET });
  const config = { url: (sha256) => `${home}/config/${sha256}`, keep: (sha256, json) => void kept.set(sha256, json) };
  const sid = callSid();
  const claims = { ...ECHO, sub: sid, agent: { ...ECHO.agent, prompt: prose(80_000) } };
  const call = await dialDocument(await connectTwiml({ secret: SECRET, url: URL_, claims, config }), address, sid);
  assert.equal(await Promise.race([call.heard, call.closed]), true);
  await call.hangUp();
  assert.deepEqual(asked, [`/config/${[...kept.keys()][0]}`]);
});

test("of several secrets each is taken, by name", needsRelay, async (t) => {
  const secret = `old=another-secret-of-thirty-two-byt,new=${SECRET}`;
  const { address } = await relay(t, { RELAY_SECRET: secret, REQUIRE_SEALED: "true" });
  for (const kid of ["old", "new"]) {
    for (const make of [signCall, sealCall]) {
      const sid = callSid();
      const call = await dial(`ws://${address}/stream/twilio/${await make({ ...ECHO, sub: sid }, { secret, kid })}`, { sid });
      assert.equal(await Promise.race([call.heard, call.closed]), true);
      await call.hangUp();
    }
  }
});

test("what the relay refuses it refuses by name", needsRelay, async (t) => {
  const { address } = await relay(t, { RELAY_SECRET: SECRET });
  const sid = callSid();
  const answer = async (claims, options = {}) => {
    const call = await dial(`ws://${address}/stream/twilio/${await callToken({ ...ECHO, sub: sid, ...claims }, { secret: SECRET, ...options })}`, { sid });
    return call.refused ?? (await call.closed).reason;
  };
  assert.equal(await answer({}, { secret: "another-secret-of-thirty-two-byt" }), "token_signature");
  assert.equal(await answer({}, { now: new Date(Date.now() - 200_000) }), "token_expired");
  assert.equal(await answer({ aud: "another" }), "token_audience");
  assert.equal(await answer({ agnet: {} }), "claims_unknown_field");
  assert.equal(await answer({ sub: callSid() }), "token_other_call");
});

test("its reports are verified, also with a secret of one's own", needsRelay, async (t) => {
  const own = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
  for (const [secret, with_] of [[SECRET, {}], [own, { secret: own }]]) {
    const reports = new EventEmitter();
    const home = await app(t, async (message) => {
      const report = await verifyReport(message, { secret }).catch((error) => error);
      reports.emit(report.type ?? "error", report);
      return {};
    });
    const { address } = await relay(t, { RELAY_SECRET: SECRET });
    const sid = callSid();
    const report = { url: `${home}/report`, events: ["call.started", "call.ended"], ...with_ };
    const began = once(reports, "call.started");
    const over = once(reports, "call.ended");
    const document = await connectTwiml({ secret: SECRET, url: URL_, claims: { ...ECHO, sub: sid, report, context: { shop: 3 } } });
    const call = await dialDocument(document, address, sid);
    assert.equal((await began)[0].data.call.carrier_call_id, sid);
    await call.heard;
    await call.hangUp();
    const [{ data, id }] = await over;
    assert.deepEqual([data.reason, data.connected, data.context, data.call.agent_id], ["caller_hung_up", true, { shop: 3 }, "front-desk"]);
    assert.match(id, /./);
  }
});
