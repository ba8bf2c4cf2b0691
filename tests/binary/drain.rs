//! The relay is told to stop while people are talking.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply},
    phone::{Phone, PhoneEnd},
    voice::speech,
};

use crate::process::{Binary, LIMIT};

fn echo() -> Value {
    json!({ "agent": {}, "legs": [{ "kind": "echo", "pause_ms": 300 }] })
}

/// Talks for some five seconds, hears everything back, and hangs up.
async fn talk(phone: Phone, voice: Vec<u8>) -> (PhoneEnd, Duration, Vec<String>) {
    for _ in 0..2 {
        phone.say(voice.clone());
        phone.said(LIMIT).await.unwrap();
        phone.agent_finished(Duration::from_millis(200), LIMIT).await.unwrap();
    }
    phone.hang_up();
    let end = phone.ended(LIMIT).await.unwrap();
    (end, phone.look(|phone| phone.played), phone.look(|phone| phone.violations.clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_cut_and_every_new_one_is_sent_elsewhere() {
    for signal in ["TERM", "INT"] {
        let relay = Binary::start(&[("FLY_MACHINE_ID", "m1"), ("FLY_REGION", "iad")]);
        let voice = speech(Duration::from_millis(1_000), 5);
        let phones =
            futures_util::future::join_all((0..20).map(|_| async { relay.call(&echo()).await })).await;
        for phone in &phones {
            phone.until(|phone| phone.frames_sent > 5, LIMIT).await.unwrap();
        }
        let talks: Vec<_> =
            phones.into_iter().map(|phone| tokio::spawn(talk(phone, voice.clone()))).collect();
        relay.signal(signal);
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        let mut refused = 0;
        for _ in 0..20 {
            ticks.tick().await;
            // The signal may be a moment on its way.
            match Phone::dial(relay.phone(&echo())).await {
                Ok(phone) if refused == 0 => phone.hang_up(),
                Ok(_) => panic!("a draining relay took a call"),
                Err(error) => {
                    assert_eq!(error.status(), Some(503), "{error:?}");
                    assert_eq!(error.header("fly-replay"), Some("elsewhere=true"), "{error:?}");
                    assert!(error.header("retry-after").is_some(), "{error:?}");
                    refused += 1;
                }
            }
        }
        assert!(refused >= 15, "only {refused} of 20 were sent elsewhere");
        assert_eq!(relay.get("/ready").await.0, 503);
        let (status, health) = relay.get("/health").await;
        assert_eq!((status, health.contains("\"draining\"")), (200, true), "{health}");
        for talk in talks {
            let (end, heard, violations) = talk.await.unwrap();
            assert_eq!(end, PhoneEnd::HungUp { answered: true });
            assert!(heard > Duration::from_millis(1_800), "only {heard:?} came back");
            assert_eq!(violations, Vec::<String>::new());
        }
        let (status, printed) = relay.end();
        assert_eq!(status.code(), Some(0), "{printed}");
        assert!(
            printed.contains("every call ended by itself") && !printed.contains("\"drained\""),
            "{printed}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_outlast_the_grace_end_as_drained() {
    let relay = Binary::start(&[("DRAIN_SECONDS", "1")]);
    let phones = futures_util::future::join_all((0..5).map(|_| async { relay.call(&echo()).await })).await;
    for phone in &phones {
        phone.until(|phone| phone.frames_sent > 5, LIMIT).await.unwrap();
    }
    relay.signal("TERM");
    for phone in &phones {
        let end = phone.ended(LIMIT).await.unwrap();
        assert_eq!(end, PhoneEnd::Closed { code: Some(1001), reason: "drained".into() });
    }
    let (status, printed) = relay.end();
    assert_eq!(status.code(), Some(0), "{printed}");
    assert_eq!(printed.matches("\"reason\":\"drained\"").count(), 5, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_long_grace() {
    let relay = Binary::start(&[("DRAIN_SECONDS", "290")]);
    let phone = relay.call(&echo()).await;
    phone.until(|phone| phone.frames_sent > 5, LIMIT).await.unwrap();
    relay.signal("TERM");
    while relay.get("/ready").await.0 != 503 {}
    relay.signal("TERM");
    assert_eq!(
        phone.ended(LIMIT).await.unwrap(),
        PhoneEnd::Closed { code: Some(1001), reason: "drained".into() }
    );
    assert_eq!(relay.end().0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentence_that_is_being_said_is_said_to_its_end() {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let length = Duration::from_millis(2_500);
    let greeting = Reply::say_for("Hello, this is the bakery on Mill Street.", length);
    provider.behave("sk-long", Behaviour::default().replies([greeting]));
    let base_url = provider.base_url();
    let relay = Binary::start(&[("DRAIN_SECONDS", "1"), ("OPENAI_BASE_URL", &base_url)]);
    let phone = relay
        .call(&json!({
            "agent": { "prompt": "x", "greeting": "Hello, this is the bakery on Mill Street." },
            "legs": [{ "kind": "openai", "model": "gpt-realtime-2.1-mini" }],
            "keys": { "openai": "sk-long" },
        }))
        .await;
    phone.until(|phone| phone.playing, LIMIT).await.unwrap();
    relay.signal("TERM");
    let end = phone.ended(LIMIT).await.unwrap();
    assert_eq!(end, PhoneEnd::Closed { code: Some(1001), reason: "drained".into() });
    let heard = phone.look(|phone| phone.played);
    assert!(heard >= length - Duration::from_millis(20), "{heard:?} of {length:?}, though the grace was 1 s");
    assert_eq!(relay.end().0.code(), Some(0));
    assert_eq!(provider.violations(), Vec::<String>::new());
}
