//! What do telephone bytes sound like in Europe? G.711 A-law: 8000 bytes a second, one sample each.
//!
//! Silence is `0xD5`; there is no byte for exactly zero, the smallest samples are 8 and -8. Not every µ-law byte
//! survives a detour over A-law: the two have their fine steps in different places.

static DECODED: [i16; 256] = decode_table();

/// Every second bit is turned over on the line.
const TURNED: u8 = 0x55;

pub fn encode(sample: i16) -> u8 {
    // The sign bit is set for positive samples, and -1 is the first of the negative ones.
    let (sign, size) = if sample >= 0 { (0x80, sample) } else { (0, !sample) };
    let size = (size >> 4) as u16; // 0 to 2047
    // Below 32 the steps are equally wide; above, each doubling has 16 of its own.
    let (exponent, mantissa) = match size {
        0..32 => (size >> 4, size & 0x0F),
        32.. => {
            let doubling = 15 - size.leading_zeros() as u16; // 5 to 10
            (doubling - 3, (size >> (doubling - 4)) & 0x0F)
        }
    };
    (sign | (exponent << 4) as u8 | mantissa as u8) ^ TURNED
}

pub fn decode(byte: u8) -> i16 {
    DECODED[usize::from(byte)]
}

const fn decode_table() -> [i16; 256] {
    let mut table = [0i16; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8 ^ TURNED;
        let exponent = ((byte >> 4) & 7) as i32;
        let mantissa = (byte & 0x0F) as i32;
        // The middle of the step.
        let step = if exponent == 0 { mantissa * 2 + 1 } else { (mantissa * 2 + 33) << (exponent - 1) };
        let size = step << 3;
        table[at] = if byte & 0x80 != 0 { size as i16 } else { -size as i16 };
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_bytes_decode_to_the_values_of_the_standard() {
        let table =
            [(0xD5, 8), (0x55, -8), (0xD4, 24), (0xAA, 32_256), (0x2A, -32_256), (0xC5, 264), (0xF5, 528)];
        for (byte, sample) in table {
            assert_eq!(decode(byte), sample, "{byte:#x}");
        }
    }

    #[test]
    fn every_byte_survives_decoding_and_encoding() {
        for byte in 0..=255u8 {
            assert_eq!(encode(decode(byte)), byte, "{byte:#x} is {}", decode(byte));
        }
    }

    #[test]
    fn every_sample_becomes_the_nearest_of_its_neighbourhood() {
        for sample in i16::MIN..=i16::MAX {
            let off = (i32::from(decode(encode(sample))) - i32::from(sample)).abs();
            // Half a step: 8 where it is quiet, an eighth of a doubling's half above.
            let most = (i32::from(sample).abs() / 32).max(8) + 8;
            assert!(off <= most.min(513), "{sample} is off by {off}");
        }
    }

    #[test]
    fn the_extremes_do_not_overflow() {
        assert_eq!((encode(i16::MAX), encode(i16::MIN), encode(0), encode(-1)), (0xAA, 0x2A, 0xD5, 0x55));
    }
}
