//! The answer to what is not let in: a status, a stable code, and a sentence for a person.

use std::{borrow::Cow, time::Duration};

use hyper::{
    StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};
use serde_json::json;
use warp::reply::Response;

use super::replay::{FLY_REPLAY, Replay};
use crate::gate;

/// Carriers show neither status nor body to anybody, so a refusal is logged as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub status: StatusCode,
    /// Stable: stands in the body, the metric and the log.
    pub code: &'static str,
    /// Holds nothing secret.
    pub message: Cow<'static, str>,
    pub(super) replay: Option<Replay>,
    pub(super) retry_after: Option<Duration>,
    pub(super) allow: Option<&'static str>,
}

impl Refused {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), replay: None, retry_after: None, allow: None }
    }

    /// There is no room here, but perhaps on another machine.
    pub fn busy(code: &'static str, message: &'static str) -> Self {
        let retry_after = Some(RETRY);
        let replay = Some(Replay::Elsewhere);
        Self { replay, retry_after, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message) }
    }

    pub(super) fn bad_request(message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn token_too_large() -> Self {
        let text =
            "the path is longer than 64 kB: make the token smaller, or point to the prompt with `config`";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "token_too_large", text)
    }

    pub(super) fn headers_too_large() -> Self {
        let text = "the headers are more than 16 kB or 100 lines";
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", text)
    }

    pub(crate) fn not_found() -> Self {
        let text = "there is nothing here: calls come to /stream/twilio";
        Self::new(StatusCode::NOT_FOUND, "not_found", text)
    }

    pub(super) fn no_phone() -> Self {
        let text = "the browser phone is switched off: set PHONE_PAGE=true";
        Self::new(StatusCode::NOT_FOUND, "not_found", text)
    }

    pub(crate) fn method(allow: &'static str) -> Self {
        let refused = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("use {allow}"));
        Self { allow: Some(allow), ..refused }
    }

    pub(super) fn no_webhook() -> Self {
        let text = "this relay answers no webhooks: a main app does, or start it with `serve --agent FILE`";
        Self::new(StatusCode::NOT_FOUND, "not_found", text)
    }

    pub(super) fn no_call_me() -> Self {
        let text =
            "this relay calls nobody: it needs `serve --agent FILE`, and CALL_ME_NUMBERS or CALL_ME_SECRET";
        Self::new(StatusCode::NOT_FOUND, "not_found", text)
    }

    pub(super) fn not_a_form() -> Self {
        let text = "send a form: application/x-www-form-urlencoded";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_form", text)
    }

    pub(super) fn foreign_form() -> Self {
        let text = "this form was sent by another page: open /twilio/call-me itself";
        Self::new(StatusCode::FORBIDDEN, "origin_not_allowed", text)
    }

    pub(super) fn body_too_large() -> Self {
        let text = "the body is longer than 16 kB";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", text)
    }

    pub(super) fn webhook_signature() -> Self {
        let text = "X-Twilio-Signature is missing or wrong: check TWILIO_AUTH_TOKEN, and that the webhook's address \
                    in Twilio's console begins with PUBLIC_URL";
        Self::new(StatusCode::FORBIDDEN, "twilio_signature", text)
    }

    /// Whoever asks should wait so long.
    pub(crate) fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait.max(Duration::from_secs(1))), ..self }
    }

    pub(super) fn not_an_upgrade() -> Self {
        let text = "this is a WebSocket address: connect with wss://, version 13";
        Self::new(StatusCode::UPGRADE_REQUIRED, "not_an_upgrade", text)
    }

    pub(crate) fn origin() -> Self {
        let text = "this page's origin is not allowed: add it to ALLOWED_ORIGINS";
        Self::new(StatusCode::FORBIDDEN, "origin_not_allowed", text)
    }

    pub(super) fn plivo_signature() -> Self {
        let text = "X-Plivo-Signature-V3 is missing or wrong: check PLIVO_AUTH_TOKEN, and that PUBLIC_URL is the address \
                    in the XML";
        Self::new(StatusCode::FORBIDDEN, "plivo_signature", text)
    }

    pub(super) fn twilio_signature() -> Self {
        let text = "X-Twilio-Signature is missing or wrong: check TWILIO_AUTH_TOKEN, and that PUBLIC_URL is \
                    the address in the TwiML";
        Self::new(StatusCode::FORBIDDEN, "twilio_signature", text)
    }

    /// As an answer. `may_replay`: this machine is on Fly, and nobody has sent the request on before.
    pub(super) fn response(&self, may_replay: bool) -> Response {
        let mut response = Response::new(self.body().into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(self.headers());
        if let Some(replay) = self.replay.as_ref().filter(|_| may_replay).and_then(Replay::value) {
            headers.insert(FLY_REPLAY, replay);
        }
        response
    }

    /// As bytes, for a request that was never parsed.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let body = self.body();
        let reason = self.status.canonical_reason().unwrap_or("");
        let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16()).into_bytes();
        for (name, value) in self.headers() {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
        bytes
    }

    fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let retry = self.retry_after.map(|after| (RETRY_AFTER, HeaderValue::from(after.as_secs())));
        let allow = self.allow.map(|methods| (ALLOW, HeaderValue::from_static(methods)));
        let upgrade = (self.status == StatusCode::UPGRADE_REQUIRED)
            .then(|| (hyper::header::UPGRADE, HeaderValue::from_static("websocket")));
        // One request a connection; and an answer of 426 must name `upgrade` there too (RFC 9110, 7.8).
        let connection = if upgrade.is_some() { "upgrade, close" } else { "close" };
        [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CONNECTION, HeaderValue::from_static(connection)),
        ]
        .into_iter()
        .chain(retry)
        .chain(allow)
        .chain(upgrade)
    }

    fn body(&self) -> String {
        json!({ "error": { "code": self.code, "message": self.message } }).to_string()
    }
}

impl From<&gate::Refusal> for Refused {
    fn from(refusal: &gate::Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::UNAUTHORIZED);
        Self::new(status, refusal.code.name(), refusal.message.to_string())
    }
}

/// A call ends every few seconds on a full machine.
const RETRY: Duration = Duration::from_secs(5);
