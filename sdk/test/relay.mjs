// A real relay, and a phone that speaks to it as Twilio does.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";

const BUILT = fileURLToPath(new URL("../../target/debug/patchcord", import.meta.url));

/** The relay's binary: `PATCHCORD`, else the one that cargo built here; nothing when there is none. */
export const BINARY = process.env.PATCHCORD ?? (existsSync(BUILT) ? BUILT : undefined);

/** Without a relay there is nothing to ask; one that is named must be there. */
export const needsRelay = { skip: BINARY ? false : "no relay: build it (`cargo build`) or name it in PATCHCORD", timeout: 60_000 };

/** Starts a relay on free ports; the test ends it. */
export async function relay(t, settings) {
  const env = { PORT: "0", OPS_PORT: "0", BIND: "127.0.0.1", LOG_FORMAT: "json", WEBHOOK_ALLOW_PRIVATE: "true", DRAIN_SECONDS: "1", ...settings };
  const child = spawn(BINARY, ["serve"], { env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  });
  const log = [];
  const address = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the relay ended with ${code}: ${JSON.stringify(log)}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const entry = JSON.parse(line);
      log.push(entry);
      if (entry.message === "listening") resolve(entry.address);
    });
  });
  return { address, log };
}

/** A server on a free port that answers with what `answer` says of each request, and its bodies. */
export async function app(t, answer) {
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const { status = 200, body = "" } = (await answer({ headers: request.headers, url: request.url, body: Buffer.concat(pieces).toString() })) ?? {};
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

export function callSid() {
  return `CA${randomBytes(16).toString("hex")}`;
}

/** Does what a TwiML document says: dials that relay with those parameters. */
export function dialDocument(document, address, sid) {
  const url = / url="([^"]*)"/.exec(document)[1].replace(/^wss:\/\/[^/]+/, `ws://${address}`);
  const parameters = [...document.matchAll(/<Parameter name="([^"]*)" value="([^"]*)"\/>/g)].map(([, name, value]) => [name, value]);
  return dial(url, { sid, parameters: Object.fromEntries(parameters) });
}

/** `{ refused }` with the relay's answer, or `{ heard, hangUp, closed }`. */
export async function dial(url, { sid, parameters = {}, headers = {} }) {
  const socket = new WebSocket(url, { headers });
  const refusal = new Promise((resolve) => socket.on("unexpected-response", async (_, response) => {
    const pieces = [];
    for await (const piece of response) pieces.push(piece);
    resolve({ refused: JSON.parse(Buffer.concat(pieces)).error.code });
  }));
  // Listens from the first moment: an answer may come with the upgrade.
  const closed = new Promise((resolve) => socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() })));
  const heard = new Promise((resolve) => socket.on("message", (text) => JSON.parse(text).event === "media" && resolve(true)));
  const open = once(socket, "open").then(() => undefined);
  open.catch(() => undefined);
  const refused = await Promise.race([open, refusal]);
  if (refused) return refused;

  const stream = `MZ${randomBytes(16).toString("hex")}`;
  let number = 0;
  const say = (event, more) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ event, sequenceNumber: String(++number), streamSid: stream, ...more }));
  socket.send(JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" }));
  say("start", {
    start: {
      accountSid: "AC22222222222222222222222222222222", callSid: sid, streamSid: stream, tracks: ["inbound"], customParameters: parameters,
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
    },
  });
  socket.on("message", (text) => {
    const { event, mark } = JSON.parse(text);
    if (event === "mark") say("mark", { mark });
  });
  const listening = listen(say);
  closed.then(() => clearInterval(listening));
  const hangUp = async () => {
    clearInterval(listening);
    say("stop", { stop: { accountSid: "AC22222222222222222222222222222222", callSid: sid } });
    socket.close();
    await closed;
  };
  return { heard, closed, hangUp };
}

/** A caller who is there and says nothing: 50 frames of silence a second. */
function listen(say) {
  let chunk = 0;
  return setInterval(() => say("media", { media: { track: "inbound", chunk: String(++chunk), timestamp: String(chunk * 20), payload: SILENCE } }), 20);
}

/** 20 ms of µ-law. */
const SILENCE = Buffer.alloc(160, 0xff).toString("base64");
