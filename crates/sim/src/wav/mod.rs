//! How do recordings get in and out? Any common WAV in, as 8 kHz µ-law; calls out as stereo 16 bit.
//!
//! Left is the caller, right is the agent as it was really played, not as it was received.

mod chunks;
mod samples;
mod stranger;

use crate::{resample::to_8_khz, ulaw};
use hound::{SampleFormat, WavSpec, WavWriter};
use std::{fs::File, io::Read, path::Path};

/// Longer files are refused: nobody plays an hour into a call by purpose.
const MAX_SECONDS: usize = 3600;

/// An hour of stereo at 48 kHz and 16 bit is 691 MB. It is all read before it is converted.
const MAX_FILE: u64 = 700 << 20;

/// What any usual device writes, and some more.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;
const MAX_CHANNELS: u16 = 64;

#[derive(Debug, thiserror::Error)]
pub enum WavError {
    #[error("{file} cannot be read: {reason}")]
    Unreadable { file: String, reason: String },
    #[error(
        "{file} is {found}; make a WAV of it with `ffmpeg -i {file} -ar 8000 -ac 1 call.wav`, or with `sox`"
    )]
    NoWav { file: String, found: &'static str },
    #[error(
        "{file} is {found}; make it usual with `ffmpeg -i {file} -ar 8000 -ac 1 call.wav`, or with `sox`"
    )]
    Unsupported { file: String, found: String },
    #[error("{file} is a WAV with {found}; was it written to its end?")]
    Broken { file: String, found: String },
    #[error("{file} is longer than {MAX_SECONDS} s or larger than {} MB; cut it with `ffmpeg -t 60 -i {file} call.wav`", MAX_FILE >> 20)]
    TooLong { file: String },
    #[error("{file} cannot be written: {reason}")]
    Unwritable { file: String, reason: String },
}

/// Reads a WAV file as µ-law, ready to be said by the phone.
pub fn read_ulaw(path: &Path) -> Result<Vec<u8>, WavError> {
    let file = path.display().to_string();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|opened| opened.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| WavError::Unreadable { file: file.clone(), reason: error.to_string() })?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(WavError::TooLong { file });
    }
    ulaw_of(&bytes, &file)
}

