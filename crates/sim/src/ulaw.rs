//! What do telephone bytes sound like? G.711 µ-law: 8000 bytes a second, one sample each.
//!
//! Silence is `0xFF`. `0x00` is the loudest negative sample: padding with it is a bang in the caller's ear.

use std::time::Duration;

pub const SILENCE: u8 = 0xFF;
pub const BYTES_PER_MS: u64 = 8;
/// One carrier frame: 20 ms.
pub const FRAME: usize = 160;

const BIAS: i32 = 0x84;
const CLIP: i32 = 32_635;

static DECODED: [i16; 256] = decode_table();

pub fn encode(sample: i16) -> u8 {
    let wide = i32::from(sample);
    let sign = if wide < 0 { 0x80 } else { 0 };
    let size = wide.abs().min(CLIP) + BIAS;
    // The position of the highest bit, 7 to 14, becomes the 3-bit exponent.
    let exponent = (31 - size.leading_zeros() as i32) - 7;
    let mantissa = (size >> (exponent + 3)) & 0x0F;
    !((sign | (exponent << 4) | mantissa) as u8)
}

pub fn decode(byte: u8) -> i16 {
    DECODED[usize::from(byte)]
}

pub fn encode_all(samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|sample| encode(*sample)).collect()
}

pub fn decode_all(bytes: &[u8]) -> Vec<i16> {
    bytes.iter().map(|byte| decode(*byte)).collect()
}

/// How many bytes play for `length`.
pub fn bytes_of(length: Duration) -> usize {
    (length.as_micros() * 8 / 1000) as usize
}

/// How long `bytes` bytes play.
pub fn length_of(bytes: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(125))
}

pub fn silence(length: Duration) -> Vec<u8> {
    vec![SILENCE; bytes_of(length)]
}

/// A sine tone; `loudness` from 0 to 1.
pub fn tone(hertz: f64, loudness: f64, length: Duration) -> Vec<u8> {
    let step = hertz * std::f64::consts::TAU / 8000.0;
    let peak = loudness.clamp(0.0, 1.0) * 32_000.0;
    (0..bytes_of(length)).map(|at| encode(((at as f64 * step).sin() * peak) as i16)).collect()
}

/// Root mean square of the decoded samples, 0 to 32767.
pub fn loudness(bytes: &[u8]) -> f64 {
    if bytes.is_empty() {
        return 0.0;
    }
    let sum: f64 = bytes.iter().map(|byte| f64::from(decode(*byte)).powi(2)).sum();
    (sum / bytes.len() as f64).sqrt()
}

/// Where `needle` begins in `haystack`: tells whether a stretch of some reply was heard.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return None;
    }
    haystack.windows(needle.len()).position(|window| window == needle)
}

const fn decode_table() -> [i16; 256] {
    let mut table = [0i16; 256];
    let mut at = 0;
    while at < 256 {
        let byte = !(at as u8);
        let exponent = ((byte >> 4) & 7) as i32;
        let mantissa = (byte & 0x0F) as i32;
        let size = (((mantissa << 3) + BIAS) << exponent) - BIAS;
        table[at] = if byte & 0x80 != 0 { -size as i16 } else { size as i16 };
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_bytes_decode_to_the_values_of_the_standard() {
        let table = [(0xFF, 0), (0x7F, 0), (0x00, -32_124), (0x80, 32_124), (0xFE, 8), (0x7E, -8)];
        for (byte, sample) in table {
            assert_eq!(decode(byte), sample, "{byte:#x}");
        }
    }

    #[test]
    fn every_byte_survives_decoding_and_encoding() {
        for byte in 0..=255u8 {
            let again = encode(decode(byte));
            // 0x7F is a second zero and comes back as the first.
            assert!(again == byte || byte == 0x7F, "{byte:#x} became {again:#x}");
        }
    }

    #[test]
    fn the_extremes_do_not_overflow() {
        assert_eq!((encode(i16::MAX), encode(i16::MIN), encode(0)), (0x80, 0x00, SILENCE));
    }

    #[test]
    fn lengths_and_bytes_agree() {
        assert_eq!(bytes_of(Duration::from_millis(20)), FRAME);
        assert_eq!(length_of(FRAME as u64), Duration::from_millis(20));
    }

    #[test]
    fn a_tone_is_loud_and_silence_is_not() {
        assert!(loudness(&tone(440.0, 0.5, Duration::from_millis(100))) > 8000.0);
        assert_eq!(loudness(&silence(Duration::from_millis(100))), 0.0);
    }
}
