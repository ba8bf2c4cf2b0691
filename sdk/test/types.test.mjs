// Are the types those of the relay, and do they hold for what it really sends?

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { source } from "../scripts/types.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TSC = createRequire(import.meta.url).resolve("typescript/bin/tsc");

const read = (path) => readFileSync(join(ROOT, path), "utf8");

/** What the compiler says of these files, which find `patchcord` as its users do. Empty is good. */
function complaints(t, files, options) {
  // Inside the package, so that its own name leads to it.
  mkdirSync(join(ROOT, "dist/checked"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "dist/checked/"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const names = Object.keys(files).map((name) => join(folder, name));
  try {
    execFileSync(process.execPath, [TSC, "--noEmit", "--strict", "--skipLibCheck", "false", ...options, ...names], { encoding: "utf8" });
    return "";
  } catch (error) {
    return error.stdout || String(error);
  }
}

const MODERN = ["--module", "nodenext", "--target", "es2022", "--lib", "es2022", "--types", "node"];

test("the claims' types are made of the schema as it is now", () => {
  assert.equal(source(), read("src/call-token.ts"), "run `npm run types`");
});

test("the types' script stops at what it does not know", () => {
  const root = { title: "T", type: "object", additionalProperties: false, $defs: {} };
  assert.throws(() => source({ ...root, properties: { a: { type: "string", not: {} } } }), /`not`/);
  assert.throws(() => source({ ...root, properties: { a: { type: "date" } } }), /"date"/);
  assert.throws(() => source({ ...root, additionalProperties: true, properties: { a: { type: "string" } } }), /other fields/);
});

test("what the relay sends has the types that we say it has", (t) => {
  const examples = [...read("../docs/what-your-app-receives.md").matchAll(/<!-- example: (\S+) -->\n```json\n([\s\S]*?)```/g)];
  const types = {
    tool: "ToolCall<{ day: string }, { shop: number }>",
    knowledge: "ToolCall<{ question: string }, { shop: number }>",
    "call.started": "CallStarted<{ shop: number }>",
    "turn.ended": "TurnEnded",
    "call.action": "CallAction",
    "call.ended": "CallEnded",
  };
  assert.deepEqual(examples.map(([, name]) => name).sort(), Object.keys(types).sort());
  const head = 'import type { CallAction, CallEnded, CallStarted, Report, ToolCall, TurnEnded } from "patchcord";\n';
  const lines = examples.map(([, name, json], i) => `export const m${i}: ${types[name]} = ${json};`);
  const typed = head + lines.join("\n") + "\nexport const any: Report[] = [m2, m3, m4, m5];\n";
  assert.equal(complaints(t, { "received.mts": typed }, MODERN), "");
  // The check itself: a field that nobody declared is noticed.
  const strange = typed.replace('"gaps_ms"', '"gasp_ms"');
  assert.match(complaints(t, { "received.mts": strange }, MODERN), /gasp_ms/);
});

test("every agent of the documentation fits the claims", (t) => {
  const agents = readdirSync(join(ROOT, "../docs/agents")).filter((name) => name.endsWith(".json"));
  assert.ok(agents.length > 5);
  const lines = agents.map((name, i) => `export const a${i}: Omit<CallClaims, "iss"> = ${read(`../docs/agents/${name}`)};`);
  const typed = `import type { CallClaims } from "patchcord";\n${lines.join("\n")}\n`;
  assert.equal(complaints(t, { "agents.mts": typed }, MODERN), "");
  assert.match(complaints(t, { "agents.mts": typed.replace('"prompt"', '"promt"') }, MODERN), /promt/);
});

test("the routes that the README shows for the other carriers are code", (t) => {
  const section = /## Other carriers\n([\s\S]*?)\n## /.exec(read("README.md"))[1];
  const [shared, ...routes] = [...section.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text);
  assert.equal(routes.length, 6);
  const names = [...section.matchAll(/`(connect[A-Z]\w+)`/g)].map(([, name]) => name).filter((name) => name !== "connectTwiml");
  const head = `import { type CallClaims, type ConfigKeeper, ${[...new Set(names)].join(", ")} } from "patchcord";\ndeclare const config: ConfigKeeper;\n`;
  const files = Object.fromEntries(routes.map((route, i) => [`route${i}.mts`, head + shared + route]));
  assert.equal(complaints(t, files, MODERN), "");
  assert.match(complaints(t, { "route.mts": (head + shared + routes[0]).replace("claims:", "clams:") }, MODERN), /clams/);
});

const USE = `
export async function route(request: Request, secret: string | undefined): Promise<string> {
  const token: string = await callToken({ iss: "https://app.example.com", sub: "CA1", legs: [{ kind: "echo" }] }, { secret });
  const report = await verifyReport<{ shop: number }>(request, { secret });
  if (report.type === "call.ended") return report.data.reason + report.data.cost.usd.toFixed(2) + report.data.context.shop;
  const tool = await verifyTool<{ day: string }>({ headers: { "webhook-id": "1" }, body: "{}" }, { secret });
  return token + tool.arguments.day + (new Error() instanceof PatchcordError);
}
`;

test("users with import and with require, of new and of old compilers' ways, get types", (t) => {
  const imports = `import { callToken, PatchcordError, verifyReport, verifyTool } from "patchcord";${USE}`;
  const requires = `import patchcord = require("patchcord");\nconst { callToken, PatchcordError, verifyReport, verifyTool } = patchcord;${USE}`;
  const files = { "module.mts": imports, "common.cts": requires };
  for (const options of [
    MODERN,
    ["--module", "node16", "--target", "es2022", "--lib", "es2022,dom"],
    ["--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom", "--exactOptionalPropertyTypes"],
  ]) {
    assert.equal(complaints(t, files, options), "", options.join(" "));
  }
  const bundled = ["--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022", "--lib", "es2022,dom"];
  assert.equal(complaints(t, { "module.mts": imports }, bundled), "");
});

test("the library imports nothing but jose, and names nothing that only Node has", () => {
  const files = ["dist/esm", "dist/cjs"].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".js")).map((name) => `${folder}/${name}`),
  );
  assert.ok(files.length > 10);
  for (const file of files) {
    const text = read(file);
    const wanted = [...text.matchAll(/(?:from |require\(|import\()\s*"([^"]+)"/g)].map(([, name]) => name);
    assert.deepEqual(wanted.filter((name) => name !== "jose" && !name.startsWith("./")), [], file);
    assert.doesNotMatch(text.replace(/\/\/.*|\/\*[\s\S]*?\*\//g, ""), /\b(Buffer|process|__dirname|setImmediate)\b/, file);
  }
  assert.match(read("dist/esm/token.js"), /from "jose"/);
});
