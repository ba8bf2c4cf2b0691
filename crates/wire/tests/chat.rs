//! Questions to language models, and their streams.

use call::{
    FailureKind, Usage,
    cascade::{AskId, Message, MindEvent, ToolUse},
};
use serde_json::{Value, json};
use wire::{
    Function,
    chat::{Answer, Mind, Reasoning, refused},
};

const ASK: AskId = AskId(3);

fn words(text: &str) -> MindEvent {
    MindEvent::Words { ask: ASK, text: text.into() }
}

fn delta(content: Value, finish: Value) -> String {
    json!({ "id": "c", "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": { "content": content }, "finish_reason": finish }] })
        .to_string()
}

/// A stream of these events; how it ends is up to the test.
fn stream(events: &[String]) -> Vec<u8> {
    events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>().into_bytes()
}

fn read(events: &[String]) -> Vec<MindEvent> {
    let mut answer = Answer::new("groq", ASK);
    let mut out = answer.read(&stream(events));
    out.extend(answer.ended(false));
    assert!(answer.is_over());
    out
}

fn failure(events: &[MindEvent]) -> (FailureKind, bool) {
    match events.last() {
        Some(MindEvent::Failed { ask: ASK, failure, again }) => {
            assert_eq!(failure.provider, "groq");
            (failure.kind, *again)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_question_holds_what_was_set_and_nothing_else() {
    let thread =
        [Message::System("Be kind.".into()), Message::Caller("Hi.".into()), Message::Agent("Hello!".into())];
    let mind = Mind { model: "llama-x".into(), ..Mind::default() };
    let body: Value = serde_json::from_slice(&mind.question(&thread)).unwrap();
    assert_eq!(
        body,
        json!({
            "model": "llama-x", "stream": true, "stream_options": { "include_usage": true },
            "messages": [
                { "role": "system", "content": "Be kind." },
                { "role": "user", "content": "Hi." },
                { "role": "assistant", "content": "Hello!" },
            ],
        })
    );
    let extra = json!({ "service_tier": "flex", "stream_options": null }).as_object().unwrap().clone();
    let mind = Mind {
        model: "openai/gpt-oss-20b".into(),
        temperature: Some(0.5),
        max_tokens: Some(300),
        reasoning: None,
        extra,
        tools: Vec::new(),
    };
    let body: Value = serde_json::from_slice(&mind.question(&[])).unwrap();
    assert_eq!(
        body,
        json!({
            "model": "openai/gpt-oss-20b", "stream": true, "messages": [], "temperature": 0.5,
            "max_completion_tokens": 300, "reasoning_effort": "low", "service_tier": "flex",
        })
    );
    let mind = Mind { reasoning: Some(Reasoning::High), ..mind };
    let body: Value = serde_json::from_slice(&mind.question(&[])).unwrap();
    assert_eq!(body["reasoning_effort"], "high");
}

#[test]
fn an_answer_is_its_words_and_what_it_took() {
    let events = read(&[
        json!({ "choices": [{ "index": 0, "delta": { "role": "assistant", "content": "" }, "finish_reason": null }], "x_groq": { "id": "r" } }).to_string(),
        json!({ "choices": [{ "index": 0, "delta": { "reasoning": "They ask when." }, "finish_reason": null }] }).to_string(),
        delta("We open".into(), Value::Null),
        json!({ "choices": [], "prompt_filter_results": [] }).to_string(),
        json!({ "choices": [{ "index": 0, "delta": null, "finish_reason": null }] }).to_string(),
        delta(" at eight.".into(), Value::Null),
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }).to_string(),
        json!({ "choices": [], "usage": { "prompt_tokens": 41, "completion_tokens": 7, "prompt_tokens_details": { "cached_tokens": 32 } } }).to_string(),
        "[DONE]".into(),
    ]);
    let usage = Usage { text_in: 41, text_cached: 32, text_out: 7, ..Usage::default() };
    assert_eq!(
        events,
        [words("We open"), words(" at eight."), MindEvent::Done { ask: ASK, whole: true, usage }]
    );
}

#[test]
fn an_end_without_done_is_an_end_and_one_without_a_reason_is_not() {
    let done = |whole| MindEvent::Done { ask: ASK, whole, usage: Usage::default() };
    assert_eq!(read(&[delta("Yes.".into(), "stop".into())]), [words("Yes."), done(true)]);
    assert_eq!(read(&[delta("Well".into(), "length".into()), "[DONE]".into()]), [words("Well"), done(false)]);
    assert_eq!(read(&["[DONE]".into()]), [done(true)]);
    assert_eq!(failure(&read(&[delta("Well".into(), Value::Null)])), (FailureKind::Closed, true));
    let mut answer = Answer::new("groq", ASK);
    assert_eq!(failure(&answer.ended(true)), (FailureKind::Closed, true));
    assert_eq!(answer.ended(true), [], "said once");
}

#[test]
fn a_stream_can_fail_in_all_four_ways() {
    let error =
        json!({ "error": { "message": "try later", "type": "server_error", "code": "server_error" } });
    assert_eq!(
        failure(&read(&[delta("Well".into(), Value::Null), error.to_string()])),
        (FailureKind::Provider, true)
    );
    let mut answer = Answer::new("groq", ASK);
    let named = b"event: error\ndata: {\"message\":\"no\",\"type\":\"invalid_request_error\",\"code\":\"model_not_found\"}\n\n";
    assert_eq!(failure(&answer.read(named)), (FailureKind::Refused, false));
    let groq = json!({ "choices": [], "x_groq": { "error": "over capacity" } }).to_string();
    assert_eq!(failure(&read(&[groq])), (FailureKind::Provider, true));
    let quota = json!({ "error": { "message": "pay", "code": "insufficient_quota" } }).to_string();
    assert_eq!(failure(&read(&[quota])), (FailureKind::Quota, false));
}

#[test]
fn nothing_comes_after_the_last_word() {
    let mut answer = Answer::new("groq", ASK);
    let all = stream(&[delta("A".into(), "stop".into()), "[DONE]".into(), delta("B".into(), Value::Null)]);
    assert_eq!(answer.read(&all).len(), 2);
    assert_eq!(answer.read(&stream(&[delta("C".into(), Value::Null)])), []);
    assert_eq!(answer.ended(true), []);
}

#[test]
fn chunks_that_cannot_be_read_are_counted_and_many_of_them_are_an_end() {
    let mut answer = Answer::new("groq", ASK);
    let mut events = Vec::new();
    for _ in 0..20 {
        events.extend(answer.read(b"data: {\n\n"));
    }
    assert_eq!(failure(&events), (FailureKind::Nonsense, false));
    assert_eq!(events.len(), 11);
}

#[test]
fn refusals_say_whether_to_try_again() {
    let cases = [
        (
            401,
            None,
            r#"{"error":{"message":"Invalid API Key","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            FailureKind::BadKey,
            false,
        ),
        (
            404,
            None,
            r#"{"error":{"message":"The model does not exist","code":"model_not_found"}}"#,
            FailureKind::Refused,
            false,
        ),
        (
            429,
            Some(0.4),
            r#"{"error":{"message":"slow down","type":"tokens","code":"rate_limit_exceeded"}}"#,
            FailureKind::RateLimited,
            true,
        ),
        (
            429,
            Some(60.0),
            r#"{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}"#,
            FailureKind::RateLimited,
            false,
        ),
        (429, None, r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#, FailureKind::Quota, false),
        (503, None, "<html>busy</html>", FailureKind::Provider, true),
        (
            498,
            None,
            r#"{"error":{"code":"capacity_exceeded","message":"x"}}"#,
            FailureKind::RateLimited,
            true,
        ),
        (400, None, r#"[{"error":{"message":"bad","code":400}}]"#, FailureKind::Refused, false),
        (422, None, r#"{"detail":"no"}"#, FailureKind::Refused, false),
    ];
    for (status, retry_after, body, kind, again) in cases {
        let (failure, may) = refused("groq", status, retry_after, body.as_bytes());
        assert_eq!((failure.kind, may), (kind, again), "{status} {body}: {failure}");
        assert!(failure.detail.contains(&status.to_string()), "{failure}");
    }
    let leaky = r#"{"error":{"message":"key gsk_abcdefgh is wrong"}}"#;
    assert!(!refused("groq", 401, None, leaky.as_bytes()).0.detail.contains("abcdefgh"));
}

#[test]
fn thoughts_between_marks_are_not_words() {
    let pieces = ["<thi", "nk>They ask", " when.</thi", "nk>We ", "open."];
    let mut events: Vec<String> = pieces.iter().map(|piece| delta((*piece).into(), Value::Null)).collect();
    events.push(delta(Value::Null, "stop".into()));
    let heard: String = read(&events)
        .into_iter()
        .filter_map(|event| match event {
            MindEvent::Words { text, .. } => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(heard, "We open.");
}

fn lookup(arguments: &str, extra: Option<&str>) -> ToolUse {
    let extra = extra.map(str::to_owned);
    ToolUse { id: "a".into(), name: "lookup".into(), arguments: arguments.into(), extra }
}

#[test]
fn tools_are_described_and_their_calls_stand_before_their_results() {
    let parameters = json!({ "type": "object", "properties": { "order": { "type": "integer" } } });
    let parameters = parameters.as_object().cloned();
    let tools = vec![
        Function { name: "lookup".into(), description: Some("Finds an order.".into()), parameters },
        Function { name: "wave".into(), ..Function::default() },
    ];
    let mind = Mind { model: "m".into(), tools, ..Mind::default() };
    let thread = [
        Message::Caller("Where is order 7?".into()),
        Message::Calls {
            text: "One moment.".into(),
            calls: vec![lookup("{\"order\":7}", Some("{\"x\":1}"))],
        },
        Message::Result { id: "a".into(), text: "{\"status\":\"shipped\"}".into() },
    ];
    let body: Value = serde_json::from_slice(&mind.question(&thread)).unwrap();
    assert_eq!(
        body["tools"],
        json!([
            { "type": "function", "function": { "name": "lookup", "description": "Finds an order.",
              "parameters": { "type": "object", "properties": { "order": { "type": "integer" } } } } },
            { "type": "function", "function": { "name": "wave",
              "parameters": { "type": "object", "properties": {} } } },
        ])
    );
    assert_eq!(
        body["messages"],
        json!([
            { "role": "user", "content": "Where is order 7?" },
            { "role": "assistant", "content": "One moment.", "tool_calls": [{
                "id": "a", "type": "function", "extra_content": { "x": 1 },
                "function": { "name": "lookup", "arguments": "{\"order\":7}" } }] },
            { "role": "tool", "tool_call_id": "a", "content": "{\"status\":\"shipped\"}" },
        ])
    );
}

fn piece(piece: Value, finish: Value) -> String {
    json!({ "choices": [{ "index": 0, "delta": { "content": null, "tool_calls": [piece] }, "finish_reason": finish }] })
        .to_string()
}

#[test]
fn a_call_is_told_when_it_is_complete_and_not_when_it_was_cut_short() {
    let first = || {
        piece(
            json!({ "index": 0, "id": "a", "function": { "name": "lookup", "arguments": "{\"ord" } }),
            Value::Null,
        )
    };
    let second = |finish| piece(json!({ "index": 0, "function": { "arguments": "er\":7}" } }), finish);
    let called = MindEvent::Called { ask: ASK, call: lookup("{\"order\":7}", None) };
    let done = |whole| MindEvent::Done { ask: ASK, whole, usage: Usage::default() };
    let said = || delta(json!("One moment."), Value::Null);
    // `stop` is what some servers say in spite of the call.
    for finish in ["tool_calls", "stop"] {
        let events = read(&[said(), first(), second(json!(finish))]);
        assert_eq!(events, [words("One moment."), called.clone(), done(true)], "{finish}");
    }
    let events = read(&[said(), first(), second(json!("length"))]);
    assert_eq!(events, [words("One moment."), done(false)]);
    let events = read(&[first(), json!({ "error": { "message": "…", "type": "server_error" } }).to_string()]);
    assert_eq!(failure(&events), (FailureKind::Provider, true));
    assert_eq!(events.len(), 1, "of a failed answer no tool is called");
}
