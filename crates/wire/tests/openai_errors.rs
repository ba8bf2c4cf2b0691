//! Is each error of the provider told for what it is: nothing, a bug of ours, a bad moment, or the end?

mod scene;

use std::borrow::Cow;

use call::{FailureKind, LegCommand, LegEvent, Oddity, Outcome, Turns};
use scene::*;
use serde_json::{Value, json};
use wire::{
    Protocol,
    openai::{Setup, refused},
};

#[derive(Clone, Copy, Debug)]
enum Means {
    Odd(Oddity),
    End(FailureKind),
}

#[test]
fn every_error_that_is_known_means_one_thing() {
    use FailureKind as Kind;
    let benign = Means::Odd(Oddity::BenignError);
    let own = Means::Odd(Oddity::OwnError);
    let request = "invalid_request_error";
    let cases = [
        (request, "response_cancel_not_active", "text", benign),
        (request, "conversation_already_has_active_response", "text", benign),
        (request, "input_audio_buffer_commit_empty", "text", benign),
        (request, "item_create_duplicate_item_id", "text", benign),
        (request, "", "Cancellation failed: no active response found", benign),
        (request, "xai_code", "There is No Active Response.", benign),
        (request, "xai_code", "Conversation already has an active response", benign),
        (request, "invalid_value", "Audio content of 3700ms is already shorter than 3760ms", benign),
        (request, "", "Only model output audio messages can be truncated", benign),
        (request, "unknown_parameter", "Unknown parameter: 'session.temperature'.", own),
        (request, "missing_required_parameter", "text", own),
        (request, "invalid_value", "text", own),
        (request, "invalid_type", "text", own),
        (request, "integer_below_min_value", "text", own),
        (request, "item_not_found", "text", own),
        (request, "item_retrieve_invalid_item_id", "text", own),
        (request, "cannot_update_voice", "text", own),
        (request, "invalid_json", "text", own),
        (request, "invalid_event", "text", own),
        (request, "a_code_of_next_year", "text", own),
        ("", "", "", own),
        (request, "invalid_api_key", "text", Means::End(Kind::BadKey)),
        ("invalid_api_key", "", "text", Means::End(Kind::BadKey)),
        (request, "account_deactivated", "text", Means::End(Kind::BadKey)),
        ("insufficient_quota", "insufficient_quota", "text", Means::End(Kind::Quota)),
        ("insufficient_quota", "a_new_code", "text", Means::End(Kind::Quota)),
        (request, "credit_balance_exhausted", "text", Means::End(Kind::Quota)),
        (request, "billing_hard_limit_reached", "text", Means::End(Kind::Quota)),
        (request, "beta_api_shape_disabled", "text", Means::End(Kind::Refused)),
        (request, "missing_model", "text", Means::End(Kind::Refused)),
        (request, "invalid_model", "text", Means::End(Kind::Refused)),
        (request, "session_expired", "text", Means::End(Kind::Closed)),
        ("server_error", "", "text", benign),
        (request, "rate_limit_exceeded", "text", benign),
        (request, "inference_rate_limit_exceeded", "text", benign),
    ];
    for (kind, code, message, means) in cases {
        let mut scene = Scene::ready(Turns::Live);
        let code = if code.is_empty() { Value::Null } else { json!(code) };
        let error = error(kind, code, message, Value::Null);
        scene.provider(error.clone());
        let events = scene.events();
        match (means, &events[..]) {
            (Means::Odd(expected), [LegEvent::Odd(oddity)]) => assert_eq!(*oddity, expected, "{error}"),
            (Means::End(expected), [LegEvent::Failed(failure)]) => {
                assert_eq!(failure.kind, expected, "{error}")
            }
            _ => panic!("{error} should mean {means:?}: {events:?}"),
        }
    }
}

#[test]
fn an_error_about_the_first_update_ends_the_leg() {
    let unknown = || json!("unknown_parameter");
    let cases = [
        (error("invalid_request_error", unknown(), "text", json!("pc-1")), FailureKind::Refused),
        (error("invalid_request_error", unknown(), "text", Value::Null), FailureKind::Refused),
        (error("server_error", Value::Null, "text", Value::Null), FailureKind::Provider),
        (error("tokens", json!("rate_limit_exceeded"), "text", Value::Null), FailureKind::RateLimited),
        (error("invalid_request_error", json!("invalid_api_key"), "text", Value::Null), FailureKind::BadKey),
    ];
    for (error, kind) in cases {
        let mut scene = Scene::new(Setup::default());
        scene.provider(json!({ "type": "session.created" }));
        scene.provider(error.clone());
        let failure = scene.failure();
        assert_eq!(failure.kind, kind, "{error}");
        assert!(failure.detail.ends_with(": text"), "{error}: {}", failure.detail);
        scene.provider(updated(Turns::Held));
        assert_eq!(scene.events(), [], "failed is the last word: {error}");
    }
    let mut scene = Scene::new(Setup::default());
    scene.provider(json!({ "type": "session.created" }));
    scene.provider(error("invalid_request_error", unknown(), "text", json!("somebody else's")));
    assert_eq!(scene.events(), [LegEvent::Odd(Oddity::OwnError)]);
}

