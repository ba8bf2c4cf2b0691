//! What a response or a transcription took.
//!
//! Cached tokens are part of the input tokens, not on top of them. Any part may be missing or `null`; what
//! has a total but no details counts as text.

use call::Usage;
use serde::Deserialize;

use crate::loose::{Number, Text};

/// The `usage` of `response.done`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ResponseUsage {
    input_tokens: Number,
    output_tokens: Number,
    input_token_details: Option<InputDetails>,
    output_token_details: Option<Tokens>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    text_tokens: Number,
    audio_tokens: Number,
    cached_tokens: Number,
    cached_tokens_details: Option<Tokens>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    text_tokens: Number,
    audio_tokens: Number,
}

impl From<ResponseUsage> for Usage {
    fn from(of: ResponseUsage) -> Self {
        let (text_in, audio_in, text_cached, audio_cached) = match of.input_token_details {
            None => (count(of.input_tokens), 0, 0, 0),
            Some(input) => {
                let (text, audio) = (count(input.text_tokens), count(input.audio_tokens));
                let (text_cached, audio_cached) = match input.cached_tokens_details {
                    Some(cached) => (count(cached.text_tokens), count(cached.audio_tokens)),
                    None => (count(input.cached_tokens), 0),
                };
                (text, audio, text_cached.min(text), audio_cached.min(audio))
            }
        };
        let (text_out, audio_out) = match of.output_token_details {
            None => (count(of.output_tokens), 0),
            Some(output) => (count(output.text_tokens), count(output.audio_tokens)),
        };
        Self { text_in, text_cached, audio_in, audio_cached, text_out, audio_out, ..Self::default() }
    }
}

/// The `usage` of a completed transcription: tokens, or time.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TranscriptionUsage<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    total_tokens: Number,
    seconds: Number,
}

impl TranscriptionUsage<'_> {
    /// `None`: it was not said, or in a unit that we do not know.
    pub fn usage(&self) -> Option<Usage> {
        match &*self.kind.0 {
            "tokens" => Some(Usage { transcription_tokens: count(self.total_tokens), ..Usage::default() }),
            "duration" => {
                let seconds = self.seconds.0.unwrap_or(0.0).min(A_DAY);
                Some(Usage { transcription_seconds: seconds, ..Usage::default() })
            }
            _ => None,
        }
    }
}

/// At most `u32::MAX` in one report, so that the sum of a call cannot overflow.
fn count(number: Number) -> u64 {
    number.whole().unwrap_or(0).into()
}

/// No turn is longer, and a sum of such stays a number.
const A_DAY: f64 = 86_400.0;
