//! How Deepgram speaks: two ways to listen, two ways to talk.
//!
//! [`Flux`] hears turns by itself and may guess that one is over; [`Nova`] hears segments, and turns are made
//! of them here. [`Aura`] makes speech of text. Control messages are text, sound is binary, and every set of
//! messages is open: what is unknown is counted and let pass.

mod aura;
mod flux;
mod nova;

pub use aura::{Aura, AuraSetup};
pub use flux::{Flux, FluxSetup};
pub use nova::{Nova, NovaSetup};

use bytes::BytesMut;
use call::{Audio, Failure, FailureKind, ulaw};
use serde::Deserialize;

use crate::{loose::Text, plain::plain, protocol::Frame};

const PROVIDER: &str = "deepgram";

/// The host's part of a base URL such as `https://api.deepgram.com/v1`: the version is the path's own.
pub fn host(base_url: &str) -> &str {
    let base = base_url.trim_end_matches('/');
    base.strip_suffix("/v1").or_else(|| base.strip_suffix("/v2")).unwrap_or(base)
}

/// Deepgram said no to the upgrade or to a request.
pub fn refused(status: u16, body: &[u8]) -> Failure {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body<'a> {
        #[serde(borrow)]
        err_code: Text<'a>,
        #[serde(borrow)]
        err_msg: Text<'a>,
        #[serde(borrow)]
        category: Text<'a>,
        #[serde(borrow)]
        message: Text<'a>,
    }
    let said: Body<'_> = body
        .get(..body.len().min(16 << 10))
        .and_then(|body| serde_json::from_slice(body).ok())
        .unwrap_or_default();
    let kind = match status {
        401 => FailureKind::BadKey,
        402 => FailureKind::Quota,
        429 => FailureKind::RateLimited,
        500.. => FailureKind::Provider,
        // A model that does not exist is a 403 too.
        _ => FailureKind::Refused,
    };
    let words = [said.err_code, said.category, said.err_msg, said.message];
    let words: Vec<&str> = words.iter().filter_map(Text::some).collect();
    let detail = match &words[..] {
        [] => format!("HTTP {status}"),
        words => format!("HTTP {status}, {}", words.join(": ")),
    };
    failure(kind, &detail)
}

/// Their own error, after which they close.
fn error(words: &[&Text<'_>]) -> Failure {
    let words: Vec<&str> = words.iter().filter_map(|text| text.some()).collect();
    failure(FailureKind::Provider, &words.join(": "))
}

fn failure(kind: FailureKind, detail: &str) -> Failure {
    Failure { provider: PROVIDER, kind, detail: plain(detail).into() }
}

fn closed(code: Option<u16>, reason: &str) -> Failure {
    let Some(code) = code else { return failure(FailureKind::Closed, "without a close message") };
    let kind = match reason {
        reason if reason.contains("DATA-0001") => FailureKind::RateLimited,
        reason if reason.contains("DATA-0000") || reason.contains("MESSAGE-0000") => FailureKind::Refused,
        _ if code == 1011 => FailureKind::Provider,
        _ => FailureKind::Closed,
    };
    match reason {
        "" => failure(kind, &format!("close {code}")),
        reason => failure(kind, &format!("close {code}: {reason}")),
    }
}

/// The caller's voice in binary pieces of a fixed length.
#[derive(Debug, Default)]
struct Chunks {
    waiting: BytesMut,
    /// Bytes that went out since somebody asked.
    sent: u64,
}

impl Chunks {
    /// Adds sound; complete pieces come out.
    fn push(&mut self, audio: &Audio, piece: usize, mut out: impl FnMut(Frame)) {
        self.waiting.extend_from_slice(&audio.decode());
        while self.waiting.len() >= piece {
            let bytes = self.waiting.split_to(piece).freeze();
            self.sent += bytes.len() as u64;
            let time = ulaw::duration(bytes.len() as u64);
            out(Frame::Sound { bytes, time });
        }
    }

    /// What is left over, before a word about the turn.
    fn flush(&mut self, out: impl FnOnce(Frame)) {
        if !self.waiting.is_empty() {
            let bytes = self.waiting.split().freeze();
            self.sent += bytes.len() as u64;
            let time = ulaw::duration(bytes.len() as u64);
            out(Frame::Sound { bytes, time });
        }
    }

    fn take_seconds(&mut self) -> f64 {
        ulaw::duration(std::mem::take(&mut self.sent)).as_secs_f64()
    }
}
