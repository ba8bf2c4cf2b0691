//! How do recordings get in and out? Any common WAV in, as 8 kHz µ-law; calls out as stereo 16 bit.
//!
//! Left is the caller, right is the agent as it was really played, not as it was received.

use crate::{resample::to_8_khz, ulaw};
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use std::path::Path;

/// Longer files are refused: nobody plays an hour into a call by purpose.
const MAX_SECONDS: u32 = 3600;

#[derive(Debug, thiserror::Error)]
pub enum WavError {
    #[error(
        "{file}: cannot be read as WAV ({reason}); convert it with `ffmpeg -i IN -ar 8000 -ac 1 OUT.wav`"
    )]
    Unreadable { file: String, reason: String },
    #[error("{file}: {found}; use mono or stereo, 8000 to 48000 Hz, 8 to 32 bit")]
    Unsupported { file: String, found: String },
    #[error("{file}: {seconds} s long, the limit is {MAX_SECONDS} s")]
    TooLong { file: String, seconds: u32 },
    #[error("{file}: cannot be written ({reason})")]
    Unwritable { file: String, reason: String },
}

/// Reads a WAV file as µ-law, ready to be said by the phone.
pub fn read_ulaw(path: &Path) -> Result<Vec<u8>, WavError> {
    let file = path.display().to_string();
    let unreadable =
        |error: hound::Error| WavError::Unreadable { file: file.clone(), reason: error.to_string() };
    let reader = WavReader::open(path).map_err(unreadable)?;
    let spec = reader.spec();
    let fits = (1..=2).contains(&spec.channels)
        && (8000..=48_000).contains(&spec.sample_rate)
        && (8..=32).contains(&spec.bits_per_sample);
    if !fits {
        let WavSpec { channels, sample_rate, bits_per_sample, .. } = spec;
        let found = format!("{channels} channels, {sample_rate} Hz, {bits_per_sample} bit");
        return Err(WavError::Unsupported { file, found });
    }
    let seconds = reader.duration() / spec.sample_rate;
    if seconds > MAX_SECONDS {
        return Err(WavError::TooLong { file, seconds });
    }
    let samples: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.into_samples::<f32>().collect::<Result<_, _>>().map_err(unreadable)?,
        SampleFormat::Int => {
            let full = 2f32.powi(i32::from(spec.bits_per_sample) - 1);
            let whole: Vec<i32> =
                reader.into_samples::<i32>().collect::<Result<_, _>>().map_err(unreadable)?;
            whole.into_iter().map(|sample| sample as f32 / full).collect()
        }
    };
    let channels = usize::from(spec.channels);
    let mono: Vec<f32> =
        samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    let out = to_8_khz(&mono, spec.sample_rate);
    Ok(out.into_iter().map(|sample| ulaw::encode((sample.clamp(-1.0, 1.0) * 32_767.0) as i16)).collect())
}

/// Both sides of a µ-law WAV as a relay uploads it, read by the letter: any byte that does not belong is told.
pub fn read_stereo_ulaw(file: &[u8]) -> Result<(Vec<u8>, Vec<u8>), String> {
    let number = |at: usize, bytes: usize| {
        let slice = file.get(at..at + bytes).ok_or_else(|| format!("ends before byte {at}"))?;
        Ok::<_, String>(slice.iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)))
    };
    let is = |what: &str, found: usize, wanted: usize| {
        if found == wanted { Ok(()) } else { Err(format!("{what} is {found}, not {wanted}")) }
    };
    let word = |at: usize| file.get(at..at + 4).unwrap_or_default();
    if (word(0), word(8)) != (b"RIFF", b"WAVE") {
        return Err("is no RIFF file of WAVE".into());
    }
    is("the length in the RIFF header", number(4, 4)?, file.len() - 8)?;
    let (mut at, mut moments) = (12, None);
    while at < file.len() {
        let (length, start) = (number(at + 4, 4)?, at + 8);
        match word(at) {
            b"fmt " => {
                is("the length of the format", length, 18)?;
                let names =
                    ["format", "channels", "rate", "bytes a second", "bytes a moment", "bits", "rest"];
                let wanted =
                    [(0, 2, 7), (2, 2, 2), (4, 4, 8_000), (8, 4, 16_000), (12, 2, 2), (14, 2, 8), (16, 2, 0)];
                for (name, (offset, bytes, wanted)) in names.into_iter().zip(wanted) {
                    is(name, number(start + offset, bytes)?, wanted)?;
                }
            }
            b"fact" => moments = Some(number(start, 4)?),
            b"data" => {
                let sound = file.get(start..start + length).ok_or("ends in its data")?;
                is("what comes behind the data", file.len() - start - length, 0)?;
                is("the number of moments", moments.ok_or("has no fact")?, length / 2)?;
                let side = |side: usize| sound.iter().skip(side).step_by(2).copied().collect();
                return Ok((side(0), side(1)));
            }
            other => return Err(format!("has an odd chunk {other:?}")),
        }
        at = start + length;
    }
    Err("has no data".into())
}

