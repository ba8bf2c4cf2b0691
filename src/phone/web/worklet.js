// The phone's ear and mouth, on the browser's own sound thread: whatever the page is busy with, sound goes on.
//
// In comes the microphone, out go frames of 20 ms as a carrier sends them. In comes the relay's audio, out it goes to
// the loudspeaker, and what was reached is told.

import { Resampler } from "./resampler.js";
import { Tape } from "./tape.js";
import { SILENCE, decode, encode } from "./ulaw.js";

class Phone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.ear = new Resampler(sampleRate, LINE);
    this.mouth = new Resampler(LINE, sampleRate);
    this.tape = new Tape();
    this.frame = new Uint8Array(FRAME);
    this.filled = 0;
    this.you = 0;
    this.them = 0;
    this.spoken = 0;
    this.muted = false;
    this.over = false;
    this.port.onmessage = ({ data }) => this.told(data);
  }

  told({ what, audio, name, muted }) {
    if (what === "audio") {
      const lost = this.tape.play(audio);
      if (lost > 0) this.port.postMessage({ what: "lost", samples: lost });
    } else if (what === "mark") {
      this.tape.mark(name);
    } else if (what === "clear") {
      this.back(this.tape.clear());
    } else if (what === "mute") {
      this.muted = muted;
    } else if (what === "over") {
      this.over = true;
    }
  }

  process([[microphone]], [speakers]) {
    const length = speakers[0].length;
    for (let i = 0; i < length; i++) this.hear(microphone ? microphone[i] : 0);
    for (let i = 0; i < length; i++) {
      while (this.mouth.hungry) this.mouth.feed(this.speak());
      const sample = this.mouth.next();
      for (const speaker of speakers) speaker[i] = sample;
    }
    this.back(this.tape.reached());
    return !this.over;
  }

  /** One sample of the microphone. */
  hear(sample) {
    this.ear.feed(sample);
    while (!this.ear.hungry) {
      const heard = this.ear.next();
      this.you = Math.max(this.you, this.muted ? 0 : Math.abs(heard));
      this.frame[this.filled++] = this.muted ? SILENCE : encode(heard);
      if (this.filled === FRAME) {
        const frame = this.frame.slice();
        this.port.postMessage({ what: "frame", frame, level: this.you }, [frame.buffer]);
        this.filled = this.you = 0;
      }
    }
  }

  /** One sample of the tape. */
  speak() {
    const byte = this.tape.next();
    const sample = byte === undefined ? 0 : decode(byte);
    this.them = Math.max(this.them, Math.abs(sample));
    this.spoken += 1;
    if (this.spoken === FRAME) {
      this.port.postMessage({ what: "level", level: this.them });
      this.spoken = this.them = 0;
    }
    return sample;
  }

  back(names) {
    for (const name of names) this.port.postMessage({ what: "mark", name });
  }
}

// Telephones have 8,000 samples a second, and carriers send 20 ms of them at a time.
const LINE = 8000;
const FRAME = 160;

registerProcessor("phone", Phone);
