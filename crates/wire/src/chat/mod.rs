//! How language models speak that copy OpenAI's chat completions: Groq, OpenAI and many others.
//!
//! A question is one HTTP request ([`Mind::question`]), its answer a stream of events ([`Answer`]). No socket
//! here: whoever makes the request brings the bytes of the body in whatever pieces they come.

mod answer;
mod calls;
mod hidden;
mod question;
mod sse;

pub use answer::Answer;
pub use question::{Mind, Reasoning};

use call::{Failure, FailureKind};
use serde::Deserialize;

use crate::{loose::Text, plain::plain};

/// The provider's refusal of a request. The second says whether asking again may help: yes means soon.
pub fn refused(
    provider: &'static str,
    status: u16,
    retry_after: Option<f64>,
    body: &[u8],
) -> (Failure, bool) {
    let error = body.get(..body.len().min(LONGEST_BODY)).and_then(ProviderError::find).unwrap_or_default();
    let kind = error.kind_by_name().unwrap_or(match status {
        401 | 403 => FailureKind::BadKey,
        402 => FailureKind::Quota,
        429 | 498 => FailureKind::RateLimited,
        408 | 409 | 425 | 500.. => FailureKind::Provider,
        _ => FailureKind::Refused,
    });
    let again = match kind {
        // A caller waits: a limit that lasts longer than a breath is the end.
        FailureKind::RateLimited => retry_after.is_none_or(|seconds| seconds <= MOST_PATIENCE),
        FailureKind::Provider => true,
        _ => false,
    };
    (error.failure(provider, kind, &format!("HTTP {status}")), again)
}

/// The `error` object, in all the places and shapes that it comes in.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ProviderError<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    code: Text<'a>,
    #[serde(borrow)]
    message: Text<'a>,
}

impl<'a> ProviderError<'a> {
    /// `{"error":{…}}`, `[{"error":{…}}]`, `{"message":…}` or `{"detail":…}`.
    fn find(body: &'a [u8]) -> Option<Self> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Body<'a> {
            #[serde(borrow)]
            error: Option<ProviderError<'a>>,
            #[serde(borrow, flatten)]
            bare: ProviderError<'a>,
            #[serde(borrow)]
            detail: Text<'a>,
        }
        let one = serde_json::from_slice::<Body<'a>>(body);
        let body = match one {
            Ok(body) => body,
            Err(_) => serde_json::from_slice::<[Body<'a>; 1]>(body).ok()?.into_iter().next()?,
        };
        body.error.or_else(|| {
            let said = body.bare.message.some().is_some();
            let message = if said { body.bare.message } else { body.detail };
            message.some().is_some().then_some(ProviderError { message, ..body.bare })
        })
    }

    fn kind_by_name(&self) -> Option<FailureKind> {
        [&self.code, &self.kind].into_iter().find_map(|name| {
            Some(match &*name.0 {
                "invalid_api_key" | "account_deactivated" => FailureKind::BadKey,
                "insufficient_quota" | "billing_hard_limit_reached" => FailureKind::Quota,
                "rate_limit_exceeded" | "tokens" | "requests" | "capacity_exceeded" => {
                    FailureKind::RateLimited
                }
                "model_not_found" | "model_decommissioned" | "unsupported_value" => FailureKind::Refused,
                // The model wrote a call of a tool that cannot be read: it may do better.
                "server_error" | "service_unavailable" | "tool_use_failed" => FailureKind::Provider,
                _ => return None,
            })
        })
    }

    fn failure(&self, provider: &'static str, kind: FailureKind, before: &str) -> Failure {
        let words = [
            Some(before).filter(|text| !text.is_empty()),
            self.code.some().or(self.kind.some()),
            self.message.some(),
        ];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        Failure { provider, kind, detail: plain(&words.join(": ")).into() }
    }
}

/// In seconds.
const MOST_PATIENCE: f64 = 1.0;

const LONGEST_BODY: usize = 64 << 10;
