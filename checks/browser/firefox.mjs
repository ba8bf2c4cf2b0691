// Does the browser phone work in Firefox too? Its microphone is a steady tone, so the agent is interrupted by it.
//
//   npm ci --prefix checks/browser
//   node checks/browser/firefox.mjs target/debug/patchcord
//
// Firefox needs a sound card, or a sound server without one: `pulseaudio -n --load=module-null-sink
// --load=module-native-protocol-unix`. FIREFOX names the browser when it is not /usr/bin/firefox-esr.

import assert from "node:assert/strict";
import puppeteer from "puppeteer-core";
import { demo } from "./demo.mjs";
import { says, until } from "./page.mjs";

const [binary] = process.argv.slice(2);
assert.ok(binary, "name the relay's binary");
const { relay, address } = await demo(binary);
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
  extraPrefsFirefox: { "media.navigator.streams.fake": true, "media.navigator.permission.disabled": true },
});
try {
  const page = await browser.newPage();
  page.wrong = [];
  page.on("pageerror", (error) => page.wrong.push(String(error)));
  await page.goto(address);
  assert.ok(await until(page, () => document.body.dataset.ready === "yes"), "the page gets ready");
  for (const leg of ["openai", "cascade"]) {
    await page.select("#leg", leg);
    await page.click("#call");
    await says(page, "#status", "Connected");
    await says(page, "#transcript", "Hello, this is the");
    assert.ok(await until(page, () => document.querySelector("#them").value > 0.05), "the agent is heard");
    assert.ok(await until(page, () => document.querySelector("#you").value > 0.05), "the microphone is heard");
    await page.click("#hang-up");
    await says(page, "#status", "The call is over: caller_hung_up");
    assert.equal(await page.$eval("#problem", (problem) => problem.textContent), "");
  }
  await page.select("#agent", "echo");
  await page.click("#call");
  await says(page, "#status", "Connected");
  await page.click("#hang-up");
  await says(page, "#status", "The call is over: caller_hung_up");
  assert.deepEqual(page.wrong, []);
  console.log(`The browser phone works in ${await browser.version()}.`);
} finally {
  await browser.close();
  relay.kill("SIGINT");
}
