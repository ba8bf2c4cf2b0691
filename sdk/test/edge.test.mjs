// Does it work where there is no Node: in an Edge runtime, which has only what the web has?

import assert from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { EdgeVM } from "@edge-runtime/vm";
import { compactDecrypt } from "jose";
import { Webhook } from "standardwebhooks";
import ts from "typescript";
import { BAKERY, SECRET } from "./given.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The package inside an Edge runtime. It has no modules, so they are put together here as a bundler would. */
function onTheEdge() {
  const vm = new EdgeVM();
  const loaded = new Map();
  const load = (file) => {
    if (loaded.has(file)) return loaded.get(file);
    const exports = {};
    loaded.set(file, exports);
    const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 };
    const text = ts.transpileModule(readFileSync(file, "utf8"), { compilerOptions }).outputText;
    const need = (name) => load(name === "jose" ? join(ROOT, "node_modules/jose/dist/webapi/index.js") : join(dirname(file), name));
    vm.evaluate(`(function (exports, require) {${text}\n})`)(exports, need);
    return exports;
  };
  return { vm, patchcord: load(join(ROOT, "dist/esm/index.js")) };
}

test("there is no Node on the edge", () => {
  const { vm } = onTheEdge();
  assert.equal(vm.evaluate("typeof Buffer + typeof require + typeof process"), "undefinedundefinedundefined");
});

test("a token is made there", async () => {
  const { patchcord } = onTheEdge();
  const document = await patchcord.connectTwiml({
    url: "wss://relay.example.com",
    secret: SECRET,
    claims: { ...BAKERY, keys: { openai: "sk-1" } },
    travel: "path",
  });
  const token = /twilio\/([^"]+)"/.exec(document)[1];
  const key = new Uint8Array(hkdfSync("sha256", SECRET, "", "patchcord/seal/v1", 32));
  const claims = JSON.parse(new TextDecoder().decode((await compactDecrypt(token, key)).plaintext));
  assert.deepEqual([claims.keys, claims.agent], [{ openai: "sk-1" }, BAKERY.agent]);
});

test("every carrier is answered there", async () => {
  const { patchcord } = onTheEdge();
  const options = { url: "wss://relay.example.com", secret: SECRET, claims: { iss: "https://app.example.com", sub: "1", legs: [{ kind: "echo" }] } };
  for (const make of ["connectTexml", "connectCallControl", "connectCxml", "connectPlivo", "connectExotel", "connectNcco"]) {
    assert.match(JSON.stringify(await patchcord[make](options)), /wss:\/\/relay\.example\.com\/stream\/.*[\w-]+\.[\w-]*\.[\w-]+/, make);
  }
});

test("a message is verified there", async () => {
  const { vm, patchcord } = onTheEdge();
  const body = JSON.stringify({ call: { id: "1" }, name: "opening_hours", arguments: { day: "monday" }, context: null });
  const at = new Date();
  const key = Buffer.from(hkdfSync("sha256", SECRET, "", "patchcord/webhook/v1", 32)).toString("base64");
  const headers = { "webhook-id": "msg_1", "webhook-timestamp": String(Math.floor(at / 1000)), "webhook-signature": new Webhook(key).sign("msg_1", at, body) };
  const request = (body) => vm.evaluate("(headers, body) => new Request('https://app.example.com/', { method: 'POST', headers, body })")(headers, body);
  assert.equal((await patchcord.verifyTool(request(body), { secret: SECRET })).arguments.day, "monday");
  await assert.rejects(patchcord.verifyTool(request(`${body} `), { secret: SECRET }), { code: "message_signature" });
});
