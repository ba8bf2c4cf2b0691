// Are the tokens what the relay's description says, as somebody else's library reads them?

import assert from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { test } from "node:test";
import { compactDecrypt, compactVerify, decodeProtectedHeader } from "jose";
import { callToken, sealCall, signCall } from "patchcord";
import { BAKERY, prose, refused, SECRET } from "./given.mjs";

const OTHER = "another-secret-of-thirty-two-byt";
const KEYS = { ...BAKERY, keys: { openai: "sk-1" } };

const sealingKey = (secret) => new Uint8Array(hkdfSync("sha256", secret, "", "patchcord/seal/v1", 32));
const json = (bytes) => JSON.parse(new TextDecoder().decode(bytes));
const unsealed = async (token, secret = SECRET) => json((await compactDecrypt(token, sealingKey(secret))).plaintext);
const unsigned = async (token, secret = SECRET) => json((await compactVerify(token, new TextEncoder().encode(secret))).payload);

test("a signed token has the claims, and what was left out", async () => {
  const now = new Date("2026-11-21T10:00:00.900Z");
  const token = await signCall(BAKERY, { secret: SECRET, now });
  assert.deepEqual(decodeProtectedHeader(token), { alg: "HS256", typ: "call+jwt" });
  const { jti, ...claims } = await unsigned(token);
  assert.match(jti, /^[0-9a-f-]{36}$/);
  const iat = Date.parse("2026-11-21T10:00:00Z") / 1000;
  assert.deepEqual(claims, { ...BAKERY, aud: "patchcord", v: 1, iat, exp: iat + 90 });
});

test("a sealed token is compressed and opens with the derived key", async () => {
  const prompt = "You answer the phone. ".repeat(400);
  const token = await sealCall({ ...KEYS, agent: { prompt } }, { secret: SECRET, expiresIn: 900 });
  assert.deepEqual(decodeProtectedHeader(token), { alg: "dir", enc: "A256GCM", zip: "DEF", typ: "call+jwt" });
  assert.ok(token.length < 1000, `${token.length}`);
  const claims = await unsealed(token);
  assert.deepEqual([claims.agent.prompt, claims.keys, claims.exp - claims.iat], [prompt, { openai: "sk-1" }, 900]);
});

test("without a CompressionStream it is sealed all the same", async (t) => {
  const kept = globalThis.CompressionStream;
  t.after(() => (globalThis.CompressionStream = kept));
  delete globalThis.CompressionStream;
  const token = await sealCall(KEYS, { secret: SECRET });
  assert.equal(decodeProtectedHeader(token).zip, undefined);
  assert.equal((await unsealed(token)).keys.openai, "sk-1");
});

test("an app's own audience, name and version stay", async () => {
  const own = { ...BAKERY, aud: ["a", "b"], jti: "one", v: 1 };
  const claims = await unsigned(await signCall(own, { secret: SECRET }));
  assert.deepEqual([claims.aud, claims.jti], [["a", "b"], "one"]);
});

test("what holds a secret is sealed, and never signed", async () => {
  const secrets = {
    "keys.openai": { keys: { openai: "sk-1" } },
    "keys.twilio": { keys: { groq: null, twilio: { account_sid: "AC", api_key: "SK", api_secret: "s" } } },
    openAIKey: { agent: undefined, legs: undefined, openAIKey: "sk-1" },
    "report.secret": { report: { url: "https://app.example.com/r", secret: "whsec_x" } },
    "call.record.put_url": { call: { record: { put_url: "https://bucket.example.com/1?signature=1" } } },
    "tools[1].authorization": { tools: [{ kind: "hang_up" }, { kind: "mcp", server_label: "c", server_url: "https://m.example.com", authorization: "k" }] },
  };
  for (const [where, more] of Object.entries(secrets)) {
    const claims = { ...BAKERY, ...more };
    assert.equal((await callToken(claims, { secret: SECRET })).split(".").length, 5, where);
    await assert.rejects(signCall(claims, { secret: SECRET }), refused("secrets_readable", new RegExp(where.replace(/[[\].]/g, "\\$&"))), where);
  }
  for (const more of [{}, { keys: {} }, { keys: { openai: undefined } }, { report: { url: "https://app.example.com/r" } }]) {
    assert.equal((await callToken({ ...BAKERY, ...more }, { secret: SECRET })).split(".").length, 3);
  }
});

test("of several secrets the named one is taken, else the first", async () => {
  const secret = `old=${OTHER}, new=${SECRET}`;
  const [first, named] = [await signCall(BAKERY, { secret }), await sealCall(BAKERY, { secret, kid: "new" })];
  assert.equal(decodeProtectedHeader(first).kid, "old");
  assert.equal(decodeProtectedHeader(named).kid, "new");
  await unsigned(first, OTHER);
  await unsealed(named, SECRET);
});

test("padding of a bare secret is no name", async () => {
  const secret = `${SECRET}==`;
  const token = await signCall(BAKERY, { secret });
  assert.equal(decodeProtectedHeader(token).kid, undefined);
  await unsigned(token, secret);
});

test("what is wrong is said, without the secret", async () => {
  for (const [claims, options, code, pattern] of [
    [BAKERY, { secret: undefined }, "secret_missing", /RELAY_SECRET/],
    [BAKERY, { secret: " " }, "secret_missing", /RELAY_SECRET/],
    [BAKERY, { secret: `a=${SECRET}`, kid: "b" }, "secret_missing", /called b/],
    [BAKERY, { secret: "sk-oops" }, "secret_short", /32 bytes/],
    [BAKERY, { secret: `a=${SECRET},b=sk-oops` }, "secret_short", /called b/],
    [{ ...BAKERY, iss: "" }, { secret: SECRET }, "claims", /`iss`/],
    [BAKERY, { secret: SECRET, expiresIn: 901 }, "claims", /expiresIn/],
    [BAKERY, { secret: SECRET, expiresIn: 0.5 }, "claims", /expiresIn/],
    [BAKERY, { secret: SECRET, now: new Date("no") }, "claims", /`now`/],
    [{ ...BAKERY, agent: { prompt: prose(60_000) } }, { secret: SECRET }, "too_large", /seal it/],
    [{ ...BAKERY, agent: { prompt: "x".repeat(250_000) } }, { secret: SECRET }, "too_large", /250000/],
  ]) {
    for (const make of [signCall, callToken]) {
      await assert.rejects(make(claims, options), (error) => {
        assert.ok(!error.message.includes("oops") && !error.message.includes(SECRET), error.message);
        return refused(code, pattern)(error);
      });
    }
  }
});
