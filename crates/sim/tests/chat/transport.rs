//! Are connections kept, closed and watched as HTTP/1.1 wants it?

use crate::{
    KEY,
    http::{Caller, LIMIT, body, get, post},
    quick, service,
};
use sim::chat::{Answer, Behaviour, Chat, ChatOptions, End};
use std::time::Duration;

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
    assert_eq!(request.look(|ledger| ledger.cancelled_after()), Some(tokens));
}

#[tokio::test]
async fn a_hang_up_before_the_head_or_the_first_token_is_seen() {
    let hour = Duration::from_secs(3600);
    for slow in [Behaviour { head: hour, ..quick() }, Behaviour { first: hour, ..quick() }] {
        for is_reset in [false, true] {
            let (chat, mut caller) = service(slow.clone()).await;
            caller.send(post(KEY, &body("Hello"))).await;
            let request = chat.request(KEY, 0, LIMIT).await.unwrap();
            if is_reset {
                caller.tcp.set_zero_linger().unwrap();
            }
            drop(caller);
            assert_eq!(request.ended(LIMIT).await.unwrap(), End::Cancelled { after_tokens: 0 });
        }
    }
}

#[tokio::test]
async fn a_hang_up_is_seen_when_nothing_waits_for_time() {
    let (chat, mut caller) = service(quick().reply(Answer::say(&"blah ".repeat(30_000)))).await;
    caller.send(post(KEY, &body("Talk"))).await;
    caller.head().await;
    caller.chunks_until("blah").await;
    drop(caller);
    let request = chat.request(KEY, 0, LIMIT).await.unwrap();
    assert!(matches!(request.ended(LIMIT).await.unwrap(), End::Cancelled { after_tokens: 1.. }));
}

#[tokio::test]
async fn a_stopped_service_cuts_everything() {
    let (chat, mut caller) = service(Behaviour { first: Duration::from_secs(60), ..quick() }).await;
    caller.send(post(KEY, &body("Hello"))).await;
    let request = chat.request(KEY, 0, LIMIT).await.unwrap();
    caller.head().await;
    caller.chunks_until("assistant").await;
    drop(chat);
    assert_eq!(request.ended(LIMIT).await.unwrap(), End::Cut);
    while caller.chunk().await.is_some_and(|chunk| !chunk.is_empty()) {}
    assert!(caller.is_closed().await);
}

#[tokio::test]
async fn a_client_that_wants_to_close_is_closed() {
    let (_chat, mut caller) = service(quick()).await;
    let closing = post(KEY, &body("Hello")).replacen("\r\n", "\r\nconnection: close\r\n", 1);
    let heard = caller.ask(closing).await;
    assert_eq!((heard.is_done(), heard.header("connection")), (true, Some("close")));
    assert!(caller.is_closed().await);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let options = ChatOptions { behaviour: quick(), idle: Duration::from_millis(30) };
    let chat = Chat::start(options).await.unwrap();
    let mut caller = Caller::open(chat.address).await;
    assert!(caller.ask(post(KEY, &body("Hello"))).await.is_done());
    assert!(caller.is_closed().await);
    assert_eq!(chat.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order() {
    let (chat, mut caller) = service(Behaviour { first: Duration::from_millis(20), ..quick() }).await;
    chat.behave(KEY, quick().reply(Answer::say("first")).reply(Answer::say("second")));
    caller.send(post(KEY, &body("Hello")) + &post(KEY, &body("Hello"))).await;
    assert_eq!(caller.hear().await.said("content"), "first");
    assert_eq!(caller.hear().await.said("content"), "second");
}

#[tokio::test]
async fn a_body_may_come_in_chunks() {
    let (chat, mut caller) = service(quick()).await;
    let question = body("Grüße");
    let text = question.to_string();
    let (front, back) = text.as_bytes().split_at(text.len() / 2);
    let head = post(KEY, &question);
    let head = head.split("content-length").next().unwrap();
    for trailer in ["", "x-check: 1\r\n"] {
        caller.send(format!("{head}transfer-encoding: chunked\r\n\r\n")).await;
        for part in [front, back] {
            caller.send(format!("{:X};note=1\r\n", part.len())).await;
            caller.send(part).await;
            caller.send("\r\n").await;
        }
        assert!(caller.ask(format!("0\r\n{trailer}\r\n")).await.is_done());
    }
    assert_eq!(chat.requests(KEY)[1].body(), question);
    assert_eq!(chat.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_counted() {
    let head = post(KEY, &body("Hello")).split("content-length").next().unwrap().to_owned();
    let broken = [
        "GET / HTTP/1.1\r\nno colon here\r\n\r\n".to_owned(),
        format!("{head}content-length: many\r\n\r\n"),
        format!("{head}transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n"),
        format!("{head}transfer-encoding: gzip\r\n\r\n"),
        format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n"),
        format!("{head}transfer-encoding: chunked\r\n\r\n1\r\n{{}}\r\n"),
    ];
    for request in broken {
        let (chat, mut caller) = service(quick()).await;
        assert_eq!(caller.ask(&request).await.status, 400, "{request}");
        assert!(caller.is_closed().await);
        assert_eq!(chat.violations().len(), 1, "{request}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_in_a_head_or_body_is_nobodys_mistake() {
    let (chat, mut caller) = service(quick()).await;
    let whole = post(KEY, &body("Hello"));
    for length in [0, 10, whole.len() - 1] {
        let mut other = Caller::open(chat.address).await;
        other.send(&whole[..length]).await;
    }
    assert!(caller.ask(whole).await.is_done());
    assert_eq!((chat.requests(KEY).len(), chat.violations()), (1, Vec::new()));
}
