//! Where in a file are its format and its sound?
//!
//! A WAV file is a list of chunks in any order. Writers disagree about the rest: some pad odd chunks and some do not,
//! those that write into a pipe cannot know the size of the sound beforehand and put 0 or the largest number there,
//! and a copy that was broken off is shorter than it says. What is there is read.

use std::ops::Range;

/// What the `fmt ` chunk says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// 1 PCM, 3 float, 6 A-law, 7 µ-law; of an extensible format what is inside.
    pub tag: u16,
    pub channels: u16,
    pub rate: u32,
    /// Bytes of one sample of one channel, with what fills it up to whole bytes.
    pub width: usize,
}

/// The format, and where the sound lies.
pub(super) fn find(file: &[u8]) -> Result<(Format, Range<usize>), String> {
    let word = |at: usize| file.get(at..at + 4).unwrap_or_default();
    if word(0) == b"RIFX" {
        return Err("a WAV with its bytes the wrong way round (RIFX)".to_owned());
    }
    let (mut format, mut sound, mut at) = (None, None, 12);
    while let Some(size) = number(file, at + 4, 4) {
        let (name, begin) = (word(at), at + 8);
        let end = begin.saturating_add(size as usize);
        match name {
            b"fmt " => format = Some(read_format(&file[begin..end.min(file.len())])?),
            b"data" if size == 0 && !are_chunks(file, begin) => sound = Some(begin..file.len()),
            b"data" => sound = Some(begin..end.min(file.len())),
            _ => {}
        }
        if end >= file.len() {
            break;
        }
        at = after(file, end, size);
    }
    let format = format.ok_or("no format in it (a `fmt ` chunk)")?;
    Ok((format, sound.ok_or("no sound in it (a `data` chunk)")?))
}

/// Where the next chunk begins. The byte that fills an odd one up is sometimes forgotten.
fn after(file: &[u8], end: usize, size: u64) -> usize {
    let forgotten =
        || file.get(end..end + 4).is_some_and(|name| name.iter().all(|c| c.is_ascii_graphic() || *c == b' '));
    if size.is_multiple_of(2) || forgotten() { end } else { end + 1 }
}

/// From here to the end there are chunks and nothing else.
fn are_chunks(file: &[u8], mut at: usize) -> bool {
    while at + 8 <= file.len() {
        let is_name = file[at..at + 4].iter().all(|c| c.is_ascii_alphanumeric() || *c == b' ');
        let Some(size) = number(file, at + 4, 4).filter(|_| is_name) else { return false };
        let end = (at + 8).saturating_add(size as usize);
        if end > file.len() {
            return false;
        }
        at = after(file, end, size);
    }
    at >= file.len()
}

fn read_format(chunk: &[u8]) -> Result<Format, String> {
    let field = |at, bytes| number(chunk, at, bytes).ok_or("its format is cut off");
    let mut tag = field(0, 2)? as u16;
    if tag == EXTENSIBLE {
        tag = field(24, 2)? as u16;
    }
    let (channels, rate, block) = (field(2, 2)? as u16, field(4, 4)? as u32, field(12, 2)? as usize);
    let bits = field(14, 2)? as usize;
    // Some writers leave the size of a block out, and 12 bits lie in 16.
    let width = if block > 0 && channels > 0 { block / usize::from(channels) } else { bits.div_ceil(8) };
    Ok(Format { tag, channels, rate, width })
}

fn number(file: &[u8], at: usize, bytes: usize) -> Option<u64> {
    let bytes = file.get(at..at.checked_add(bytes)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The real format stands further behind.
const EXTENSIBLE: u16 = 0xFFFE;
