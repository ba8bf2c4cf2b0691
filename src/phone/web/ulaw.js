// µ-law as telephones have it (G.711): one byte a sample, between -1 and 1.

/** From a byte to a sample. */
export function decode(byte) {
  return TABLE[byte];
}

/** From a sample to a byte. */
export function encode(sample) {
  const loud = Math.min(Math.abs(sample) * 32768, CLIP) + BIAS;
  const exponent = Math.max(0, Math.floor(Math.log2(loud)) - 7);
  const mantissa = Math.floor(loud / 2 ** (exponent + 3)) & 15;
  return ~((sample < 0 ? 0x80 : 0) | (exponent << 4) | mantissa) & 0xff;
}

/** What a silent line carries. */
export const SILENCE = 0xff;

const BIAS = 132;
const CLIP = 32635;

const TABLE = Float32Array.from({ length: 256 }, (_, byte) => {
  const bits = ~byte & 0xff;
  const size = ((((bits & 15) << 3) + BIAS) << ((bits >> 4) & 7)) - BIAS;
  return (bits & 0x80 ? -size : size) / 32768;
});
