// Does verifying agree with the library of Standard Webhooks, and say no to everything else?

import assert from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PatchcordError, verifyReport, verifyTool } from "patchcord";
import { Webhook } from "standardwebhooks";
import { SECRET } from "./given.mjs";

const OTHER = "another-secret-of-thirty-two-byt";
const NOW = new Date("2026-11-21T10:00:00Z");
const OWN = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

const derived = (secret) => Buffer.from(hkdfSync("sha256", secret, "", "patchcord/webhook/v1", 32)).toString("base64");

/** As the relay sends it. */
function sent(body, { key = derived(SECRET), id = "msg_1", at = NOW } = {}) {
  const signature = new Webhook(key).sign(id, at, body);
  const headers = { "webhook-id": id, "webhook-timestamp": String(Math.floor(at / 1000)), "webhook-signature": signature };
  return { headers, body };
}

/** The examples of the documentation, which a relay has sent. */
function documented() {
  const text = readFileSync(new URL("../../docs/what-your-app-receives.md", import.meta.url), "utf8");
  const found = [...text.matchAll(/<!-- example: (\S+) -->\n```json\n([\s\S]*?)```/g)];
  return Object.fromEntries(found.map(([, name, json]) => [name, json.trim()]));
}

const TOOL = documented().tool;
const options = { secret: SECRET, now: NOW };
const refused = (code) => (error) => error instanceof PatchcordError && error.code === code;

test("every message of the documentation is read", async () => {
  const { tool, knowledge, ...reports } = documented();
  assert.deepEqual(Object.keys(reports), ["call.started", "turn.ended", "call.action", "call.ended"]);
  for (const [type, body] of Object.entries(reports)) {
    const report = await verifyReport(sent(body), options);
    assert.deepEqual(report, { ...JSON.parse(body), id: "msg_1" });
    assert.equal(report.type, type);
  }
  for (const body of [tool, knowledge]) {
    assert.deepEqual(await verifyTool(sent(body), options), { ...JSON.parse(body), id: "msg_1" });
  }
});

test("it may come as a Request, with Headers, with a list, or as bytes", async () => {
  const { headers, body } = sent(TOOL);
  const listed = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  for (const message of [
    new Request("https://app.example.com/", { method: "POST", headers, body }),
    { headers: new Headers(headers), body },
    { headers: listed, body },
    { headers, body: Buffer.from(body) },
  ]) {
    assert.equal((await verifyTool(message, options)).name, "opening_hours");
  }
});

test("the relay's own test vector fits", async () => {
  const signature = "v1,/6cqQUxx53IUtt+9DlHQ+9qTAqgUgUttxgQbPKy0dqM= v1,aYlKzu2hbsT7aKwbU6Bb6Hj/DUHw7g9fD6rFO0x1RlA=";
  const headers = { "webhook-id": "msg_1", "webhook-timestamp": "1795178400", "webhook-signature": signature };
  const now = new Date(1795178400_000);
  for (const secret of [SECRET, OTHER]) {
    // Signed rightly, so it gets as far as its content.
    await assert.rejects(verifyTool({ headers, body: '{"a":1}' }, { secret, now }), refused("message_kind"));
    await assert.rejects(verifyTool({ headers, body: '{"a":2}' }, { secret, now }), refused("message_signature"));
  }
});

test("one of the secrets in force is enough", async () => {
  await verifyTool(sent(TOOL), { secret: `new=${OTHER},old=${SECRET}`, now: NOW });
  await assert.rejects(verifyTool(sent(TOOL), { secret: OTHER, now: NOW }), refused("message_signature"));
});

test("a report may be signed with a secret of the app's own", async () => {
  const body = documented()["call.ended"];
  const report = await verifyReport(sent(body, { key: OWN }), { secret: OWN, now: NOW });
  assert.equal(report.data.reason, "transferred");
  await assert.rejects(verifyReport(sent(body), { secret: OWN, now: NOW }), refused("message_signature"));
  for (const secret of ["whsec_", "whsec_AAEC", "whsec_no base64!"]) {
    await assert.rejects(verifyReport(sent(body), { secret, now: NOW }), refused("secret_malformed"));
  }
});

test("whatever is changed, late or missing is refused", async () => {
  const good = sent(TOOL);
  const having = (name, value) => ({ ...good, headers: { ...good.headers, [name]: value } });
  const late = (seconds) => sent(TOOL, { at: new Date(NOW.getTime() + seconds * 1000) });
  for (const [message, code] of [
    [{ ...good, body: TOOL.replace("monday", "sunday") }, "message_signature"],
    [having("webhook-id", "msg_2"), "message_signature"],
    [having("webhook-timestamp", "1"), "message_signature"],
    [having("webhook-signature", "v1,"), "message_signature"],
    [having("webhook-signature", "v1,***"), "message_signature"],
    [having("webhook-signature", good.headers["webhook-signature"].replace("v1,", "v2,")), "message_signature"],
    [having("webhook-signature", undefined), "message_unsigned"],
    [having("webhook-id", ""), "message_unsigned"],
    [{ headers: {}, body: TOOL }, "message_unsigned"],
    [late(-301), "message_time"],
    [late(301), "message_time"],
    [sent("[]"), "message_kind"],
    [sent("null"), "message_kind"],
    [sent("no json"), "message_kind"],
  ]) {
    await assert.rejects(verifyTool(message, options), refused(code));
  }
  await verifyTool(late(-299), options);
  await verifyTool(late(299), options);
});

test("a report is no tool's call, and the other way round", async () => {
  await assert.rejects(verifyReport(sent(TOOL), options), refused("message_kind"));
  await assert.rejects(verifyTool(sent(documented()["call.ended"]), options), refused("message_kind"));
});

test("an unset secret is said before anything else", async () => {
  await assert.rejects(verifyTool(sent(TOOL), { secret: undefined }), refused("secret_missing"));
});
