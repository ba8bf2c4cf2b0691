//! A-law, which European telephones speak, to µ-law and back: one byte for one byte, by a table.
//!
//! As ITU-T G.711 has it. Every second bit is inverted on the wire; silence is `0xd5`.

use call::ulaw;

/// What plays when nobody speaks.
pub const SILENCE: u8 = 0xd5;

/// A-law code to linear sample.
pub const LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = linear(code as u8);
        code += 1;
    }
    table
};

/// A-law code to the nearest µ-law code.
pub const TO_ULAW: [u8; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = ulaw::encode(LINEAR[code]);
        code += 1;
    }
    table
};

/// µ-law code to the nearest A-law code.
pub const OF_ULAW: [u8; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = encode(ulaw::LINEAR[code]);
        code += 1;
    }
    table
};

const fn linear(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = ((code & 0x0f) as i16) << 4 | 8;
    let size = if segment == 0 { step } else { (step + 0x100) << (segment - 1) };
    if code & 0x80 != 0 { size } else { -size }
}

/// Linear sample to A-law code.
pub const fn encode(sample: i16) -> u8 {
    // Below zero the steps begin at -1, so that zero has one of its own on each side.
    let (sign, size) = if sample < 0 { (0, !sample as u16) } else { (0x80, sample as u16) };
    let segment = if size < 0x100 { 0 } else { 8 - size.leading_zeros() as u16 };
    let step = if segment == 0 { size >> 4 } else { size >> (segment + 3) };
    (sign | (segment << 4) as u8 | (step & 0x0f) as u8) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_the_quietest_and_silence_are_as_the_standard_has_them() {
        assert_eq!([LINEAR[0xd5], LINEAR[0x55], LINEAR[0xaa], LINEAR[0x2a]], [8, -8, 32_256, -32_256]);
        assert_eq!([encode(0), encode(-1), encode(i16::MAX), encode(i16::MIN)], [0xd5, 0x55, 0xaa, 0x2a]);
        assert_eq!(SILENCE, encode(0));
    }

    #[test]
    fn what_is_decoded_is_encoded_again_and_nothing_is_off_by_more_than_half_a_step() {
        for code in 0..=255_u8 {
            assert_eq!(encode(LINEAR[usize::from(code)]), code, "{code:#x}");
        }
        for sample in i16::MIN..=i16::MAX {
            let off = i32::from(LINEAR[usize::from(encode(sample))]) - i32::from(sample);
            assert!(off.abs() <= 8 + i32::from(sample).abs() / 32, "{sample}: {off}");
        }
    }

    #[test]
    fn a_sample_keeps_its_side_and_its_size_from_one_law_to_the_other() {
        for code in 0..=255_u8 {
            let (a, u) = (LINEAR[usize::from(code)], ulaw::LINEAR[usize::from(TO_ULAW[usize::from(code)])]);
            assert!(i32::from(a - u).abs() <= 8 + i32::from(a).abs() / 32, "{code:#x}: {a} and {u}");
            let u = ulaw::LINEAR[usize::from(code)];
            let a = LINEAR[usize::from(OF_ULAW[usize::from(code)])];
            assert!(i32::from(a - u).abs() <= 8 + i32::from(u).abs() / 32, "{code:#x}: {u} and {a}");
        }
        assert_eq!(ulaw::LINEAR[usize::from(TO_ULAW[usize::from(SILENCE)])].abs(), 8);
    }
}
