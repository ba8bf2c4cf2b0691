//! Does each fault look on the wire as it was described, and can a client come back afterwards?

use crate::{
    KEY,
    http::{Caller, LIMIT, body, post},
    quick, service,
};
use serde_json::json;
use sim::chat::{Answer, Behaviour, Chat, End, ErrorForm, Fault};
use std::time::Duration;

const TEXT: &str = "one two three four five";

async fn faulty(fault: Fault) -> (Chat, Caller) {
    service(Behaviour { fallback: Answer::say(TEXT).fault(fault), ..quick() }).await
}

async fn end(chat: &Chat) -> End {
    chat.request(KEY, 0, LIMIT).await.unwrap().ended(LIMIT).await.unwrap()
}

#[tokio::test]
async fn a_status_comes_with_its_headers_and_body_and_the_connection_stays() {
    let (chat, mut caller) = faulty(Fault::rate_limited("4.5").times(1)).await;
    let heard = caller.ask(post(KEY, &body("Hello"))).await;
    assert_eq!((heard.status, heard.header("retry-after")), (429, Some("4.5")));
    assert_eq!(heard.json()["error"]["code"], "rate_limit_exceeded");
    assert_eq!(end(&chat).await, End::Refused);
    let heard = caller.ask(post(KEY, &body("Hello"))).await;
    assert_eq!((heard.status, heard.said("content").as_str()), (200, TEXT));
    assert_eq!((chat.connections(), chat.violations()), (1, Vec::new()));
}

#[tokio::test]
async fn a_status_may_replace_the_usual_headers() {
    let html = vec![("content-type".to_owned(), "text/html".to_owned())];
    let (_chat, mut caller) = faulty(Fault::Status(403, html, "<h1>Blocked</h1>".to_owned())).await;
    let heard = caller.ask(post(KEY, &body("Hello"))).await;
    assert_eq!((heard.status, heard.body().as_str()), (403, "<h1>Blocked</h1>"));
    let kinds: Vec<_> = heard.headers.iter().filter(|(name, _)| name == "content-type").collect();
    assert_eq!(kinds.len(), 1);
    assert_eq!(kinds[0].1, "text/html");
}

#[tokio::test]
async fn an_error_may_be_the_first_event() {
    let (chat, mut caller) = faulty(Fault::FirstEvent).await;
    let heard = caller.ask(post(KEY, &body("Hello"))).await;
    assert_eq!((heard.status, heard.whole, heard.data().len()), (200, true, 1));
    assert!(heard.data()[0]["error"]["message"].is_string());
    assert_eq!(end(&chat).await, End::Failed);
}

#[tokio::test]
async fn a_stream_breaks_off_in_each_form() {
    for form in [ErrorForm::TopLevel, ErrorForm::EventError, ErrorForm::XGroq, ErrorForm::Eof, ErrorForm::Cut]
    {
        let (chat, mut caller) = faulty(Fault::after(2, form)).await;
        let heard = caller.ask(post(KEY, &body("Hello"))).await;
        let last = heard.events().into_iter().rfind(|(_, data)| data != "[DONE]").unwrap();
        let in_chunk = last.1.contains(r#""error":"#);
        assert_eq!((heard.said("content").as_str(), heard.finish_reason()), ("one two", None), "{form:?}");
        let named = last.0.as_deref() == Some("error");
        let (expected, closes) = match form {
            ErrorForm::TopLevel => ((true, false, false, true), false),
            ErrorForm::EventError => ((true, true, false, true), false),
            ErrorForm::XGroq => ((true, false, true, true), false),
            ErrorForm::Eof => ((false, false, false, true), true),
            ErrorForm::Cut => ((false, false, false, false), true),
        };
        assert_eq!((in_chunk, named, heard.is_done(), heard.whole), expected, "{form:?}");
        if form == ErrorForm::XGroq {
            assert!(heard.data().last().unwrap()["x_groq"]["error"].is_string());
        }
        assert_eq!(end(&chat).await, End::Failed, "{form:?}");
        assert_eq!(chat.requests(KEY)[0].look(|ledger| ledger.tokens), 2);
        match closes {
            true => assert!(caller.is_closed().await, "{form:?}"),
            false => assert_eq!(caller.ask(post(KEY, &body("Again"))).await.status, 200),
        }
    }
}

#[tokio::test]
async fn a_stalled_stream_says_nothing_more_until_the_client_goes() {
    let (chat, mut caller) = faulty(Fault::Stall { after_tokens: 3 }).await;
    caller.send(post(KEY, &body("Hello"))).await;
    caller.head().await;
    caller.chunks_until(" three").await;
    let request = chat.request(KEY, 0, LIMIT).await.unwrap();
    request.until(|ledger| ledger.tokens == 3, LIMIT).await.unwrap();
    // The end of the third event may still be on its way; after that there is silence.
    let quiet = async { while caller.chunk().await.is_some_and(|chunk| !chunk.is_empty()) {} };
    assert!(tokio::time::timeout(Duration::from_millis(150), quiet).await.is_err(), "it went on");
    assert_eq!(request.look(|ledger| ledger.end.clone()), None);
    drop(caller);
    assert_eq!(request.ended(LIMIT).await.unwrap(), End::Cancelled { after_tokens: 3 });
}

#[tokio::test]
async fn a_stream_may_end_without_its_mark() {
    let (chat, mut caller) = faulty(Fault::NoDone).await;
    let heard = caller.ask(post(KEY, &body("Hello"))).await;
    assert_eq!((heard.said("content").as_str(), heard.finish_reason().as_deref()), (TEXT, Some("stop")));
    assert_eq!((heard.is_done(), heard.whole, end(&chat).await), (false, true, End::Finished));
    assert!(caller.is_closed().await);
}

#[tokio::test]
async fn an_answer_may_be_empty() {
    let (chat, mut caller) = faulty(Fault::Empty).await;
    let heard = caller.ask(post(KEY, &body("Hello"))).await;
    assert_eq!((heard.said("content").as_str(), heard.finish_reason().as_deref()), ("", Some("stop")));
    assert_eq!((heard.is_done(), end(&chat).await), (true, End::Finished));
    assert_eq!(chat.requests(KEY)[0].look(|ledger| ledger.tokens), 0);
}

#[tokio::test]
async fn a_fault_that_passes_keeps_its_reply_first() {
    let failing = Answer::say("first").fault(Fault::overloaded().times(2));
    let (_chat, mut caller) = service(quick().reply(failing).reply(Answer::say("second"))).await;
    let mut heard = Vec::new();
    for _ in 0..4 {
        let answer = caller.ask(post(KEY, &body("Hello"))).await;
        heard.push(if answer.status == 200 { json!(answer.said("content")) } else { json!(answer.status) });
    }
    assert_eq!(heard, [json!(503), json!(503), json!("first"), json!("second")]);
}
