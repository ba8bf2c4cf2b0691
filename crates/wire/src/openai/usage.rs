//! What a response or a transcription took.
//!
//! Cached tokens are part of the input tokens, not on top of them. Any part may be missing or `null`; what
//! has a total but no details counts as text.

use std::time::Duration;

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
    image_tokens: Number,
    cached_tokens: Number,
    cached_tokens_details: Option<Tokens>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    text_tokens: Number,
    audio_tokens: Number,
    image_tokens: Number,
}

impl From<ResponseUsage> for Usage {
    fn from(of: ResponseUsage) -> Self {
        let mut usage = match of.input_token_details {
            None => Self { text_in: count(of.input_tokens), ..Self::default() },
            Some(input) => input.into(),
        };
        (usage.text_out, usage.audio_out) = match of.output_token_details {
            None => (count(of.output_tokens), 0),
            Some(output) => (count(output.text_tokens), count(output.audio_tokens)),
        };
        usage
    }
}

impl From<InputDetails> for Usage {
    fn from(input: InputDetails) -> Self {
        let (text_in, audio_in) = (count(input.text_tokens), count(input.audio_tokens));
        let image_in = count(input.image_tokens);
        let (text, audio, image) = match input.cached_tokens_details {
            Some(cached) => {
                (count(cached.text_tokens), count(cached.audio_tokens), count(cached.image_tokens))
            }
            // Text is kept first: prompt and tools stand before everything that was said.
            None => {
                let all = count(input.cached_tokens);
                (all, all.saturating_sub(text_in), 0)
            }
        };
        Self {
            text_in,
            text_cached: text.min(text_in),
            audio_in,
            audio_cached: audio.min(audio_in),
            image_in,
            image_cached: image.min(image_in),
            ..Self::default()
        }
    }
}

/// The `usage` of a completed transcription: tokens, or time.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TranscriptionUsage<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    total_tokens: Number,
    input_tokens: Number,
    output_tokens: Number,
    input_token_details: Option<Tokens>,
    seconds: Number,
}

impl TranscriptionUsage<'_> {
    /// `None`: it was not said, or in a unit that we do not know.
    pub fn usage(&self) -> Option<Usage> {
        match &*self.kind.0 {
            "tokens" => Some(self.tokens()),
            "duration" => {
                let seconds = self.seconds.0.unwrap_or(0.0).clamp(0.0, A_DAY);
                let transcribed = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                Some(Usage { transcribed, ..Usage::default() })
            }
            _ => None,
        }
    }

    /// What is not told apart was heard, not written.
    fn tokens(&self) -> Usage {
        let (total, output) = (count(self.total_tokens), count(self.output_tokens));
        let input = self.input_tokens.whole().map_or(total.saturating_sub(output), u64::from);
        let output = output.max(total.saturating_sub(input));
        let text =
            self.input_token_details.as_ref().map_or(0, |details| count(details.text_tokens)).min(input);
        Usage {
            transcription_audio_in: input - text,
            transcription_text_in: text,
            transcription_text_out: output,
            ..Usage::default()
        }
    }
}

/// At most `u32::MAX` in one report, so that the sum of a call cannot overflow.
fn count(number: Number) -> u64 {
    number.whole().unwrap_or(0).into()
}

/// No turn is longer.
const A_DAY: f64 = 86_400.0;