/// The same for a file that is here already; `file` is what errors call it.
fn ulaw_of(bytes: &[u8], file: &str) -> Result<Vec<u8>, WavError> {
    let file = file.to_owned();
    if let Some(found) = stranger::name(bytes) {
        return Err(WavError::NoWav { file, found });
    }
    let (format, sound) = match chunks::find(bytes) {
        Ok(found) => found,
        Err(found) => return Err(WavError::Broken { file, found }),
    };
    if !RATES.contains(&format.rate) || !(1..=MAX_CHANNELS).contains(&format.channels) || format.width == 0 {
        let found = format!("a WAV of {} Hz and {} channels", format.rate, format.channels);
        return Err(WavError::Unsupported { file, found });
    }
    let moments = sound.len() / (format.width * usize::from(format.channels));
    if moments / format.rate as usize > MAX_SECONDS {
        return Err(WavError::TooLong { file });
    }
    if moments == 0 {
        return Err(WavError::Broken { file, found: "nothing to hear in it".to_owned() });
    }
    if (format.tag, format.channels, format.rate) == (7, 1, 8_000) {
        return Ok(bytes[sound].to_vec()); // a telephone's own, to the bit
    }
    let mono = match samples::mono(&format, &bytes[sound]) {
        Ok(mono) => mono,
        Err(found) => return Err(WavError::Unsupported { file, found }),
    };
    let out = to_8_khz(&mono, format.rate);
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

    /// A second of a tone at half the full level, as this kind of WAV.
    fn tone(tag: u16, bits: u16, channels: u16, rate: u32) -> Vec<u8> {
        let mut sound = Vec::new();
        for at in 0..rate {
            let angle = f64::from(at) * 1000.0 * std::f64::consts::TAU / f64::from(rate);
            let sample = angle.sin() * 0.5;
            for _ in 0..channels {
                let whole = (sample * 2f64.powi(31)) as i32;
                match (tag, bits) {
                    (1, 8) => sound.push((sample * 128.0 + 128.0) as u8),
                    (1, bits) => sound.extend(&whole.to_le_bytes()[4 - usize::from(bits) / 8..]),
                    (3, 32) => sound.extend((sample as f32).to_le_bytes()),
                    (3, _) => sound.extend(sample.to_le_bytes()),
                    (6, _) => {
                        let wanted = (sample * 32_768.0) as i16;
                        let near = |code: &u8| (i32::from(alaw_value(*code)) - i32::from(wanted)).abs();
                        sound.push((0..=255).min_by_key(near).unwrap());
                    }
                    (_, _) => sound.push(ulaw::encode((sample * 32_768.0) as i16)),
                }
            }
        }
        sound
    }

    /// By the standard's table, and not by the code that is tested: sign, exponent and mantissa of `code ^ 0x55`.
    fn alaw_value(code: u8) -> i16 {
        let code = code ^ 0x55;
        let (segment, step) = (i16::from(code >> 4 & 7), i16::from(code & 15));
        let size = if segment == 0 { step * 16 + 8 } else { (step * 16 + 264) << (segment - 1) };
        if code < 0x80 { -size } else { size }
    }

    fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut chunk = [&name[..], &(body.len() as u32).to_le_bytes(), body].concat();
        if body.len() % 2 == 1 {
            chunk.push(0);
        }
        chunk
    }

    fn fmt(tag: u16, bits: u16, channels: u16, rate: u32) -> Vec<u8> {
        let block = bits.div_ceil(8) * channels;
        let mut body = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
        body.extend(rate.to_le_bytes());
        body.extend((rate * u32::from(block)).to_le_bytes());
        body.extend([block.to_le_bytes(), bits.to_le_bytes()].concat());
        body
    }

    fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
        let body = chunks.concat();
        [b"RIFF", &(body.len() as u32 + 4).to_le_bytes()[..], b"WAVE", &body].concat()
    }

    fn is_the_tone(file: &[u8], what: &str) {
        let bytes = ulaw_of(file, "a.wav").unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!((bytes.len() as i64 - 8000).abs() <= 2, "{what}: {}", bytes.len());
        let level = ulaw::loudness(&bytes);
        assert!((level - 11_585.0).abs() < 600.0, "{what}: level {level}");
    }

    #[test]
    fn every_usual_kind_of_wav_becomes_the_same_sound() {
        let kinds = [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64), (6, 8), (7, 8)];
        let shapes = [(1, 8_000), (2, 44_100), (1, 16_000), (6, 48_000), (2, 11_025), (1, 96_000)];
        for (tag, bits) in kinds {
            for (channels, rate) in shapes {
                let what = format!("format {tag}, {bits} bit, {channels} channels, {rate} Hz");
                let sound = tone(tag, bits, channels, rate);
                let plain = fmt(tag, bits, channels, rate);
                is_the_tone(&riff(&[chunk(b"fmt ", &plain), chunk(b"data", &sound)]), &what);
                // The same, with its real format further behind.
                let mut extensible = [&0xFFFE_u16.to_le_bytes()[..], &plain[2..]].concat();
                extensible.extend([22, 0, bits as u8, 0, 0, 0, 0, 0]);
                extensible.extend(tag.to_le_bytes());
                extensible.extend(b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
                is_the_tone(&riff(&[chunk(b"fmt ", &extensible), chunk(b"data", &sound)]), &what);
            }
        }
    }

    #[test]
    fn chunks_come_in_any_order_and_with_any_size() {
        let (format, sound) = (chunk(b"fmt ", &fmt(1, 16, 1, 8_000)), tone(1, 16, 1, 8_000));
        let (data, odd) = (chunk(b"data", &sound), chunk(b"LIST", b"odd"));
        is_the_tone(&riff(&[odd.clone(), format.clone(), odd.clone(), data.clone(), odd.clone()]), "padded");
        is_the_tone(&riff(&[data.clone(), odd.clone(), format.clone()]), "the sound first");
        let unpadded = odd[..odd.len() - 1].to_vec();
        is_the_tone(&riff(&[unpadded, format.clone(), data.clone()]), "the pad forgotten");
        for size in [0, u32::MAX] {
            let mut streamed = riff(&[format.clone(), data.clone()]);
            let at = streamed.len() - sound.len() - 4;
            streamed[at..at + 4].copy_from_slice(&size.to_le_bytes());
            streamed[4..8].copy_from_slice(&size.to_le_bytes());
            is_the_tone(&streamed, "written into a pipe");
        }
        let mut large = riff(&[chunk(b"ds64", &[0; 28]), format.clone(), data.clone()]);
        large[..4].copy_from_slice(b"RF64");
        is_the_tone(&large, "RF64");
        let broken_off = riff(&[format.clone(), data.clone()]);
        let half = ulaw_of(&broken_off[..44 + 8_001], "a.wav").unwrap();
        assert_eq!(half.len(), 4_000, "what is there of a broken off file");
        let empty = ulaw_of(&riff(&[format, chunk(b"data", b""), odd]), "a.wav").unwrap_err().to_string();
        assert!(empty.contains("nothing to hear"), "{empty}");
    }

    #[test]
    fn a_telephones_own_sound_stays_as_it_is() {
        let sound: Vec<u8> = (0..=255).collect();
        let file = riff(&[chunk(b"fmt ", &fmt(7, 8, 1, 8_000)), chunk(b"data", &sound)]);
        assert_eq!(ulaw_of(&file, "a.wav").unwrap(), sound);
    }

    #[test]
    fn what_is_no_wav_is_called_by_its_name() {
        for (file, name) in [
            (&b"ID3\x04rest"[..], "MP3"),
            (b"\xFF\xFBrest", "MP3"),
            (b"\xFF\xF1rest", "AAC"),
            (b"OggS\0", "Ogg"),
            (b"fLaC\0", "FLAC"),
            (b"\0\0\0\x20ftypM4A ", "M4A"),
            (b"FORM\0\0\0\0AIFF", "AIFF"),
            (b"RIFF\0\0\0\0AVI ", "something else"),
            (b"hello", "no sound file"),
            (b"", "empty"),
        ] {
            let error = ulaw_of(file, "a.bin").unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("ffmpeg -i a.bin"), "{error}");
        }
        let packed = riff(&[chunk(b"fmt ", &fmt(0x11, 4, 1, 8_000)), chunk(b"data", &[0; 100])]);
        let error = ulaw_of(&packed, "a.wav").unwrap_err().to_string();
        assert!(error.contains("IMA ADPCM") && error.contains("ffmpeg"), "{error}");
        let fast = riff(&[chunk(b"fmt ", &fmt(1, 16, 1, 1_000_000)), chunk(b"data", &[0; 100])]);
        assert!(ulaw_of(&fast, "a.wav").unwrap_err().to_string().contains("1000000 Hz"));
        let long = riff(&[chunk(b"fmt ", &fmt(1, 8, 1, 4_000)), chunk(b"data", &vec![0; 4_000 * 3_602])]);
        assert!(matches!(ulaw_of(&long, "a.wav"), Err(WavError::TooLong { .. })));
    }

    #[test]
    fn no_bytes_at_all_make_it_panic() {
        let good =
            riff(&[chunk(b"fmt ", &fmt(1, 16, 2, 8_000)), chunk(b"data", &tone(1, 16, 2, 8_000)[..64])]);
        for at in 0..good.len() {
            let _ = ulaw_of(&good[..at], "a.wav");
            for byte in [0, 1, 0x7F, 0xFF] {
                let mut bad = good.clone();
                bad[at] = byte;
                let _ = ulaw_of(&bad, "a.wav");
            }
        }
    }

    #[test]
    fn a_stereo_call_has_the_caller_left_and_silence_where_a_side_ended() {
        let scratch = Scratch::new("out");
        write_stereo(&scratch.0, &[ulaw::encode(1000); 4], &[ulaw::encode(-1000); 2]).unwrap();
        let samples: Vec<i16> =
            hound::WavReader::open(&scratch.0).unwrap().into_samples::<i16>().map(Result::unwrap).collect();
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
    fn a_file_that_is_not_there_says_so() {
        let error = read_ulaw(Path::new("nowhere.wav")).unwrap_err().to_string();
        assert!(error.starts_with("nowhere.wav cannot be read"), "{error}");
    }
}
