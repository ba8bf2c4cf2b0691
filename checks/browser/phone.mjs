// Does the browser phone work in a real browser? Places a call from it, listens, talks over the agent and hangs up.
//
//   npm ci --prefix checks/browser
//   node checks/browser/phone.mjs target/debug/patchcord [SCREENSHOT.png]
//
// CHROMIUM names the browser when it is not /usr/bin/chromium. The microphone is a file, the loudspeaker is what the
// page hands to it: both are looked at, not only what stands on the page.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { demo } from "./demo.mjs";
import { says, until } from "./page.mjs";
import { decode } from "./parts.mjs";
import { writeVoice } from "./voice.mjs";

const [binary, screenshot] = process.argv.slice(2);
assert.ok(binary, "name the relay's binary");
const directory = mkdtempSync(join(tmpdir(), "patchcord-browser-"));
const { relay, address, secret } = await demo(binary);
let browser;
try {
  const voice = join(directory, "voice.wav");
  // The greeting takes four seconds; a question; and when the answer has gone on for a while, a word over it.
  writeVoice(voice, [[7, 1.6], [4.5, 1.6], [30, 0]]);
  browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      `--use-file-for-fake-audio-capture=${voice}%noloop`,
      "--autoplay-policy=user-gesture-required",
    ],
  });
  await conversation(await open(address), "openai", screenshot);
  await conversation(await open(address), "cascade");
  await ownToken(await open(address), secret);
  await noMicrophone(await open(address));
  await smallScreen(await open(address));
  await nowhereElse(address);
  await gone(await open(address));
  console.log("The browser phone works.");
} finally {
  await browser?.close();
  relay.kill("SIGINT");
  rmSync(directory, { recursive: true });
}

/** The page, with an ear at its loudspeaker, and nothing on its conscience. */
async function open(address) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 960 });
  page.wrong = [];
  page.on("console", (message) => message.type() === "error" && page.wrong.push(message.text()));
  page.on("pageerror", (error) => page.wrong.push(String(error)));
  page.on("request", (request) => request.url().startsWith(new URL("/", address).href) || page.wrong.push(`asks ${request.url()}`));
  await page.evaluateOnNewDocument(ear);
  await page.goto(address);
  assert.ok(await until(page, () => document.body.dataset.ready === "yes"), `the page gets ready: ${page.wrong.join("\n")}`);
  return page;
}

/** Runs in the page before its own scripts: keeps what reaches the loudspeaker, and when a clear came. */
function ear() {
  const heard = (window.heard = { rate: 0, samples: [], clears: [], sent: [] });
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...more) {
    if (to instanceof AudioDestinationNode && !(this instanceof ScriptProcessorNode)) {
      const tap = this.context.createScriptProcessor(1024, 1, 1);
      heard.rate = this.context.sampleRate;
      tap.onaudioprocess = ({ inputBuffer }) => heard.samples.push(inputBuffer.getChannelData(0).slice());
      connect.call(this, tap);
      connect.call(tap, to);
    }
    return connect.call(this, to, ...more);
  };
  const Original = window.WebSocket;
  window.WebSocket = class extends Original {
    constructor(...all) {
      super(...all);
      this.addEventListener("message", ({ data }) => {
        if (JSON.parse(data).event === "clear") heard.clears.push(heard.samples.length);
      });
    }
    send(text) {
      heard.sent.push(JSON.parse(text));
      super.send(text);
    }
  };
}

async function conversation(page, leg, screenshot) {
  await page.select("#agent", "bakery");
  await page.select("#leg", leg);
  await page.click("#call");
  await says(page, "#status", "Connected");
  await says(page, "#transcript", "this is the bakery on Mill Street");
  await says(page, "#transcript", "When are you open", 20_000);
  await says(page, "#transcript", "you talked over the agent", 20_000);
  const clears = await page.evaluate(() => heard.clears.length);
  assert.equal(clears, 1, "one clear");
  await says(page, "#transcript li.agent.cut del", "come by");
  const cut = await page.$eval("#transcript li.agent.cut > span", (line) => line.firstChild.textContent);
  assert.ok("We open at six on weekdays and at seven on Saturdays".startsWith(cut.slice(0, 20)), `heard: ${cut}`);
  await says(page, "#transcript", "You are welcome");
  await says(page, "#waits", "Turn 1:");
  const segments = await page.$$eval("#waits li:last-child .bar span", (parts) => parts.length);
  assert.ok(segments >= 2, `${segments} segments, of those that took a millisecond or more`);
  await page.focus("#mute"); // away from any field: keys are the phone's then
  await page.keyboard.press("5");
  await says(page, "#transcript", "you pressed 5");
  await page.keyboard.press("Space");
  assert.equal(await page.$eval("#mute", (button) => button.ariaPressed), "true");
  const silent = await until(page, () => {
    const last = heard.sent.findLast(({ event }) => event === "media");
    return [...atob(last.media.payload)].every((byte) => byte === "\xff");
  });
  assert.ok(silent, "a muted phone is silent");
  if (screenshot) await page.screenshot({ path: screenshot });
  await page.click("#hang-up");
  await says(page, "#status", "The call is over: caller_hung_up");
  await listen(page);
  assert.deepEqual(page.wrong, []);
  await page.close();
}

