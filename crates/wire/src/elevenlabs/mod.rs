//! How ElevenLabs speaks and listens.
//!
//! [`Multi`] makes speech of text, [`Scribe`] makes text of speech and leaves the turns to us. A good upgrade
//! proves nothing: a bad key or an empty account is said in the first message.

mod multi;
mod scribe;

pub use multi::{Multi, MultiSetup};
pub use scribe::{Scribe, ScribeSetup};

use call::{Failure, FailureKind};
use serde::Deserialize;

use crate::{loose::Text, plain::plain};

const PROVIDER: &str = "elevenlabs";

/// ElevenLabs said no to the upgrade or to a request.
pub fn refused(status: u16, body: &[u8]) -> Failure {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body<'a> {
        #[serde(borrow)]
        detail: Detail<'a>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Detail<'a> {
        #[serde(borrow)]
        status: Text<'a>,
        #[serde(borrow)]
        code: Text<'a>,
        #[serde(borrow)]
        message: Text<'a>,
    }
    // `detail` may also be a list or a text: then the status alone tells.
    let said: Body<'_> = body
        .get(..body.len().min(16 << 10))
        .and_then(|body| serde_json::from_slice(body).ok())
        .unwrap_or_default();
    let name = said.detail.status.some().or(said.detail.code.some()).unwrap_or("");
    let kind = kind_by_name(name).unwrap_or(match status {
        401 => FailureKind::BadKey,
        402 => FailureKind::Quota,
        429 => FailureKind::RateLimited,
        500.. => FailureKind::Provider,
        _ => FailureKind::Refused,
    });
    let words = [Some(name).filter(|name| !name.is_empty()), said.detail.message.some()];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    match &words[..] {
        [] => failure(kind, &format!("HTTP {status}")),
        words => failure(kind, &format!("HTTP {status}, {}", words.join(": "))),
    }
}

/// The names are the same in answers to requests, in messages and in the reasons of a close.
fn kind_by_name(name: &str) -> Option<FailureKind> {
    Some(match name {
        // The last one is a free account called from a data centre: a paid plan cures it.
        "invalid_api_key" | "missing_permissions" | "detected_unusual_activity" | "auth_error" => {
            FailureKind::BadKey
        }
        "quota_exceeded" | "payment_required" => FailureKind::Quota,
        "too_many_concurrent_requests" | "system_busy" | "rate_limited" | "resource_exhausted" => {
            FailureKind::RateLimited
        }
        "voice_not_found"
        | "unsupported_model"
        | "max_character_limit_exceeded"
        | "invalid_request"
        | "input_error"
        | "unaccepted_terms" => FailureKind::Refused,
        "input_timeout_exceeded"
        | "session_time_limit_exceeded"
        | "insufficient_audio_activity"
        | "queue_overflow"
        | "commit_throttled"
        | "chunk_size_exceeded" => FailureKind::Closed,
        _ => return None,
    })
}

fn failure(kind: FailureKind, detail: &str) -> Failure {
    Failure { provider: PROVIDER, kind, detail: plain(detail).into() }
}

fn closed(code: Option<u16>, reason: &str) -> Failure {
    let kind = kind_by_name(reason.trim()).unwrap_or(FailureKind::Closed);
    let words =
        code.map_or_else(|| "without a close message".to_owned(), |code| format!("close {code}: {reason}"));
    failure(kind, &words)
}
