//! Does the pretend chat service stream as the real ones do, and does it see every mistake and every hang-up?

#[path = "chat/faults.rs"]
mod faults;
#[path = "common/http.rs"]
mod http;
#[path = "chat/strict.rs"]
mod strict;
#[path = "chat/transport.rs"]
mod transport;

use http::{Caller, Heard, LIMIT, body, post};
use serde_json::{Value, json};
use sim::chat::{Answer, Behaviour, Chat, ChatOptions, End, ToolCall};
use std::time::Duration;

const KEY: &str = "gsk_test";

/// Answers at once.
fn quick() -> Behaviour {
    Behaviour { first: Duration::ZERO, token: Duration::ZERO, ..Behaviour::default() }
}

async fn service(behaviour: Behaviour) -> (Chat, Caller) {
    let chat = Chat::start(ChatOptions { behaviour, ..ChatOptions::default() }).await.unwrap();
    let caller = Caller::open(chat.address).await;
    (chat, caller)
}

#[tokio::test]
async fn an_answer_is_streamed_as_groq_does() {
    let text = "We open at nine, Mrs. Müller.";
    let (chat, mut caller) = service(quick().on("OPEN", Answer::say(text))).await;
    let mut question = body("When do you open?");
    question["stream_options"] = json!({"include_usage": true});
    let heard = caller.ask(post(KEY, &question)).await;

    assert_eq!((heard.status, heard.header("content-type")), (200, Some("text/event-stream")));
    assert!(heard.whole && heard.is_done());
    assert_eq!((heard.said("content").as_str(), heard.finish_reason().as_deref()), (text, Some("stop")));
    let data = heard.data();
    assert_eq!(data[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert!(data[0]["x_groq"]["id"].is_string());
    let [.., last, usage] = &data[..] else { panic!("{data:?}") };
    assert_eq!(last["choices"][0]["delta"], json!({}));
    assert!(last["x_groq"]["usage"]["completion_tokens"].is_u64());
    assert_eq!((&usage["choices"], usage["usage"]["prompt_tokens"].is_u64()), (&json!([]), true));
    assert!(data.len() > 8, "the text is one piece");
    assert!(heard.body().lines().any(|line| line.starts_with(": ")), "no comment");

    let request = chat.request(KEY, 0, LIMIT).await.unwrap();
    assert_eq!(request.ended(LIMIT).await.unwrap(), End::Finished);
    assert_eq!(request.body(), question);
    let said = [("system", "Be brief."), ("user", "When do you open?")];
    assert_eq!(request.messages(), said.map(|(role, text)| (role.to_owned(), text.to_owned())));
    request.look(|ledger| {
        assert_eq!((ledger.path.as_str(), ledger.sent.as_str()), ("/openai/v1/chat/completions", text));
        assert_eq!(ledger.tokens, data.len() - 3);
        assert_eq!((ledger.header("user-agent"), ledger.header("authorization")), (Some("test/1"), None));
    });
    assert_eq!(chat.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn openai_streams_with_other_members() {
    let (chat, mut caller) = service(quick()).await;
    let mut question = body("Hello");
    question["model"] = json!("gpt-6-luna");
    question["stream_options"] = json!({"include_usage": true});
    let heard = caller.ask(post(KEY, &question)).await;
    let [first, .., usage] = &heard.data()[..] else { panic!("{heard:?}") };
    assert!(first["obfuscation"].is_string() && first["x_groq"].is_null());
    assert_eq!(first.get("usage"), Some(&Value::Null));
    assert!(usage["usage"]["total_tokens"].is_u64());
    assert_eq!(chat.violations(), Vec::<String>::new());
}

/// The calls as they were put together again: id, name, arguments; and in how many chunks they came.
fn calls(heard: &Heard) -> Vec<(String, String, String, usize)> {
    let mut calls: Vec<(String, String, String, usize)> = Vec::new();
    for chunk in heard.data() {
        for part in chunk["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index = part["index"].as_u64().unwrap() as usize;
            if index == calls.len() {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                calls.push((text(&part["id"]), text(&part["function"]["name"]), String::new(), 0));
            }
            calls[index].2.push_str(part["function"]["arguments"].as_str().unwrap());
            calls[index].3 += 1;
        }
    }
    calls
}

#[tokio::test]
async fn tools_are_called_whole_or_in_pieces_after_the_text() {
    let arguments = r#"{"queue":"Bücher"}"#;
    let pieces = |count| ToolCall::new("call_1", "transfer_call", arguments).pieces(count);
    let answer =
        Answer::say("One moment.").tool(pieces(4)).tool(ToolCall { id: "call_2".into(), ..pieces(1) });
    let (chat, mut caller) = service(quick().reply(answer)).await;
    let heard = caller.ask(post(KEY, &body("Transfer me"))).await;
    let call = |id: &str, chunks| (id.to_owned(), "transfer_call".to_owned(), arguments.to_owned(), chunks);
    assert_eq!(calls(&heard), [call("call_1", 5), call("call_2", 1)]);
    assert_eq!(
        (heard.said("content").as_str(), heard.finish_reason().unwrap().as_str()),
        ("One moment.", "tool_calls")
    );
    chat.requests(KEY)[0].until(|ledger| ledger.is_finished() && ledger.tokens == 8, LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_result_is_answered_by_its_tool_and_not_by_the_question_again() {
    let behaviour = quick()
        .on("transfer", Answer::call("call_1", "transfer_call", "{}"))
        .on_result("TRANSFER_call", Answer::say("You are being transferred."));
    let (chat, mut caller) = service(behaviour).await;
    let mut talk = body("Please transfer me");
    let heard = caller.ask(post(KEY, &talk)).await;
    let (id, name, arguments, _) = calls(&heard).remove(0);
    let function = json!({"name": name, "arguments": arguments});
    let messages = talk["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": "",
        "tool_calls": [{"id": id, "type": "function", "function": function}]}));
    messages.push(json!({"role": "tool", "tool_call_id": id, "content": "{\"ok\":true}"}));
    let heard = caller.ask(post(KEY, &talk)).await;
    assert_eq!((heard.said("content").as_str(), calls(&heard).len()), ("You are being transferred.", 0));
    assert_eq!(chat.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_fits_or_is_the_next_reply_or_the_fallback() {
    let behaviour = Behaviour { fallback: Answer::say("last"), ..quick() }
        .on("hours", Answer::say("nine to five"))
        .reply(Answer::say("first"))
        .reply(Answer::say("second"));
    let (chat, mut caller) = service(behaviour).await;
    chat.behave("other", quick().reply(Answer::say("another's")));
    let mut heard = Vec::new();
    for (key, question) in [
        (KEY, "x"),
        (KEY, "Your HOURS?"),
        ("other", "hours"),
        (KEY, "x"),
        (KEY, "x"),
        (KEY, "x"),
        ("new", "x"),
    ] {
        heard.push(caller.ask(post(key, &body(question))).await.said("content"));
    }
    assert_eq!(heard, ["first", "nine to five", "another's", "second", "last", "last", "first"]);
}

#[tokio::test]
async fn reasoning_comes_first_unless_it_is_hidden() {
    let answer = Answer::say("At nine.").reasoning("Caller asks for hours.");
    let (_chat, mut caller) = service(Behaviour { fallback: answer, ..quick() }).await;
    let mut question = body("Hours?");
    let heard = caller.ask(post(KEY, &question)).await;
    assert_eq!(
        (heard.said("reasoning").as_str(), heard.said("content").as_str()),
        ("Caller asks for hours.", "At nine.")
    );
    let body = heard.body();
    assert!(body.rfind("\"reasoning\":").unwrap() < body.find("At").unwrap());
    question["include_reasoning"] = json!(false);
    let heard = caller.ask(post(KEY, &question)).await;
    assert_eq!((heard.said("reasoning").as_str(), heard.said("content").as_str()), ("", "At nine."));
}

#[tokio::test]
async fn too_few_tokens_cut_the_answer_short() {
    let answer = Answer::say("a b c d").reasoning("x y");
    let (_chat, mut caller) = service(Behaviour { fallback: answer, ..quick() }).await;
    for (most, said, reason) in [(1, "", "length"), (4, "a b", "length"), (6, "a b c d", "stop")] {
        let mut question = body("Hello");
        question["max_completion_tokens"] = json!(most);
        let heard = caller.ask(post(KEY, &question)).await;
        assert_eq!((heard.said("content").as_str(), heard.finish_reason().unwrap().as_str()), (said, reason));
    }
}

#[tokio::test]
async fn each_seed_has_its_habits_and_says_the_same() {
    let text = "Schöne Grüße, Frau Müller!";
    for seed in 0..32 {
        let (_chat, mut caller) = service(Behaviour { seed, fallback: Answer::say(text), ..quick() }).await;
        let heard = caller.ask(post(KEY, &body("Hello"))).await;
        assert_eq!((heard.said("content").as_str(), heard.is_done()), (text, true), "seed {seed}");
        let body = heard.body();
        let has = |bit: u64| seed & bit != 0;
        assert_eq!(body.contains('\r'), has(1), "seed {seed}");
        let is_cut = heard.chunks.iter().any(|chunk| std::str::from_utf8(chunk).is_err());
        assert_eq!(is_cut, has(2), "seed {seed}");
        let last = String::from_utf8_lossy(heard.chunks.last().unwrap()).into_owned();
        assert_eq!(last.contains("finish_reason") && last.contains("[DONE]"), has(4), "seed {seed}");
        assert_eq!(!body.contains("data: "), has(8), "seed {seed}");
        assert_eq!(heard.data()[0]["choices"] == json!([]), has(16), "seed {seed}");
        let finish = heard.data().into_iter().rfind(|chunk| chunk["choices"][0]["finish_reason"].is_string());
        assert_eq!(finish.unwrap()["choices"][0]["delta"].is_null(), has(16), "seed {seed}");
    }
}

#[tokio::test]
async fn tokens_come_at_their_times() {
    let (head, first, token) =
        (Duration::from_millis(50), Duration::from_millis(120), Duration::from_millis(20));
    let behaviour = Behaviour { head, first, token, fallback: Answer::say("a b c d e f"), ..quick() };
    let (chat, mut caller) = service(behaviour).await;
    let asked = std::time::Instant::now();
    caller.send(post(KEY, &body("Hello"))).await;
    assert_eq!(caller.head().await.status, 200);
    assert!(asked.elapsed() >= head, "{:?}", asked.elapsed());
    caller.chunks_until("assistant").await;
    caller.chunks_until("content").await;
    assert!(asked.elapsed() >= first, "{:?}", asked.elapsed());
    caller.chunks_until("DONE").await;
    assert!(asked.elapsed() >= first + 5 * token, "{:?}", asked.elapsed());
    let request = chat.request(KEY, 0, LIMIT).await.unwrap();
    let waited = request.look(|ledger| ledger.first_token_at.unwrap() - ledger.began);
    assert!(waited >= first, "{waited:?}");
}

#[tokio::test]
async fn waiting_sees_changes_and_tells_what_was_instead() {
    let (chat, mut caller) = service(quick()).await;
    caller.send(post(KEY, &body("Hello"))).await;
    let two_finished =
        |all: &[sim::chat::Request]| all.iter().filter(|one| one.look(|l| l.is_finished())).count() == 2;
    let short = Duration::from_millis(50);
    let error = chat.until(KEY, two_finished, short).await.unwrap_err();
    assert!(error.to_string().contains("Hello"), "{error}");
    assert!(!format!("{error} {chat:?}").contains(KEY), "a key is shown");
    caller.send(post(KEY, &body("Hello"))).await;
    chat.until(KEY, two_finished, LIMIT).await.unwrap();
}
