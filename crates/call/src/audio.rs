//! How a piece of speech travels through the relay.
//!
//! As the base64 text it arrived in. Carriers and providers write the same µ-law in the same alphabet, so a
//! frame is checked once, here, and then copied from one JSON message into the next. The check is what makes
//! the copy safe: no quote or backslash can hide in it.
//!
//! [`Audio`] is a slice of the buffer it was read into and keeps that buffer alive: right for seconds of
//! audio, wrong for minutes.

use std::{fmt, str, time::Duration};

use base64::{
    Engine, alphabet,
    engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD},
};
use bytes::Bytes;

use crate::ulaw;

/// µ-law at 8 kHz, as base64.
#[derive(Clone, PartialEq, Eq)]
pub struct Audio {
    text: Bytes,
    len: u32,
}

/// The text is not base64 in the standard alphabet with its padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audio is not base64")]
pub struct NotAudio;

impl Audio {
    /// Checks base64 and keeps it as it is.
    pub fn base64(text: Bytes) -> Result<Self, NotAudio> {
        let data = match &text[..] {
            [data @ .., b'=', b'='] | [data @ .., b'='] | data => data,
        };
        let well_formed = text.len().is_multiple_of(4) && data.iter().all(|c| ALPHABET[usize::from(*c)]);
        let len = (text.len() / 4 * 3).checked_sub(text.len() - data.len());
        match (well_formed, len.map(u32::try_from)) {
            (true, Some(Ok(len))) => Ok(Self { text, len }),
            _ => Err(NotAudio),
        }
    }

    /// Encodes raw µ-law. For audio of our own making; what comes from the network is passed on instead.
    pub fn ulaw(bytes: &[u8]) -> Self {
        let text = Bytes::from(STANDARD.encode(bytes));
        Self { text, len: u32::try_from(bytes.len()).expect("audio of our own is seconds, not days") }
    }

    /// Silence, to the nearest sample below.
    pub fn silence(time: Duration) -> Self {
        let len = usize::try_from(ulaw::bytes(time)).expect("silence of our own is seconds, not days");
        Self::ulaw(&vec![ulaw::SILENCE; len])
    }

    /// The base64 text, safe to stand between two quotes.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.text).expect("the alphabet was checked")
    }

    /// The base64 text as bytes, for copying without another look at them.
    pub fn text_bytes(&self) -> &[u8] {
        &self.text
    }

    /// Bytes of µ-law.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How long it plays.
    pub fn duration(&self) -> Duration {
        ulaw::duration(self.len.into())
    }

    /// Takes at most `time` off the front, without decoding. The cut falls on a group of four characters,
    /// three samples, so the front may be up to two samples short; it is never empty.
    pub fn split_front(&mut self, time: Duration) -> Self {
        let groups = usize::try_from(ulaw::bytes(time) / 3).unwrap_or(usize::MAX).max(1);
        let chars = groups.saturating_mul(4);
        if chars >= self.text.len() {
            return std::mem::replace(self, Self { text: Bytes::new(), len: 0 });
        }
        let len = u32::try_from(groups * 3).expect("shorter than the whole");
        self.len -= len;
        Self { text: self.text.split_to(chars), len }
    }

    /// The samples' bytes. Nobody asks for them on the way between a carrier and a leg that speak µ-law both.
    pub fn decode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        self.decode_into(&mut bytes);
        bytes
    }

    /// The same behind what is there already.
    pub fn decode_into(&self, bytes: &mut Vec<u8>) {
        #[cfg(debug_assertions)]
        decoded::one_more();
        LENIENT.decode_vec(&self.text, bytes).expect("alphabet, length and padding were checked");
    }
}

/// How often audio was decoded, by anybody in this process. So a test can show that nobody did.
#[cfg(debug_assertions)]
#[doc(hidden)]
pub mod decoded {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    static TIMES: AtomicU64 = AtomicU64::new(0);

    pub fn times() -> u64 {
        TIMES.load(Relaxed)
    }

    pub(super) fn one_more() {
        TIMES.fetch_add(1, Relaxed);
    }
}

impl fmt::Debug for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Audio({:?})", self.duration())
    }
}

/// Takes stray bits in the last character, which the check lets pass: they change no sample.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

const ALPHABET: [bool; 256] = {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [false; 256];
    let mut i = 0;
    while i < letters.len() {
        table[letters[i] as usize] = true;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_known_without_decoding() {
        for bytes in 0..10 {
            let encoded = Audio::ulaw(&vec![7; bytes]);
            let checked = Audio::base64(encoded.text.clone()).unwrap();
            assert_eq!(checked.len(), bytes, "{}", encoded.text());
            assert_eq!(checked, encoded);
            assert_eq!(checked.decode(), vec![7; bytes]);
        }
    }

    #[test]
    fn stray_bits_in_the_last_character_change_nothing() {
        assert_eq!(Audio::base64(Bytes::from("fn5+/x==")).unwrap().decode(), [0x7e, 0x7e, 0x7e, 0xff]);
    }

    #[test]
    fn what_could_break_out_of_a_json_string_is_refused() {
        for text in ["a", "abc", "ab\"d", "ab\\d", "a=cd", "a===", "====", "=", "abc\n", "ab-_", "äää"] {
            assert_eq!(Audio::base64(Bytes::from(text)), Err(NotAudio), "{text:?}");
        }
    }

    #[test]
    fn the_front_can_be_cut_off_without_decoding() {
        let whole: Vec<u8> = (0..=250).collect();
        let mut rest = Audio::ulaw(&whole);
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let front = rest.split_front(Duration::from_millis(10));
            assert!(front.len() <= 80 && !front.is_empty());
            pieces.extend(front.decode());
        }
        assert_eq!(pieces, whole);
    }

    #[test]
    fn a_debug_print_shows_no_audio() {
        assert_eq!(format!("{:?}", Audio::silence(Duration::from_millis(20))), "Audio(20ms)");
    }
}
