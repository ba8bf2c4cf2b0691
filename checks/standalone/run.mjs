// Does a relay without an app answer Twilio? Asked with Twilio's own npm package, an XML parser and a WebSocket of others.
//
//   node checks/standalone/run.mjs target/debug/patchcord

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { XMLParser, XMLValidator } from "fast-xml-parser";
import twilio from "twilio";
import { WebSocket } from "ws";

const binary = process.argv[2] ?? "target/debug/patchcord";
const authToken = "0123456789abcdef0123456789abcdef";
const account = `AC${"0".repeat(31)}1`;
const directory = mkdtempSync(join(tmpdir(), "patchcord-standalone-"));
const file = join(directory, "agent.toml");
writeFileSync(file, '[agent]\nid = "line-test"\n\n[[legs]]\nkind = "echo"\npause_ms = 300\n');

let relay, publicUrl, exited;

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function start(environment, agent = file) {
  const child = spawn(binary, ["serve", "--agent", agent], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  child.words = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => (child.words += piece));
  return child;
}

function settings(port) {
  return {
    RELAY_SECRET: "0123456789abcdef0123456789abcdef",
    TWILIO_AUTH_TOKEN: authToken,
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    PORT: String(port),
    OPS_PORT: "0",
    BIND: "127.0.0.1",
    LOG_FORMAT: "json",
  };
}

before(async () => {
  const port = await freePort();
  publicUrl = `http://127.0.0.1:${port}`;
  relay = start(settings(port));
  exited = once(relay, "exit");
  const lines = createInterface({ input: relay.stdout });
  const listening = (async () => {
    for await (const line of lines) if (line.includes("listening")) return true;
    return false;
  })();
  assert.ok(await listening, relay.words);
});

after(async () => {
  relay.kill("SIGTERM");
  await exited;
  rmSync(directory, { recursive: true });
});

let calls = 0;
const nextCall = () => `CA${String(++calls).padStart(32, "0")}`;

const fields = (call) => ({
  CallSid: call,
  AccountSid: account,
  From: "+15550100",
  To: "+15550111",
  Direction: "inbound",
  CallStatus: "ringing",
  CallerName: "Zoë & Ann <x>",
  Empty: "",
});

const sign = (url, params) => twilio.getExpectedTwilioSignature(authToken, url, params);

function post(params, signature, path = "/twiml") {
  const headers = { "content-type": "application/x-www-form-urlencoded; charset=UTF-8" };
  if (signature !== undefined) headers["x-twilio-signature"] = signature;
  return fetch(publicUrl + path, { method: "POST", headers, body: new URLSearchParams(params) });
}

/** The stream that a document asks for. */
function stream(xml) {
  assert.equal(XMLValidator.validate(xml), true, xml);
  const isArray = (name) => name === "Parameter";
  const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: "", parseAttributeValue: false, isArray });
  const document = parser.parse(xml);
  assert.deepEqual(Object.keys(document.Response), ["Connect"]);
  const { url, Parameter } = document.Response.Connect.Stream;
  for (const { name, value } of Parameter) assert.ok(name.length + value.length < 500, name);
  return { url, parameters: Object.fromEntries(Parameter.map(({ name, value }) => [name, value])) };
}

/** A call as Twilio brings it; resolves with the first sound that comes back. */
async function dial(call, { url, parameters }, signature = sign(url, {})) {
  const socket = new WebSocket(url, { headers: { "x-twilio-signature": signature }, perMessageDeflate: false });
  await once(socket, "open");
  const streamSid = `MZ${call.slice(2)}`;
  const send = (message) => socket.send(JSON.stringify(message));
  send({ event: "connected", protocol: "Call", version: "1.0.0" });
  send({
    event: "start",
    sequenceNumber: "1",
    streamSid,
    start: {
      accountSid: account,
      callSid: call,
      streamSid,
      tracks: ["inbound"],
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
      customParameters: parameters,
    },
  });
  // A loud tone for a second, then silence: the line test says it back.
  let chunk = 0;
  const clock = setInterval(() => {
    chunk += 1;
    const payload = Buffer.alloc(160, chunk < 50 ? undefined : 0xff);
    if (chunk < 50) for (let i = 0; i < 160; i += 1) payload[i] = i % 16 < 8 ? 0x80 : 0x00;
    send({
      event: "media",
      sequenceNumber: String(chunk + 1),
      streamSid,
      media: { track: "inbound", chunk: String(chunk), timestamp: String(120 + chunk * 20), payload: payload.toString("base64") },
    });
  }, 20);
  try {
    return await new Promise((resolve, reject) => {
      socket.on("message", (data) => {
        const message = JSON.parse(data);
        if (message.event === "mark") send({ event: "mark", sequenceNumber: "0", streamSid, mark: message.mark });
        if (message.event === "media") resolve({ heard: Buffer.from(message.media.payload, "base64").length });
      });
      socket.on("close", (code, reason) => resolve({ code, reason: String(reason) }));
      socket.on("error", reject);
      setTimeout(() => reject(new Error("nothing came back")), 20_000).unref();
    });
  } finally {
    clearInterval(clock);
    socket.close();
  }
}

test("a webhook that Twilio's package signs is answered, and the call connects", async () => {
  const call = nextCall();
  const params = fields(call);
  const answer = await post(params, sign(`${publicUrl}/twiml`, params));
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type"), /^text\/xml/);
  const asked = stream(await answer.text());
  assert.equal(asked.url, `${publicUrl.replace("http", "ws")}/stream/twilio`);
  const { heard } = await dial(call, asked);
  assert.ok(heard > 0);
});

test("so is one by GET, and one with a query", async () => {
  const query = new URLSearchParams(fields(nextCall()));
  const url = `${publicUrl}/twiml?${query}`;
  const got = await fetch(url, { headers: { "x-twilio-signature": sign(url, {}) } });
  assert.equal(got.status, 200);
  stream(await got.text());
  const params = fields(nextCall());
  const posted = await post(params, sign(`${publicUrl}/twiml?line=1`, params), "/twiml?line=1");
  assert.equal(posted.status, 200);
});

test("a wrong signature, none, and a changed number are refused", async () => {
  const params = fields(nextCall());
  const right = sign(`${publicUrl}/twiml`, params);
  const wrong = twilio.getExpectedTwilioSignature("another token", `${publicUrl}/twiml`, params);
  for (const [what, answer] of [
    ["wrong", await post(params, wrong)],
    ["none", await post(params)],
    ["changed", await post({ ...params, From: "+15559999" }, right)],
    ["another path", await post(params, right, "/twiml?x=1")],
  ]) {
    assert.equal(answer.status, 403, what);
    assert.equal((await answer.json()).error.code, "twilio_signature", what);
  }
});

test("a stream that Twilio did not sign is refused, and one for another call is closed", async () => {
  const [call, other] = [nextCall(), nextCall()];
  const params = fields(call);
  const asked = stream(await (await post(params, sign(`${publicUrl}/twiml`, params))).text());
  await assert.rejects(dial(call, asked, sign(`${asked.url}/x`, {})), /403/);
  const closed = await dial(other, asked);
  assert.equal(closed.code, 1008);
  assert.match(closed.reason, /token_other_call/);
});

test("a missing setting is refused with what to do", async () => {
  const port = await freePort();
  const { TWILIO_AUTH_TOKEN, PUBLIC_URL, ...rest } = settings(port);
  const child = start(rest);
  const [code] = await once(child, "close");
  assert.equal(code, 2);
  assert.match(child.words, /PUBLIC_URL: is missing.*set it to/);
  assert.match(child.words, /TWILIO_AUTH_TOKEN: is missing.*copy it/);
});
