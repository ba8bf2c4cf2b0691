//! What do the bytes of a sample mean? A number from -1 to 1, whichever way it was written.

use super::chunks::Format;

/// Each moment of the sound, the channels mixed.
pub(super) fn mono(format: &Format, sound: &[u8]) -> Result<Vec<f32>, String> {
    let Format { tag, channels, width, .. } = *format;
    let read: fn(&[u8]) -> f32 = match (tag, width) {
        (1, 1) => |at| (f32::from(at[0]) - 128.0) / 128.0,
        (1, 2) => |at| f32::from(i16::from_le_bytes([at[0], at[1]])) / 32_768.0,
        (1, 3) => |at| i32::from_le_bytes([0, at[0], at[1], at[2]]) as f32 / 2_147_483_648.0,
        (1, 4) => |at| i32::from_le_bytes([at[0], at[1], at[2], at[3]]) as f32 / 2_147_483_648.0,
        (3, 4) => |at| f32::from_le_bytes([at[0], at[1], at[2], at[3]]),
        (3, 8) => |at| f64::from_le_bytes([at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7]]) as f32,
        (6, 1) => |at| f32::from(alaw(at[0])) / 32_768.0,
        (7, 1) => |at| f32::from(crate::ulaw::decode(at[0])) / 32_768.0,
        (tag, width) => return Err(name(tag, width)),
    };
    let moments = sound.chunks_exact(width * usize::from(channels));
    // A float may be no number at all, and one of those would spoil everything near it.
    let sample = |at: &[u8]| Some(read(at)).filter(|sample| sample.is_finite()).unwrap_or(0.0);
    let share = 1.0 / f32::from(channels);
    Ok(moments.map(|moment| moment.chunks_exact(width).map(sample).sum::<f32>() * share).collect())
}

/// G.711 A-law.
fn alaw(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (size, exponent) = (i16::from(byte & 0x0F) << 4, (byte >> 4) & 7);
    let size = match exponent {
        0 => size + 8,
        more => (size + 0x108) << (more - 1),
    };
    if byte & 0x80 != 0 { size } else { -size }
}

fn name(tag: u16, width: usize) -> String {
    match tag {
        1 => format!("a WAV with {} bits a sample", width * 8),
        3 => format!("a WAV with floats of {} bits", width * 8),
        0x02 => "a WAV packed as Microsoft ADPCM".to_owned(),
        0x11 => "a WAV packed as IMA ADPCM".to_owned(),
        0x31 => "a WAV packed as GSM 6.10".to_owned(),
        0x50 | 0x55 => "an MP3 inside a WAV".to_owned(),
        other => format!("a WAV of format {other:#06x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alaw_is_what_the_standard_says() {
        // G.711, table 1a: the ends and the middle, both signs.
        for (byte, sample) in
            [(0xD5, 8), (0x55, -8), (0xAA, 32_256), (0x2A, -32_256), (0x80, 5_504), (0xFA, 1008)]
        {
            assert_eq!(alaw(byte), sample, "{byte:#x}");
        }
    }
}
