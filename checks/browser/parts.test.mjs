// The phone's own parts, one by one: is what they compute what a telephone would hear?
//
//   node --test checks/browser/

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, Resampler, Tape } from "./parts.mjs";

test("every byte of µ-law is a sample, and back", () => {
  // 0x7f is the silence below zero, and silence has one name.
  for (let byte = 0; byte < 256; byte++) assert.equal(encode(decode(byte)), byte === 0x7f ? 0xff : byte);
  assert.deepEqual([encode(0), encode(2), encode(-2)], [0xff, 0x80, 0x00]);
  assert.equal(decode(0x80) * 32768, 32124);
});

/** How strong a tone is behind the resampler, and how many samples there are of half a second. */
function tone(from, to, hertz) {
  const resampler = new Resampler(from, to);
  const out = [];
  for (let i = 0; i < from / 2; i++) {
    resampler.feed(Math.sin((2 * Math.PI * hertz * i) / from));
    while (!resampler.hungry) out.push(resampler.next());
  }
  const tail = out.slice(out.length / 2);
  return { count: out.length, level: Math.sqrt((2 * tail.reduce((sum, x) => sum + x * x, 0)) / tail.length) };
}

test("a voice passes between any browser's rate and the line's, and nothing folds back", () => {
  for (const rate of [8_000, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000]) {
    for (const hertz of [200, 1_000, 3_000]) {
      for (const [from, to] of [[rate, 8_000], [8_000, rate]]) {
        const { count, level } = tone(from, to, hertz);
        assert.ok(Math.abs(level - 1) < 0.01, `${hertz} Hz from ${from} to ${to}: ${level}`);
        assert.ok(Math.abs(count - to / 2) <= to / from + 1, `${count} samples from ${from} to ${to}`);
      }
    }
    for (const hertz of [4_400, 5_000, 7_500].filter((hertz) => hertz < rate / 2)) {
      assert.ok(tone(rate, 8_000, hertz).level < 0.003, `${hertz} Hz at ${rate} is gone`);
    }
  }
});

test("a mark comes back when what was before it has been played, and at once when there is nothing", () => {
  const tape = new Tape();
  tape.mark("first");
  assert.deepEqual(tape.reached(), ["first"]);
  tape.play(Uint8Array.of(1, 2, 3));
  tape.mark("three");
  tape.play(Uint8Array.of(4));
  tape.mark("four");
  assert.deepEqual([tape.next(), tape.next()], [1, 2]);
  assert.deepEqual(tape.reached(), []);
  assert.equal(tape.next(), 3);
  assert.deepEqual(tape.reached(), ["three"]);
  assert.deepEqual([tape.next(), tape.next()], [4, undefined]);
  assert.deepEqual(tape.reached(), ["four"]);
});

test("a clear throws away what was not played, gives every mark back, and the next sentence begins afresh", () => {
  const tape = new Tape();
  tape.play(Uint8Array.of(1, 2, 3));
  tape.mark("a");
  tape.play(Uint8Array.of(4, 5));
  tape.mark("b");
  tape.next();
  assert.deepEqual(tape.clear(), ["a", "b"]);
  assert.equal(tape.next(), undefined);
  assert.deepEqual(tape.clear(), []);
  tape.play(Uint8Array.of(9));
  tape.mark("c");
  assert.deepEqual(tape.reached(), []);
  assert.equal(tape.next(), 9);
  assert.deepEqual(tape.reached(), ["c"]);
});

test("a tape takes ten minutes and no more", () => {
  const tape = new Tape();
  const minute = new Uint8Array(60 * 8000);
  for (let i = 0; i < 10; i++) assert.equal(tape.play(minute), 0);
  assert.equal(tape.play(Uint8Array.of(1, 2)), 2);
  tape.next();
  assert.equal(tape.play(Uint8Array.of(1, 2)), 1);
  tape.clear();
  assert.equal(tape.play(minute), 0);
});