/** What came out of the loudspeaker, and what went to the relay. */
async function listen(page) {
  const { rate, levels, clear, block, frames, marks } = await page.evaluate(() => {
    const levels = heard.samples.map((block) => Math.sqrt(block.reduce((sum, x) => sum + x * x, 0) / block.length));
    const frames = heard.sent.filter(({ event }) => event === "media").map(({ media }) => media);
    const marks = heard.sent.filter(({ event }) => event === "mark").length;
    return { rate: heard.rate, levels, clear: heard.clears[0], block: heard.samples[0].length, frames, marks };
  });
  const at = (seconds) => Math.round((seconds * rate) / block);
  const mean = (from, to) => levels.slice(from, to).reduce((sum, level) => sum + level, 0) / (to - from);
  const before = mean(clear - at(0.6), clear - at(0.1));
  const after = mean(clear + at(0.1), clear + at(0.6));
  assert.ok(before > 0.02, `the agent is heard before the clear: ${before}`);
  assert.ok(after < before / 100, `and not after it: ${after}, ${before} before`);
  const greeting = likeness(envelope(clip("Hello,", "What can I do for you?"), block / rate), levels);
  assert.ok(greeting > 0.9, `the loudspeaker gave the greeting as the agent said it: ${greeting}`);
  assert.ok(marks > 10, `${marks} marks came back`);
  frames.forEach(({ timestamp }, i) => assert.equal(timestamp, String(20 * i)));
  frames.forEach(({ payload }) => assert.equal(Buffer.from(payload, "base64").length, 160));
  const loud = frames.filter(({ payload }) => Buffer.from(payload, "base64").some((byte) => (byte & 0x7f) < 0x40));
  assert.ok(loud.length > 60 && loud.length < 250, `${loud.length} frames of the caller are loud`);
}

/** What the pretend agent says from one clause to another, as samples at 8 kHz. */
function clip(first, last) {
  const folder = new URL("../../crates/sim/src/clips/", import.meta.url);
  const clauses = readFileSync(new URL("agent.txt", folder), "utf8").trim().split("\n").map((line) => line.split("\t"));
  const place = (clause) => clauses.findIndex(([, text]) => text === clause);
  const [from, to] = [Number(clauses[place(first) - 1]?.[0] ?? 0), Number(clauses[place(last)][0])];
  return Array.from(readFileSync(new URL("agent.ulaw", folder)).subarray(from, to), decode);
}

/** How loud it is, in steps of so many seconds. */
function envelope(samples, step) {
  const length = Math.floor(samples.length / (step * 8000));
  return Array.from({ length }, (_, i) => {
    const piece = samples.slice(Math.round(i * step * 8000), Math.round((i + 1) * step * 8000));
    return Math.sqrt(piece.reduce((sum, x) => sum + x * x, 0) / piece.length);
  });
}

/** The best correlation of `short` with any stretch of `long`. */
function likeness(short, long) {
  const centred = (values) => {
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    return values.map((x) => x - mean);
  };
  const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  const wanted = centred(short);
  const all = long.slice(0, Math.max(0, long.length - short.length)).map((_, at) => {
    const there = centred(long.slice(at, at + short.length));
    return dot(wanted, there) / Math.sqrt(dot(wanted, wanted) * dot(there, there) || 1);
  });
  return Math.max(...all);
}

/** A token that its user brings: what is wrong with it is said on the page, and a good one opens a call. */
async function ownToken(page, secret) {
  await page.click("#own summary");
  await page.type("#token", "rubbish");
  await page.click("#call");
  await says(page, "#problem", "token_malformed");
  await says(page, "#status", "The call is over");
  const call = await page.$eval("#call-id", (field) => field.value);
  const agent = JSON.stringify({ agent: {}, legs: [{ kind: "echo", pause_ms: 400 }] });
  const words = ["token", "--agent", "-", "--call", call, "--seal"];
  const token = execFileSync(binary, words, { input: agent, env: { RELAY_SECRET: secret }, encoding: "utf8" });
  await page.$eval("#token", (field) => (field.value = ""));
  await page.type("#token", token.trim());
  await page.click("#call");
  await says(page, "#status", "Connected");
  assert.equal(await page.$eval("#problem", (problem) => problem.hidden), true);
  await page.click("#hang-up");
  await says(page, "#status", "The call is over: caller_hung_up");
  assert.deepEqual(page.wrong, []);
  await page.close();
}

/** Without a microphone one can still listen. */
async function noMicrophone(page) {
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
  });
  await page.select("#agent", "bakery");
  await page.click("#call");
  await says(page, "#problem", "The microphone is not allowed");
  await page.click("#no-microphone");
  await says(page, "#transcript", "this is the bakery on Mill Street");
  await page.click("#hang-up");
  await says(page, "#status", "The call is over");
  assert.deepEqual(page.wrong, []);
  await page.close();
}

/** On a telephone's screen nothing is cut off at the side, by day or by night. */
async function smallScreen(page) {
  await page.setViewport({ width: 360, height: 740, isMobile: true });
  const colours = [];
  for (const value of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    colours.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
  }
  assert.notEqual(...colours);
  await page.close();
}

/** A relay that is not there any more is named as what it is. */
async function gone(page) {
  const ended = new Promise((done) => relay.once("exit", done));
  relay.kill("SIGINT");
  await ended;
  await page.click("#call");
  await says(page, "#problem", "The relay cannot be reached");
  await page.close();
}

/** Another page gets no token, whatever it claims. */
async function nowhereElse(address) {
  const url = new URL("/phone/token/bakery/openai/CA1", address);
  for (const origin of [undefined, "https://evil.example.com", "null"]) {
    const answer = await fetch(url, { method: "POST", headers: origin ? { origin } : {} });
    assert.equal(answer.status, 403, origin);
  }
}
