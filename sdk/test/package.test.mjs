// Does what would be published work where it is installed, for `import` and for `require`?

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

test("the package has all that it needs and nothing else, and works from both kinds of modules", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "patchcord-"));
  t.after(() => rmSync(folder, { recursive: true }));
  // What is built is there: building it again would take it away under the other tests.
  const words = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
  const [packed] = JSON.parse(execFileSync("npm", words, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  const strange = packed.files.map(({ path }) => path).filter((path) => !/^(LICENSE|README\.md|package\.json|src\/[\w-]+\.ts|dist\/cjs\/package\.json|dist\/(esm|cjs)\/[\w-]+\.(js|d\.ts)(\.map)?)$/.test(path));
  assert.deepEqual(strange, []);

  const home = join(folder, "node_modules/patchcord");
  mkdirSync(home, { recursive: true });
  execFileSync("tar", ["-xzf", join(folder, packed.filename), "-C", home, "--strip-components=1"]);
  symlinkSync(join(ROOT, "node_modules/jose"), join(folder, "node_modules/jose"));

  const use = 'console.log(JSON.stringify([Object.keys(patchcord).sort(), (await patchcord.sealCall({ iss: "a" }, { secret: "x".repeat(32) })).split(".").length]));';
  writeFileSync(join(folder, "a.mjs"), `import * as patchcord from "patchcord"; ${use}`);
  writeFileSync(join(folder, "a.cjs"), `const patchcord = require("patchcord"); (async () => { ${use} })();`);
  const names = [
    "PatchcordError", "callToken", "connectCallControl", "connectCxml", "connectExotel", "connectNcco", "connectPlivo", "connectTexml", "connectTwiml",
    "sealCall", "signCall", "verifyConfigRequest", "verifyReport", "verifyTool",
  ];
  for (const file of ["a.mjs", "a.cjs"]) {
    assert.deepEqual(JSON.parse(execFileSync(process.execPath, [join(folder, file)], { cwd: folder, encoding: "utf8" })), [names, 5], file);
  }
});
