//! Does the pretend chat service stream as the real ones do, and does it see every mistake and every hang-up?

#[path = "common/http.rs"]
mod http;

use http::{Caller, LIMIT, body, get, post};
use serde_json::{Value, json};
use sim::chat::{Answer, Behaviour, Chat, ChatOptions, End};
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

#[tokio::test]
async fn one_connection_serves_one_request_after_the_other() {
    let (chat, mut caller) = service(quick()).await;
    let models = caller.ask(get("/openai/v1/models", KEY)).await.json();
    let ids: Vec<_> = models["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, sim::chat::MODELS.each_ref());
    for _ in 0..2 {
        assert!(caller.ask(post(KEY, &body("Hello"))).await.is_done());
    }
    assert!(Caller::open(chat.address).await.ask(post(KEY, &body("Hello"))).await.is_done());
    let connections: Vec<_> =
        chat.requests(KEY).iter().map(|one| one.look(|ledger| ledger.connection)).collect();
    assert_eq!(connections, [1, 1, 2]);
    assert_eq!(chat.models_asked(KEY)[0].look(|ledger| ledger.connection), 1);
    assert_eq!(chat.connections(), 2);
}

#[tokio::test]
async fn a_hang_up_in_the_middle_is_seen() {
    let slow = Behaviour { token: Duration::from_millis(30), ..quick() };
    let (chat, mut caller) =
        service(slow.reply(Answer::say("one two three four five six seven eight"))).await;
    caller.send(post(KEY, &body("Count"))).await;
    caller.head().await;
    let heard = caller.chunks_until(" three").await;
    assert!(!heard.contains("eight"));
    drop(caller);
    let request = chat.request(KEY, 0, LIMIT).await.unwrap();
    let end = request.ended(LIMIT).await.unwrap();
    let tokens = request.look(|ledger| ledger.tokens);
    assert!((3..8).contains(&tokens), "{tokens}");
    assert_eq!(end, End::Cancelled { after_tokens: tokens });
}

#[tokio::test]
async fn a_stopped_service_cuts_everything() {
    let (chat, mut caller) =
        service(Behaviour { first: Duration::from_secs(60), ..Behaviour::default() }).await;
    caller.send(post(KEY, &body("Hello"))).await;
    let request = chat.request(KEY, 0, LIMIT).await.unwrap();
    assert_eq!(caller.head().await.status, 200);
    caller.chunks_until("assistant").await;
    drop(chat);
    assert_eq!(request.ended(LIMIT).await.unwrap(), End::Cut);
    while caller.chunk().await.is_some_and(|chunk| !chunk.is_empty()) {}
    assert!(caller.is_closed().await);
}
