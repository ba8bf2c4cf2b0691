// From one sample rate to another, sample by sample, without a whistle: a sinc under a window, worked out beforehand
// for each place that an output sample can have between two input samples.

export class Resampler {
  constructor(from, to) {
    const common = divisor(Math.round(from), Math.round(to));
    this.up = Math.round(to) / common;
    this.down = Math.round(from) / common;
    // Of the lower rate's band a little is given up, so that the rest is clean.
    const band = Math.min(1, to / from) * KEPT;
    const half = Math.ceil(CROSSINGS / band);
    this.taps = 2 * half;
    this.kernels = Array.from({ length: this.up }, (_, phase) => kernel(half, phase / this.up, band));
    this.past = new Float32Array(2 * this.taps);
    this.at = 0;
    this.phase = 0;
    this.due = 1;
  }

  /** Whether the next output waits for an input. */
  get hungry() {
    return this.due > 0;
  }

  feed(sample) {
    // Written twice, so that the last inputs always lie in one piece.
    this.past[this.at] = this.past[this.at + this.taps] = sample;
    this.at = (this.at + 1) % this.taps;
    this.due -= 1;
  }

  next() {
    const taps = this.kernels[this.phase];
    let sum = 0;
    for (let i = 0; i < this.taps; i++) sum += taps[i] * this.past[this.at + i];
    this.phase += this.down;
    this.due += Math.floor(this.phase / this.up);
    this.phase %= this.up;
    return sum;
  }
}

function kernel(half, fraction, band) {
  const taps = Float32Array.from({ length: 2 * half }, (_, i) => {
    const x = i - (half - 1) - fraction;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * band * x) / (Math.PI * band * x);
    const y = Math.min(1, Math.abs(x) / half);
    return sinc * (0.42 + 0.5 * Math.cos(Math.PI * y) + 0.08 * Math.cos(2 * Math.PI * y));
  });
  const sum = taps.reduce((all, tap) => all + tap, 0);
  return taps.map((tap) => tap / sum);
}

function divisor(a, b) {
  return b === 0 ? a : divisor(b, a % b);
}

// Zero crossings on each side: 2 ms at 8 kHz, and what folds back is below what µ-law itself adds.
const CROSSINGS = 16;
const KEPT = 0.9;
