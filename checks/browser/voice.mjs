// A voice for the browser's pretend microphone: a buzz with vowels and syllables, as a WAV file.

import { writeFileSync } from "node:fs";

const RATE = 48_000;

/** `plan`: pairs of seconds of silence and seconds of speech. */
export function writeVoice(path, plan) {
  const samples = plan.flatMap(([silence, speech]) => [new Float32Array(silence * RATE), say(speech * RATE)]);
  const length = samples.reduce((sum, piece) => sum + piece.length, 0);
  const wav = Buffer.alloc(44 + 2 * length);
  wav.write("RIFF", 0);
  wav.writeUInt32LE(36 + 2 * length, 4);
  wav.write("WAVEfmt ", 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(RATE, 24);
  wav.writeUInt32LE(2 * RATE, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write("data", 36);
  wav.writeUInt32LE(2 * length, 40);
  let at = 44;
  for (const piece of samples) for (const sample of piece) at = wav.writeInt16LE(Math.round(sample * 26_000), at);
  writeFileSync(path, wav);
}

function say(length) {
  const out = new Float32Array(Math.round(length));
  let phase = 0;
  for (let i = 0; i < out.length; i++) {
    const t = i / RATE;
    const vowel = VOWELS[Math.floor(t * 4) % VOWELS.length];
    const pitch = 125 + 15 * Math.sin(2 * Math.PI * 1.3 * t);
    phase += pitch / RATE;
    let sum = 0;
    for (let n = 1; n * pitch < 3600; n++) {
      const weight = vowel.reduce((all, formant) => all + 1 / (1 + ((n * pitch - formant) / 90) ** 2), 0.02);
      sum += weight * Math.sin(2 * Math.PI * n * phase);
    }
    const syllable = 0.25 + 0.75 * Math.abs(Math.sin(Math.PI * 4 * t));
    out[i] = (Math.tanh(sum / 2) * syllable);
  }
  return out;
}

const VOWELS = [[730, 1090, 2440], [290, 2200, 2950], [530, 1800, 2480], [580, 860, 2410]];