#[test]
fn a_bad_key_is_named_even_before_the_session_and_only_once() {
    let mut scene = Scene::new(Setup::default());
    let message =
        "Incorrect API key provided: sk-proj-****wxyz. You can find it at https://x.example/account.";
    scene.provider(error("invalid_request_error", json!("invalid_api_key"), message, Value::Null));
    scene.session.closed(Some(3000), "invalid_request_error.invalid_api_key");
    let detail =
        "invalid_api_key: Incorrect API key provided: *** You can find it at https://x.example/account.";
    assert_eq!(scene.events(), [LegEvent::Failed(failure(FailureKind::BadKey, detail))]);
}

#[test]
fn nothing_that_may_be_a_key_is_passed_on() {
    for secret in [
        "sk-abcdefgh",
        "sk-proj-****abcd",
        "sk-...abcd",
        "sk-proj…abcd",
        "key=sk-abcd",
        "\"sk_live_abc\",",
        "XAI-abc",
        "ek_abc",
        "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
        "abc****wxyz",
        "0123456789abcdef0123456789abcdef",
        "Bearer\tsk-abcdefgh",
    ] {
        for place in ["code", "message"] {
            let mut error = error("invalid_request_error", json!("invalid_api_key"), "text", Value::Null);
            error["error"]["type"] = json!("invalid_api_key");
            error["error"][place] = json!(format!("before {secret} after"));
            let mut scene = Scene::ready(Turns::Live);
            scene.provider(error);
            let detail = scene.failure().detail;
            for piece in
                secret.split(['.', '…', '*', '\t', '=']).filter(|piece| *piece != "Bearer" && *piece != "key")
            {
                assert!(piece.is_empty() || !detail.contains(piece), "{piece} of {secret} in {detail}");
            }
            assert!(detail.contains("before") && detail.contains("*** after"), "{detail}");
        }
    }
}

#[test]
fn what_is_not_a_key_stays_readable() {
    let message = "The task-force model gpt-realtime-2025-08-28 met conversation_already_has_active_response";
    let failure =
        refused(400, json!({ "error": { "code": "c", "message": message } }).to_string().as_bytes());
    assert_eq!(failure.detail, format!("HTTP 400, c: {message}"));
}

#[test]
fn details_are_one_short_line() {
    let long = format!("first\nsecond\u{1b}[31m {}", "ä ".repeat(100_000));
    let mut scene = Scene::ready(Turns::Live);
    scene.provider(error("invalid_api_key", Value::Null, &long, Value::Null));
    let detail = scene.failure().detail;
    assert!(detail.starts_with("invalid_api_key: first second [31m ä ä"), "{detail}");
    assert_eq!(detail.chars().count(), 200);
}

#[test]
fn a_reply_that_fails_is_told_apart_from_a_leg_that_fails() {
    for (kind, code, failed_as, is_the_end) in [
        ("invalid_request_error", json!("inference_rate_limit_exceeded"), FailureKind::RateLimited, false),
        ("server_error", Value::Null, FailureKind::Provider, false),
        ("invalid_request_error", json!("something_new"), FailureKind::Provider, false),
        ("insufficient_quota", json!("insufficient_quota"), FailureKind::Quota, true),
        ("insufficient_quota", Value::Null, FailureKind::Quota, true),
        ("invalid_request_error", json!("invalid_api_key"), FailureKind::BadKey, true),
    ] {
        let mut scene = Scene::replying(Turns::Live);
        let message = failed("resp_1", kind, code);
        scene.provider(message.clone());
        let detail = format!(
            "{}: text",
            message["response"]["status_details"]["error"]["code"].as_str().unwrap_or(kind)
        );
        let failure = failure(failed_as, &detail);
        let mut expected = vec![finished(1, Outcome::FailedForNow(failure.clone()))];
        expected.extend(is_the_end.then_some(LegEvent::Failed(failure)));
        assert_eq!(scene.events(), expected, "{message}");
    }
}

#[test]
fn each_status_of_a_reply_has_its_outcome() {
    for (status, outcome) in [
        (json!("completed"), Outcome::Completed),
        (json!("cancelled"), Outcome::Cancelled),
        (json!("incomplete"), Outcome::Incomplete),
        (json!("a_new_one"), Outcome::Incomplete),
        (Value::Null, Outcome::Incomplete),
        (json!("failed"), Outcome::FailedForNow(failure(FailureKind::Provider, "response failed"))),
    ] {
        let mut scene = Scene::replying(Turns::Live);
        scene.provider(json!({ "type": "response.done", "response": { "id": "resp_1", "status": status } }));
        assert_eq!(scene.events(), [finished(1, outcome)], "{status}");
    }
}