/// Writes µ-law left and right as one stereo file; the shorter side is filled with silence.
pub fn write_stereo(path: &Path, left: &[u8], right: &[u8]) -> Result<(), WavError> {
    let file = path.display().to_string();
    let unwritable =
        |error: hound::Error| WavError::Unwritable { file: file.clone(), reason: error.to_string() };
    let spec =
        WavSpec { channels: 2, sample_rate: 8000, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut writer = WavWriter::create(path, spec).map_err(unwritable)?;
    for at in 0..left.len().max(right.len()) {
        for side in [left, right] {
            let sample = side.get(at).map_or(0, |byte| ulaw::decode(*byte));
            writer.write_sample(sample).map_err(unwritable)?;
        }
    }
    writer.finalize().map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("patchcord-sim-{}-{name}.wav", std::process::id())))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn every_common_form_of_wav_becomes_the_same_sound() {
        for (rate, bits, channels) in
            [(8000, 16, 1), (16_000, 8, 1), (24_000, 24, 2), (44_100, 16, 2), (48_000, 32, 1)]
        {
            let scratch = Scratch::new(&format!("in-{rate}-{bits}"));
            let format = SampleFormat::Int;
            let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format: format };
            let mut writer = WavWriter::create(&scratch.0, spec).unwrap();
            let full = 2f64.powi(i32::from(bits) - 1) - 1.0;
            for at in 0..rate {
                let angle = f64::from(at) * 1000.0 * std::f64::consts::TAU / f64::from(rate);
                for _ in 0..channels {
                    writer.write_sample((angle.sin() * 0.5 * full) as i32).unwrap();
                }
            }
            writer.finalize().unwrap();
            let bytes = read_ulaw(&scratch.0).unwrap();
            assert!((bytes.len() as i64 - 8000).abs() <= 1, "{rate}: {}", bytes.len());
            let level = ulaw::loudness(&bytes);
            assert!((level - 11_585.0).abs() < 600.0, "{rate} Hz {bits} bit: level {level}");
        }
    }

    #[test]
    fn a_stereo_call_has_the_caller_left_and_silence_where_a_side_ended() {
        let scratch = Scratch::new("out");
        write_stereo(&scratch.0, &[ulaw::encode(1000); 4], &[ulaw::encode(-1000); 2]).unwrap();
        let samples: Vec<i16> =
            WavReader::open(&scratch.0).unwrap().into_samples::<i16>().map(Result::unwrap).collect();
        let (a, b) = (ulaw::decode(ulaw::encode(1000)), ulaw::decode(ulaw::encode(-1000)));
        assert_eq!(samples, [a, b, a, b, a, 0, a, 0]);
    }

    #[test]
    fn a_relays_file_is_read_by_the_letter() {
        let good = b"RIFF\x34\0\0\0WAVEfmt \x12\0\0\0\x07\0\x02\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x08\0\0\0\
            fact\x04\0\0\0\x01\0\0\0data\x02\0\0\0LR";
        assert_eq!(read_stereo_ulaw(good), Ok((b"L".to_vec(), b"R".to_vec())));
        for (at, byte) in good.iter().enumerate().take(58) {
            let mut bad = good.to_vec();
            bad[at] = byte ^ 0x40;
            assert!(read_stereo_ulaw(&bad).is_err(), "byte {at}");
        }
        assert!(read_stereo_ulaw(&good[..59]).is_err() && read_stereo_ulaw(&[]).is_err());
    }

    #[test]
    fn a_file_that_is_no_wav_says_what_to_do() {
        let scratch = Scratch::new("text");
        std::fs::write(&scratch.0, "hello").unwrap();
        let error = read_ulaw(&scratch.0).unwrap_err().to_string();
        assert!(error.contains("ffmpeg"), "{error}");
    }
}
