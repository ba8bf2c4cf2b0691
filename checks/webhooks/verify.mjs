// Are the relay's messages signed as Standard Webhooks says? Asked of the library that an app would use.
//
//   EXAMPLES_DIR=DIR cargo test --test calls examples && node checks/webhooks/verify.mjs DIR

import assert from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const directory = process.argv[2];
const files = readdirSync(directory);
assert.ok(files.length >= 6, `${directory} holds ${files.length} messages`);

for (const file of files) {
  const { relay_secret, headers, body } = JSON.parse(readFileSync(join(directory, file), "utf8"));
  // As the documentation tells an app to make it.
  const key = Buffer.from(hkdfSync("sha256", relay_secret, "", "patchcord/webhook/v1", 32)).toString("base64");

  test(`${file} is from the relay`, () => {
    assert.deepEqual(new Webhook(key).verify(body, headers), JSON.parse(body));
  });
  test(`${file} with one letter changed is not`, () => {
    const changed = body.replace("front-desk", "front-desc");
    assert.notEqual(changed, body);
    assert.throws(() => new Webhook(key).verify(changed, headers), WebhookVerificationError);
  });
  test(`${file} with another id is not`, () => {
    const other = { ...headers, "webhook-id": `${headers["webhook-id"]}x` };
    assert.throws(() => new Webhook(key).verify(body, other), WebhookVerificationError);
  });
  test(`${file} by another secret is not`, () => {
    const other = Buffer.alloc(32, 7).toString("base64");
    assert.throws(() => new Webhook(other).verify(body, headers), WebhookVerificationError);
  });
}
