// The built app, pretend providers, and a language model that does what the test has planned.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { BINARY } from "../../../test/relay.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const NEXT = createRequire(import.meta.url).resolve("next/dist/bin/next");

/** Starts a program, and takes what it prints until a line fits. The test ends it. */
async function started(t, program, words, env, pattern) {
  const child = spawn(program, words, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  });
  const lines = [];
  const found = await new Promise((resolve, reject) => {
    child.on("exit", (code) => reject(new Error(`${program} ${words.join(" ")} ended with ${code}:\n${lines.join("\n")}`)));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        const match = pattern.exec(line);
        if (match) resolve(match);
      });
    }
  });
  return { lines, found };
}

/** The app on a free port. `settings` may say where it is, as a function of its address. */
export async function app(t, settings) {
  const port = await freePort();
  const at = `http://127.0.0.1:${port}`;
  const env = { PATH: process.env.PATH, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1", APP_URL: at, ...settings };
  const { lines } = await started(t, process.execPath, [NEXT, "start", "--port", String(port), "--hostname", "127.0.0.1"], env, /Ready in/);
  return { at, lines };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Ears and voices. */
export async function providers(t) {
  const { found } = await started(t, BINARY, ["sim", "--port", "0"], {}, /DEEPGRAM_BASE_URL=(\S+)/);
  return found[1];
}

/** A phone that says two sentences of a made-up voice. Gives what it heard. */
export async function phone(address, call, token) {
  const words = ["call", `ws://${address}/stream/twilio`, "--token", token, "--call-id", call, "--seconds", "20", "--json"];
  const child = spawn(BINARY, words, { env: {}, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (piece) => (text += piece));
  await once(child, "close");
  return JSON.parse(text).phone;
}

/** Chat completions. `plan` says of each request's messages either words to say or a tool to call. */
export async function model(t, plan) {
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const { messages } = JSON.parse(Buffer.concat(pieces).toString() || "{}");
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (delta, finish_reason = null) =>
      response.write(`data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
    const next = plan(messages ?? []);
    if (typeof next === "string") {
      send({ role: "assistant", content: next });
      send({}, "stop");
    } else {
      const call = { index: 0, id: "call_1", type: "function", function: { name: next.name, arguments: JSON.stringify(next.arguments) } };
      send({ role: "assistant", content: next.say ?? null, tool_calls: [call] });
      send({}, "tool_calls");
    }
    const usage = { prompt_tokens: 40, completion_tokens: 10, total_tokens: 50 };
    response.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/openai/v1`;
}