#[test]
fn a_close_says_why() {
    use FailureKind as Kind;
    let cases = [
        (
            Some(3000),
            "invalid_request_error.invalid_api_key",
            Kind::BadKey,
            "close 3000: invalid_request_error.invalid_api_key",
        ),
        (Some(3000), "", Kind::BadKey, "close 3000"),
        (
            Some(4000),
            "invalid_request_error.invalid_model",
            Kind::Refused,
            "close 4000: invalid_request_error.invalid_model",
        ),
        (
            Some(4000),
            "insufficient_quota.credit_balance_exhausted",
            Kind::Quota,
            "close 4000: insufficient_quota.credit_balance_exhausted",
        ),
        (
            Some(4004),
            "invalid_request_error.model_not_found",
            Kind::Refused,
            "close 4004: invalid_request_error.model_not_found",
        ),
        (Some(4000), "something", Kind::Refused, "close 4000: something"),
        (Some(1001), "", Kind::Closed, "close 1001"),
        (
            Some(1001),
            "Your session hit the maximum duration of 60 minutes.",
            Kind::Closed,
            "close 1001, the 60-minute limit of a session: Your session hit the maximum duration of 60 minutes.",
        ),
        (Some(1011), "keepalive ping timeout", Kind::Closed, "close 1011: keepalive ping timeout"),
        (Some(1000), "", Kind::Closed, "close 1000"),
        (Some(1008), "bad sk-abcd", Kind::Closed, "close 1008: bad ***"),
        (None, "", Kind::Closed, "without a close message"),
    ];
    for (code, reason, kind, detail) in cases {
        let mut scene = Scene::ready(Turns::Live);
        scene.session.closed(code, reason);
        assert_eq!(scene.events(), [LegEvent::Failed(failure(kind, detail))], "{code:?} {reason}");
    }
}

#[test]
fn a_close_that_we_asked_for_is_no_failure() {
    let mut scene = Scene::ready(Turns::Live);
    scene.call(LegCommand::Close);
    scene.call(LegCommand::Close);
    scene.call(LegCommand::Reply);
    assert_eq!(scene.frames(), ["close"]);
    scene.session.closed(Some(1000), "");
    scene.provider(created("resp_1"));
    assert_eq!(scene.events(), []);
}

#[test]
fn a_failed_leg_still_says_goodbye_and_nothing_else() {
    let mut scene = Scene::ready(Turns::Live);
    scene.session.closed(None, "");
    scene.call(LegCommand::Reply);
    scene.call(LegCommand::Ping);
    scene.call(LegCommand::Close);
    assert_eq!(scene.frames(), ["close"]);
    scene.session.read_binary(&bytes::Bytes::new());
    scene.session.pong();
    assert_eq!(scene.events().len(), 1);
}

#[test]
fn a_refused_upgrade_says_why() {
    use FailureKind as Kind;
    let body = |kind: &str, code: Value| {
        json!({ "error": { "type": kind, "code": code, "message": "Go sk-abc" } }).to_string()
    };
    let quota = body("insufficient_quota", json!("credit_balance_exhausted"));
    let cases = [
        (401, String::new(), Kind::BadKey, "HTTP 401"),
        (
            401,
            body("invalid_request_error", json!("invalid_api_key")),
            Kind::BadKey,
            "HTTP 401, invalid_api_key: Go ***",
        ),
        (401, body("", json!("401")), Kind::BadKey, "HTTP 401, 401: Go ***"),
        (403, "<html>".into(), Kind::BadKey, "HTTP 403"),
        (404, "{}".into(), Kind::Refused, "HTTP 404"),
        (
            404,
            body("invalid_request_error", json!("model_not_found")),
            Kind::Refused,
            "HTTP 404, model_not_found: Go ***",
        ),
        (429, String::new(), Kind::RateLimited, "HTTP 429"),
        (429, quota, Kind::Quota, "HTTP 429, credit_balance_exhausted: Go ***"),
        (307, String::new(), Kind::Refused, "HTTP 307"),
        (503, "[1]".into(), Kind::Provider, "HTTP 503"),
        (500, body("server_error", Value::Null), Kind::Provider, "HTTP 500, server_error: Go ***"),
        (400, r#"{"error":"text"}"#.into(), Kind::Refused, "HTTP 400"),
    ];
    for (status, body, kind, detail) in cases {
        assert_eq!(refused(status, body.as_bytes()), failure(kind, detail), "{status} {body}");
    }
}

#[test]
fn details_of_our_own_cost_nothing() {
    let mut scene = Scene::new(Setup::default());
    scene.text("{");
    assert!(matches!(scene.failure().detail, Cow::Borrowed(_)));
}
