//! What a provider's error means: nothing, a bug of ours, a bad day of theirs, or the end.
//!
//! A bad key mostly does not fail the upgrade: the socket opens, one `error` comes, then a close with 3000.
//! Codes move between `code` and `type`, and other servers use their own, so both are looked at, then the
//! words. The words may hold a masked key: they are passed on only after [`plain`] has been over them.

use std::borrow::Cow;

use call::{Failure, FailureKind};
use serde::Deserialize;

use crate::{loose::Text, plain::plain};

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Two messages crossed: nothing is wrong.
    Benign,
    /// The same, and it names one case: our `response.create` met a response that is being made.
    AlreadyActive,
    /// About a message of ours; it was ignored.
    OwnBug,
    /// Trying again would not help.
    Fatal(FailureKind),
    /// Trying again may help.
    Transient(FailureKind),
}

/// The `error` object, wherever it stands.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ProviderError<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    code: Text<'a>,
    #[serde(borrow)]
    message: Text<'a>,
    /// The client event that it is about. Often `null`, even when we sent one.
    #[serde(borrow)]
    pub event_id: Text<'a>,
}

impl ProviderError<'_> {
    pub fn class(&self) -> Class {
        class(&self.kind.0, &self.code.0, &self.message.0)
    }

    /// Surely about a cut or a removal, even when it does not say which event it is about.
    pub fn is_about_an_item(&self) -> bool {
        self.code.0.contains("item")
    }

    /// As the reason why a leg or a reply failed.
    pub fn failure(&self, kind: FailureKind) -> Failure {
        let name = self.code.some().or(self.kind.some()).unwrap_or("error without a code");
        match self.message.some() {
            Some(message) => failure(kind, &format!("{name}: {message}")),
            None => failure(kind, name),
        }
    }

    /// As a failure when nothing more is known than that it failed.
    pub fn as_failure(&self, otherwise: FailureKind) -> Failure {
        self.failure(self.class().failure_kind().unwrap_or(otherwise))
    }
}

impl Class {
    pub fn failure_kind(self) -> Option<FailureKind> {
        match self {
            Self::Benign | Self::AlreadyActive | Self::OwnBug => None,
            Self::Fatal(kind) | Self::Transient(kind) => Some(kind),
        }
    }
}

/// The provider said no to the upgrade itself.
pub fn refused(status: u16, body: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        error: ProviderError<'a>,
    }
    let said = body.get(..body.len().min(LONGEST_BODY)).and_then(|body| serde_json::from_slice(body).ok());
    let by_status = match status {
        401 | 403 => FailureKind::BadKey,
        429 => FailureKind::RateLimited,
        500.. => FailureKind::Provider,
        _ => FailureKind::Refused,
    };
    match said {
        Some(Body { error }) => {
            let failure = error.as_failure(by_status);
            self::failure(failure.kind, &format!("HTTP {status}, {}", failure.detail))
        }
        None => failure(by_status, &format!("HTTP {status}")),
    }
}

/// The provider closed the socket, or it broke (`None`).
pub(super) fn closed(code: Option<u16>, reason: &str) -> Failure {
    let Some(code) = code else { return failure(FailureKind::Closed, "without a close message") };
    if reason.contains("60 min") || reason.contains("60-min") || reason.contains("session_expired") {
        return failure(
            FailureKind::Closed,
            &format!("close {code}, the 60-minute limit of a session: {reason}"),
        );
    }
    // `invalid_request_error.invalid_api_key`
    let (kind, name) = reason.trim().split_once('.').unwrap_or((reason.trim(), ""));
    let kind = class(kind, name, "").failure_kind().unwrap_or(match code {
        3000 => FailureKind::BadKey,
        4000..=4999 => FailureKind::Refused,
        _ => FailureKind::Closed,
    });
    match reason {
        "" => failure(kind, &format!("close {code}")),
        reason => failure(kind, &format!("close {code}: {reason}")),
    }
}

pub(super) fn nonsense(detail: &'static str) -> Failure {
    Failure { provider: PROVIDER, kind: FailureKind::Nonsense, detail: Cow::Borrowed(detail) }
}

pub(super) fn failure(kind: FailureKind, detail: &str) -> Failure {
    Failure { provider: PROVIDER, kind, detail: Cow::Owned(plain(detail)) }
}

fn class(kind: &str, code: &str, message: &str) -> Class {
    let by_name = [code, kind].into_iter().find_map(|name| {
        Some(match name {
            "conversation_already_has_active_response" => Class::AlreadyActive,
            "response_cancel_not_active"
            | "input_audio_buffer_commit_empty"
            | "item_create_duplicate_item_id" => Class::Benign,
            "invalid_api_key" | "account_deactivated" => Class::Fatal(FailureKind::BadKey),
            "insufficient_quota" | "credit_balance_exhausted" | "billing_hard_limit_reached" => {
                Class::Fatal(FailureKind::Quota)
            }
            "beta_api_shape_disabled" | "missing_model" | "invalid_model" | "model_not_found" => {
                Class::Fatal(FailureKind::Refused)
            }
            "session_expired" => Class::Fatal(FailureKind::Closed),
            "rate_limit_exceeded" | "inference_rate_limit_exceeded" => {
                Class::Transient(FailureKind::RateLimited)
            }
            "server_error" => Class::Transient(FailureKind::Provider),
            _ => return None,
        })
    });
    by_name.unwrap_or_else(|| by_words(message))
}

/// For errors without a code, and for servers with codes of their own.
fn by_words(message: &str) -> Class {
    let message = message.to_ascii_lowercase();
    let says = |words: &str| message.contains(words);
    if says("already has an active response") {
        Class::AlreadyActive
    } else if says("no active response")
        || says("is already shorter than")
        || says("only model output audio messages can be truncated")
    {
        Class::Benign
    } else {
        Class::OwnBug
    }
}

const PROVIDER: &str = "openai";

/// An answer to an upgrade that is longer is no error message.
const LONGEST_BODY: usize = 16 * 1024;
