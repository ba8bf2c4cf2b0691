//! How Deepgram speaks: two ways to listen, two ways to talk.
//!
//! [`Flux`] hears turns by itself and may guess that one is over; [`Nova`] hears segments, and turns are made
//! of them here. [`Aura`] makes speech of text, and [`FluxVoice`] knows besides what was heard of it. Control
//! messages are text, sound is binary, and every set of messages is open: what is unknown is counted and let
//! pass.

mod aura;
mod flux;
mod flux_voice;
mod nova;

pub use aura::{Aura, AuraSetup};
pub use flux::{Flux, FluxSetup};
pub use flux_voice::{FluxVoice, FluxVoiceSetup};
pub use nova::{Nova, NovaSetup};

use bytes::Bytes;
use call::{
    Failure, FailureKind,
    cascade::{EarCommand, EarEvent},
    ulaw,
};
use serde::Deserialize;
use serde_json::json;

use crate::{chunks::Chunks, loose::Text, plain::plain, protocol::Frame, talk::Talk};

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

/// The ears differ only in how long the pieces are that they like, and in how they are told that the turn is over.
fn obey(
    chunks: &mut Chunks,
    talk: &mut Talk<EarEvent>,
    command: EarCommand,
    (piece, end_of_turn): (usize, &str),
) {
    if talk.over {
        return;
    }
    match command {
        EarCommand::Hear(audio) => {
            chunks.push(&audio, piece, |bytes| talk.frames.push_back(sound(bytes)));
        }
        EarCommand::EndTurn => {
            let rest = chunks.rest();
            if !rest.is_empty() {
                talk.frames.push_back(sound(rest));
            }
            talk.send_in_order(&json!({ "type": end_of_turn }));
        }
        EarCommand::Ping => talk.frames.push_back(Frame::Ping),
        EarCommand::Close => talk.goodbye(&json!({ "type": "CloseStream" })),
        EarCommand::Open => {}
    }
}

/// A piece of the caller's voice, as it is sent.
fn sound(bytes: Bytes) -> Frame {
    let time = ulaw::duration(bytes.len() as u64);
    Frame::Sound { bytes, time }
}

/// Deepgram takes 2,000 characters at once; more is cut at a word.
fn pieces(words: &str) -> impl Iterator<Item = &str> {
    let mut rest = words;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let limit = rest.char_indices().nth(MOST_AT_ONCE).map_or(rest.len(), |(at, _)| at);
        let end = if limit == rest.len() { limit } else { rest[..limit].rfind(' ').unwrap_or(limit).max(1) };
        let (piece, after) = rest.split_at(end);
        rest = after.trim_start();
        Some(piece)
    })
}

const MOST_AT_ONCE: usize = 1_900;
