//! What is asked for, by whom, and which headers does every answer carry?

use crate::{Headers, http::Head};
use serde_json::{Value, json};

const MAX_MESSAGE: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Completion,
    Models,
    Unknown,
}

/// Why a request is not answered as it wants to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refused {
    pub status: u16,
    pub body: String,
    /// For the list of violations.
    pub why: String,
}

impl Refused {
    pub fn new(status: u16, code: Option<&str>, message: impl Into<String>, param: Option<&str>) -> Self {
        // A client's own words may be in it, and they may be long.
        let message: String = message.into().chars().take(MAX_MESSAGE).collect();
        let error =
            json!({"message": message, "type": "invalid_request_error", "param": param, "code": code});
        let why = match code {
            Some(code) => format!("{status} {code}: {message}"),
            None => format!("{status}: {message}"),
        };
        Self { status, body: json!({"error": error}).to_string(), why }
    }
}

/// Method, path without query, and what it means.
pub(super) fn route(head: &Head) -> (&str, &str, Asked) {
    let method = head.start.split(' ').next().unwrap_or("");
    let path = head.second().split('?').next().unwrap_or("");
    let asked = match path.strip_prefix("/openai").unwrap_or(path) {
        "/v1/chat/completions" => Asked::Completion,
        "/v1/models" => Asked::Models,
        _ => Asked::Unknown,
    };
    (method, path, asked)
}

pub(super) fn key(head: &Head) -> Option<&str> {
    let bearer = head.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    bearer.or(head.header("api-key")).map(str::trim).filter(|key| !key.is_empty())
}

/// Refuses whom and what the address alone tells.
pub(super) fn check(head: &Head) -> Result<Asked, Refused> {
    let (method, path, asked) = route(head);
    let Some(key) = key(head) else {
        let message = "You didn't provide an API key.";
        return Err(Refused::new(401, Some("missing_api_key"), message, None));
    };
    if key.contains("invalid") {
        return Err(Refused::new(401, Some("invalid_api_key"), "Invalid API Key", None));
    }
    let wanted = match asked {
        Asked::Completion => "POST",
        Asked::Models => "GET",
        Asked::Unknown => {
            let message = format!("Unknown request URL: {method} {path}.");
            return Err(Refused::new(404, Some("unknown_url"), message, None));
        }
    };
    match method == wanted {
        true => Ok(asked),
        false => {
            let message = format!("Not allowed to {method} here, only to {wanted}.");
            Err(Refused::new(405, Some("method_not_supported"), message, None))
        }
    }
}

/// The services do without these, but a careful client sends them.
pub(super) fn missing_headers(head: &Head, asked: Asked) -> Vec<String> {
    let mut missing = Vec::new();
    if head.header("user-agent").is_none_or(str::is_empty) {
        missing.push("no user-agent".to_owned());
    }
    if asked == Asked::Completion {
        let kind = head.header("content-type").unwrap_or("");
        if !kind.starts_with("application/json") {
            missing.push(format!("content-type is {kind:?}, not application/json"));
        }
        let accept = head.header("accept").unwrap_or("");
        if !accept.contains("text/event-stream") {
            missing.push(format!("accept is {accept:?}, not text/event-stream"));
        }
    }
    missing
}

pub(super) fn without_credentials(headers: &Headers) -> Headers {
    let secret = ["authorization", "api-key", "cookie"];
    headers.iter().filter(|(name, _)| !secret.contains(&name.as_str())).cloned().collect()
}

/// On every answer, whatever its status; `count` requests were answered before.
pub(super) fn usual_headers(count: u64) -> Headers {
    let (requests, tokens) = (500_000, 250_000);
    [
        ("x-ratelimit-limit-requests", requests.to_string()),
        ("x-ratelimit-limit-tokens", tokens.to_string()),
        ("x-ratelimit-remaining-requests", (requests - 1 - count % requests).to_string()),
        ("x-ratelimit-remaining-tokens", (tokens - 100 * (1 + count % 1000)).to_string()),
        ("x-ratelimit-reset-requests", "2m59.56s".to_owned()),
        ("x-ratelimit-reset-tokens", "120ms".to_owned()),
        ("x-request-id", format!("req_pretend{count}")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// `usual`, but for what `own` says in its place.
pub(super) fn merged(usual: Headers, own: &Headers) -> Headers {
    let is_own = |name: &str| own.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    let mut all: Headers = usual.into_iter().filter(|(name, _)| !is_own(name)).collect();
    all.extend(own.iter().cloned());
    all
}

pub(super) fn models() -> String {
    let one =
        |id: &&str| -> Value { json!({"id": id, "object": "model", "owned_by": "pretend", "active": true}) };
    let data: Vec<_> = super::MODELS.iter().map(one).collect();
    json!({"object": "list", "data": data}).to_string()
}
