//! What carriers have in common: names that are safe to repeat, marks of ours, keys of a telephone.

use std::time::Duration;

use base64::{
    Engine, alphabet,
    engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use call::{Audio, CarrierEvent, MarkId};

/// A message that makes no sense.
pub(crate) struct Malformed;

impl From<serde_json::Error> for Malformed {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

/// The caller's voice, of a length that a voice has.
pub(crate) fn voice(base64: Bytes) -> Result<Audio, Malformed> {
    let audio = Audio::base64(base64).map_err(|_| Malformed)?;
    if audio.duration() > LONGEST_FRAME { Err(Malformed) } else { Ok(audio) }
}

/// The bytes that stand in a message as text. Stray bits in the last character change none of them.
pub(crate) fn bytes(base64: &[u8]) -> Result<Vec<u8>, Malformed> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    LENIENT.decode(base64).map_err(|_| Malformed)
}

/// Our marks are `m` and a number. Others may come from whoever else writes to the call.
pub(crate) fn our_mark(name: &str) -> Option<MarkId> {
    let digits = name.strip_prefix('m').filter(|digits| digits.bytes().all(|c| c.is_ascii_digit()))?;
    digits.parse().ok().map(MarkId)
}

pub(crate) fn key(digit: &str) -> Result<char, Malformed> {
    let mut chars = digit.chars();
    match (chars.next(), chars.next()) {
        (Some(key @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) => Ok(key),
        _ => Err(Malformed),
    }
}

/// The carrier says that something is wrong with what we do.
pub(crate) fn complaint(text: &str) -> CarrierEvent {
    CarrierEvent::Complaint(text.chars().filter(|c| !c.is_control()).take(LONGEST_COMPLAINT).collect())
}

/// What we copy into our own messages and logs. Twilio's ids are two letters and 32 hex digits, others are UUIDs,
/// Telnyx has 60 letters behind a version and a colon.
pub(crate) fn name(id: &str) -> Option<&str> {
    let safe = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b':' | b'.');
    (!id.is_empty() && id.len() <= 128 && id.bytes().all(safe)).then_some(id)
}

/// A line in a log.
const LONGEST_COMPLAINT: usize = 200;

/// Carriers send 20 ms, or 100. A second in one message is not the voice of somebody who speaks now.
pub(crate) const LONGEST_FRAME: Duration = Duration::from_secs(1);
