//! How µ-law bytes become samples, and how long they last.
//!
//! Carrier and provider both speak µ-law, so nothing on the way of a frame decodes it. Only a voice detector
//! needs samples. One byte is one sample of 125 µs; silence is `0xFF`, and `0x00` would be a loud bang.

use std::time::Duration;

/// What µ-law plays when nobody speaks.
pub const SILENCE: u8 = 0xff;

/// Samples, and so bytes, in a second.
pub const RATE: u32 = 8_000;

/// How long so many bytes play.
pub fn duration(bytes: u64) -> Duration {
    Duration::from_micros(bytes * 125)
}

/// How many bytes play in this time.
pub fn bytes(time: Duration) -> u64 {
    u64::try_from(time.as_micros() / 125).unwrap_or(u64::MAX)
}

/// µ-law code to linear sample.
pub const LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = linear(code as u8);
        code += 1;
    }
    table
};

const fn linear(code: u8) -> i16 {
    let code = !code;
    let step = ((((code & 0x0f) as i32) << 3) + 0x84) << ((code >> 4) & 7);
    (if code & 0x80 != 0 { 0x84 - step } else { step - 0x84 }) as i16
}

/// Linear sample to µ-law code, to the nearest step below.
pub const fn encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let size = (sample as i32).abs();
    let size = (if size > LOUDEST { LOUDEST } else { size }) + 0x84;
    let segment = 24 - size.leading_zeros(); // the highest bit of a size is bit 7 to 14
    let step = (size >> (segment + 3)) & 0x0f;
    !(sign | (segment as u8) << 4 | step as u8)
}

/// What is louder is as loud as this.
const LOUDEST: i32 = 32_635;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_zero_and_a_null_byte_is_the_loudest_sample() {
        assert_eq!(LINEAR[usize::from(SILENCE)], 0);
        assert_eq!(LINEAR[0], -32_124);
        assert_eq!(LINEAR[0x80], 32_124);
    }

    #[test]
    fn what_is_decoded_is_encoded_again() {
        for code in 0..=255_u8 {
            let again = encode(LINEAR[usize::from(code)]);
            assert_eq!(LINEAR[usize::from(again)], LINEAR[usize::from(code)], "{code:#x}");
        }
        for sample in (i16::MIN..=i16::MAX).step_by(7) {
            let off = i32::from(LINEAR[usize::from(encode(sample))]) - i32::from(sample);
            assert!(off.abs() <= 4 + i32::from(sample).abs() / 16, "{sample}: {off}");
        }
    }

    #[test]
    fn a_carrier_frame_of_160_bytes_lasts_20_ms() {
        assert_eq!(duration(160), Duration::from_millis(20));
        assert_eq!(bytes(Duration::from_millis(20)), 160);
    }
}
