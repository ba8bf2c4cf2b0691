//! Is every mistake refused as the services refuse it, and every carelessness counted?

use crate::{
    KEY,
    http::{Caller, LIMIT, body, get, post, post_text},
    quick, service,
};
use serde_json::{Value, json};
use sim::chat::{Chat, End};

const PATH: &str = "/openai/v1/chat/completions";

/// A body with one member more, or another.
fn with(name: &str, value: Value) -> Value {
    let mut body = body("Hello");
    body[name] = value;
    body
}

fn openai(mut body: Value) -> Value {
    body["model"] = json!("gpt-6-luna");
    body
}

fn talk(messages: Value) -> Value {
    with("messages", messages)
}

fn called(ids: &[&str]) -> Value {
    let call =
        |id: &&str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    json!({"role": "assistant", "content": "", "tool_calls": ids.iter().map(call).collect::<Vec<_>>()})
}

fn result(id: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": "{}"})
}

fn user() -> Value {
    json!({"role": "user", "content": "Hello"})
}

async fn one_violation(chat: &Chat, part: &str) {
    let request = chat.request(KEY, 0, LIMIT).await.unwrap();
    request.ended(LIMIT).await.unwrap();
    let violations = chat.violations();
    assert_eq!(violations.len(), 1, "{part}: {violations:?}");
    assert!(violations[0].contains(part), "{part}: {violations:?}");
    assert_eq!(request.look(|ledger| ledger.violations.len()), 1);
}

#[tokio::test]
async fn what_the_services_refuse_is_refused() {
    let mut named = user();
    named["name"] = json!("Ann");
    let table: Vec<(Value, u16, &str)> = vec![
        (json!([]), 400, "parse the JSON"),
        (json!({"stream": true, "messages": [user()]}), 400, "model"),
        (with("model", json!("llama-3.3-70b-versatile")), 404, "model_not_found"),
        (with("colour", json!("red")), 400, "'colour'"),
        (with("verbosity", json!("low")), 400, "'verbosity'"),
        (openai(with("include_reasoning", json!(false))), 400, "'include_reasoning'"),
        (with("temperature", json!(null)), 400, "'temperature'"),
        (with("temperature", json!("hot")), 400, "'temperature'"),
        (with("stream", json!(false)), 400, "'stream'"),
        (with("n", json!(2)), 400, "'n'"),
        (with("tools", json!([{"type": "function", "function": {}}])), 400, "'tools[0].function.name'"),
        (
            with("tools", json!(vec![json!({"type": "function", "function": {"name": "f"}}); 129])),
            400,
            "'tools'",
        ),
        (with("reasoning_effort", json!("none")), 400, "reasoning_effort"),
        (
            {
                let mut both = with("include_reasoning", json!(true));
                both["reasoning_format"] = json!("parsed");
                both
            },
            400,
            "exclude each other",
        ),
        (openai(with("reasoning_effort", json!("minimal"))), 400, "'minimal'"),
        (openai(with("max_tokens", json!(100))), 400, "'max_tokens'"),
        (openai(with("temperature", json!(0.5))), 400, "'temperature'"),
        (
            {
                let mut low = openai(with("temperature", json!(0.5)));
                low["reasoning_effort"] = json!("low");
                low
            },
            400,
            "'temperature'",
        ),
        (talk(json!([])), 400, "empty"),
        (talk(json!([{"role": "robot", "content": "x"}])), 400, "robot"),
        (talk(json!([{"role": "developer", "content": "x"}, user()])), 400, "developer"),
        (talk(json!([named])), 400, "'messages[0].name'"),
        (talk(json!([{"role": "user", "content": null}])), 400, "'messages[0].content'"),
        (
            talk(json!([user(), {"role": "assistant", "content": "x", "tool_calls": null}])),
            400,
            "'messages[1].tool_calls'",
        ),
        (
            talk(json!([user(), {"role": "assistant", "content": "x", "function_call": null}])),
            400,
            "'messages[1].function_call'",
        ),
        (talk(json!([user(), {"role": "assistant"}])), 400, "content or tool calls"),
        (talk(json!([user(), called(&[])])), 400, "empty"),
        (talk(json!([user(), called(&["a", "a"]), result("a")])), 400, "Two tool calls"),
        (talk(json!([user(), called(&["a"])])), 400, "response messages: a"),
        (talk(json!([user(), called(&["a", "b"]), result("a"), user()])), 400, "response messages: b"),
        (talk(json!([user(), called(&["a"]), user(), result("a")])), 400, "response messages: a"),
        (talk(json!([user(), result("a")])), 400, "preceding"),
        (talk(json!([user(), called(&["a"]), result("a"), result("a")])), 400, "preceding"),
        (talk(json!([user(), called(&["a"]), {"role": "tool", "content": "x"}])), 400, "tool_call_id"),
    ];
    for (body, status, part) in table {
        let (chat, mut caller) = service(quick()).await;
        let heard = caller.ask(post(KEY, &body)).await;
        assert_eq!(heard.status, status, "{body}");
        assert!(heard.json()["error"]["message"].is_string());
        one_violation(&chat, part).await;
        assert_eq!(chat.requests(KEY)[0].ended(LIMIT).await.unwrap(), End::Refused);
        assert_eq!(caller.ask(get("/v1/models", KEY)).await.status, 200, "the connection is kept");
    }
}

