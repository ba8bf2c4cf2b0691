// Does the real relay take our tokens on every way, and do we take what it sends?

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
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

test("every carrier's answer opens a call over that carrier", needsRelay, async (t) => {
  const { address } = await relay(t, { RELAY_SECRET: SECRET });
  const ways = {
    // The token in its address, as TwiML has it.
    texml: async (options) => apart(/ url="([^"]*)"/.exec(await connectTexml(options))[1]),
    telnyx: async (options) => {
      const { stream_url, stream_auth_token } = await connectCallControl(options);
      return { address: stream_url, token: stream_auth_token };
    },
    signalwire: async (options) => {
      const document = await connectCxml(options);
      return { address: / url="([^"]*)"/.exec(document)[1], token: / authBearerToken="([^"]*)"/.exec(document)[1] };
    },
    plivo: async (options) => apart(/>(wss:[^<]*)</.exec(await connectPlivo(options))[1]),
    exotel: async (options) => apart((await connectExotel(options)).url),
    vonage: async (options) => {
      const [{ endpoint: [{ uri, authorization, headers }] }] = await connectNcco(options);
      assert.equal(headers.uuid, options.claims.sub);
      return { address: uri, token: authorization.value.replace(/^Bearer /, "") };
    },
  };
  // The binary's own phone is as strict as that carrier, and fails when anything is wrong.
  const call = async (name, far, token, sid) => {
    const words = ["call", far.replace(/^wss:\/\/[^/]+/, `ws://${address}`), "--carrier", name, "--token", token, "--call-id", sid, "--json"];
    const { phone } = JSON.parse((await promisify(execFile)(BINARY, words)).stdout);
    assert.deepEqual(phone.violations, [], name);
    assert.ok(phone.played_ms > 500, `${name}: ${phone.played_ms} ms were heard`);
  };
  const calls = Object.entries(ways).flatMap(([name, way]) => [false, true].map(async (seal) => {
    const sid = callSid();
    const { address: far, token } = await way({ secret: SECRET, url: URL_, claims: { ...ECHO, sub: sid }, seal });
    if (name !== "texml") assert.equal(new URL(far).pathname, `/stream/${name}`);
    await call(name === "texml" ? "telnyx" : name, far, token, sid);
  }));
  await Promise.all(calls);
});

/** An address with the token behind its path. */
function apart(url) {
  const [, address, token, query] = /^([^?]*)\/([^/?]+)(\?.*)?$/.exec(url);
  return { address: address + (query ?? ""), token };
}

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