#[tokio::test]
async fn what_is_only_unwise_is_answered_and_counted() {
    let late = json!([user(), {"role": "system", "content": "Be brief."}]);
    for (body, part) in [(with("max_tokens", json!(100)), "max_tokens"), (talk(late), "not the first")] {
        let (chat, mut caller) = service(quick()).await;
        assert!(caller.ask(post(KEY, &body)).await.is_done(), "{body}");
        one_violation(&chat, part).await;
    }
}

#[tokio::test]
async fn a_missing_header_is_counted() {
    for name in ["user-agent", "content-type", "accept"] {
        let (chat, mut caller) = service(quick()).await;
        let whole = post(KEY, &body("Hello"));
        let without: String =
            whole.split_inclusive("\r\n").filter(|line| !line.starts_with(&format!("{name}:"))).collect();
        assert!(caller.ask(without).await.is_done());
        one_violation(&chat, name).await;
    }
}

#[tokio::test]
async fn what_is_right_is_no_violation() {
    let mut rich = with("max_completion_tokens", json!(300));
    rich["temperature"] = json!(0.5);
    rich["reasoning_effort"] = json!("low");
    rich["include_reasoning"] = json!(false);
    rich["stream_options"] = json!({"include_usage": true});
    rich["tool_choice"] = json!("auto");
    rich["parallel_tool_calls"] = json!(false);
    rich["tools"] =
        json!([{"type": "function", "function": {"name": "f", "description": "x", "parameters": {}}}]);
    let mut cold = openai(with("temperature", json!(0.5)));
    cold["reasoning_effort"] = json!("none");
    cold["max_completion_tokens"] = json!(300);
    let bodies = [
        rich,
        cold,
        talk(json!([user(), user()])),
        talk(json!([{"role": "system", "content": "x"}, user(), {"role": "system", "content": "y"}])),
        talk(json!([user(), called(&["a", "b"]), result("b"), result("a"), user()])),
        talk(json!([{"role": "user", "content": [{"type": "text", "text": "x"}]}])),
        openai(talk(json!([{"role": "developer", "content": "x"}, user()]))),
    ];
    let (chat, mut caller) = service(quick()).await;
    for body in bodies {
        let heard = caller.ask(post(KEY, &body)).await;
        assert_eq!((heard.status, chat.violations()), (200, Vec::new()), "{body}");
    }
}

#[tokio::test]
async fn who_and_where_is_checked_before_what() {
    let text = body("Hello").to_string();
    let table = [
        (post_text(PATH, "gsk_invalid", &text), 401, "invalid_api_key"),
        (post_text(PATH, "", &text), 401, "missing_api_key"),
        (post_text("/v2/chat/completions", KEY, &text), 404, "unknown_url"),
        (post_text("/v1/models", KEY, &text), 405, "method_not_supported"),
        (get(PATH, KEY), 405, "method_not_supported"),
        (get("/v1/models", "gsk_invalid"), 401, "invalid_api_key"),
        (post_text(PATH, KEY, "{"), 400, "could not parse"),
    ];
    for (request, status, part) in table {
        let (chat, mut caller) = service(quick()).await;
        let heard = caller.ask(&request).await;
        assert_eq!(heard.status, status, "{request}");
        assert!(heard.header("x-ratelimit-remaining-tokens").is_some());
        let violations = chat.violations();
        assert!(violations.len() == 1 && violations[0].contains(part), "{request}: {violations:?}");
    }
}

#[tokio::test]
async fn an_api_key_header_is_as_good() {
    let (chat, mut caller) = service(quick()).await;
    let azure = post(KEY, &body("Hello")).replace("authorization: Bearer ", "api-key: ");
    assert!(caller.ask(azure).await.is_done());
    let request = chat.request(KEY, 0, LIMIT).await.unwrap();
    assert!(request.look(|ledger| ledger.headers.iter().all(|(_, value)| value != KEY)));
}

#[tokio::test]
async fn more_than_a_megabyte_is_refused_unread() {
    let (chat, mut caller) = service(quick()).await;
    let long = post(KEY, &body(&"x".repeat(1 << 20)));
    let heard = caller.ask(long).await;
    assert_eq!((heard.status, heard.header("connection")), (413, Some("close")));
    one_violation(&chat, "request_too_large").await;
    assert!(caller.is_closed().await);
    let fits = post(KEY, &body(&"x".repeat((1 << 20) - 1000)));
    assert_eq!(Caller::open(chat.address).await.ask(fits).await.status, 200);
}
