//! A provider that refuses, stalls, breaks or talks nonsense: the call ends cleanly and soon, never in silence.

use std::time::{Duration, Instant};

use call::{EndReason, FailureKind, Summary};
use patchcord::bridge::{News, What};
use serde_json::{Value, json};
use sim::{
    openai::{Behaviour, ConnectError, Faults, OpenAi, OpenAiOptions, Reply, What as Trouble, When},
    phone::{Phone, PhoneEnd},
    voice::speech,
};
use tokio::sync::broadcast::Receiver;

use crate::house::{House, LIMIT};

fn agent(key: &str, greeting: Option<&str>) -> Value {
    json!({
        "agent": { "prompt": "You answer the phone for a bakery.", "greeting": greeting },
        "legs": [{ "kind": "openai", "model": "gpt-realtime-2.1-mini" }],
        "keys": { "openai": key },
    })
}

async fn summary(mut news: Receiver<News>) -> Summary {
    let found = async {
        loop {
            if let What::Ended(summary) = news.recv().await.unwrap().what {
                return (*summary).clone();
            }
        }
    };
    tokio::time::timeout(LIMIT, found).await.expect("the call did not end")
}

fn faults(faults: Faults) -> Behaviour {
    Behaviour { faults, ..Behaviour::default() }
}

fn trouble(when: When, what: Trouble) -> Behaviour {
    faults(Faults { troubles: vec![(when, what)], ..Faults::default() })
}

/// One faulty provider, a caller who is greeted by it if it can, and what became of the call.
async fn call_with(behaviour: Behaviour) -> (Summary, PhoneEnd, Duration, Vec<String>) {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    provider.behave("sk-canary-key", behaviour);
    let house = House::with(&[("OPENAI_BASE_URL", &provider.base_url())]).await;
    let news = house.relay.exchange.watch();
    let start = Instant::now();
    let phone =
        house.call(agent("sk-canary-key", Some("Hello, this is the bakery, what can I do for you?"))).await;
    let summary = summary(news).await;
    let took = start.elapsed();
    (summary, phone.ended(LIMIT).await.unwrap(), took, provider.violations())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_provider_ends_the_call_with_its_own_reason() {
    use FailureKind::*;
    let json_error =
        |code: &str| format!(r#"{{"error":{{"type":"x","code":"{code}","message":"told sk-canary-key"}}}}"#);
    let refuse = |status, code| {
        faults(Faults { refuse_upgrade: Some((status, Vec::new(), json_error(code))), ..Faults::default() })
    };
    let connect = |error| faults(Faults { error_at_connect: Some(error), ..Faults::default() });
    let sentence = Duration::from_millis(400);
    let cases = [
        ("401 at the upgrade", refuse(401, "invalid_api_key"), BadKey),
        ("429 at the upgrade", refuse(429, "insufficient_quota"), Quota),
        ("503 at the upgrade", refuse(503, "server_error"), Provider),
        ("a bad key after the upgrade", connect(ConnectError::invalid_api_key("sk-ca***key")), BadKey),
        ("an unknown model", connect(ConnectError::of("invalid_model", "no such model", 4000)), Refused),
        ("no credit", faults(Faults::out_of_quota()), Quota),
        ("never session.created", faults(Faults { no_session_created: true, ..Faults::default() }), NotReady),
        ("never session.updated", faults(Faults { no_session_updated: true, ..Faults::default() }), NotReady),
        (
            "an upgrade that takes for ever",
            faults(Faults { upgrade_after: LIMIT, ..Faults::default() }),
            NotReady,
        ),
        ("another format", faults(Faults { wrong_formats: true, ..Faults::default() }), Nonsense),
        (
            "a refused setting",
            faults(Faults { refuse_update: Some("unknown_parameter"), ..Faults::default() }),
            Refused,
        ),
        ("a cut at once", trouble(When::Connected, Trouble::Cut), Closed),
        ("a cut in mid-sentence", trouble(When::AudioSent(sentence), Trouble::Cut), Closed),
        (
            "a close in mid-sentence",
            trouble(When::AudioSent(sentence), Trouble::Close(1011, "oops".into())),
            Closed,
        ),
        (
            "the hour is over",
            faults(Faults {
                troubles: vec![(When::AudioSent(sentence), Trouble::Close(1001, "60 minutes".into()))],
                ..Faults::default()
            }),
            Closed,
        ),
        ("rubbish before it is ready", trouble(When::Connected, Trouble::SendText("{".into())), Nonsense),
        ("silence in mid-sentence", trouble(When::AudioSent(sentence), Trouble::Stall), Stalled),
        ("silence instead of an answer", trouble(When::ResponseCreated(1), Trouble::Stall), Stalled),
        ("answers that fail for ever", faults(Faults::overloaded(99)), RateLimited),
    ];
    let calls = cases.map(|(name, behaviour, kind)| async move { (name, kind, call_with(behaviour).await) });
    for (name, kind, (summary, end, took, violations)) in futures_util::future::join_all(calls).await {
        let EndReason::LegFailed(failure) = &summary.reason else { panic!("{name}: {:?}", summary.reason) };
        assert_eq!(failure.kind, kind, "{name}: {failure}");
        assert!(!failure.to_string().contains("sk-canary-key"), "{name}: {failure}");
        assert_eq!(end, PhoneEnd::Closed { code: Some(1011), reason: "leg failed".into() }, "{name}");
        // Five seconds after the provider was seen to fail, and up to three for the sentence on the tape.
        assert!(took < Duration::from_secs(12), "{name}: {took:?}");
        assert_eq!(violations, Vec::<String>::new(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_fails_twice_is_heard_the_third_time() {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let behaviour = faults(Faults::overloaded(2)).replies([Reply::say("We open at eight.")]);
    provider.behave("sk-1", behaviour);
    let house = House::with(&[("OPENAI_BASE_URL", &provider.base_url())]).await;
    let phone = house.call(agent("sk-1", None)).await;
    phone.say(speech(Duration::from_millis(900), 4));
    phone.agent_finished(Duration::from_millis(200), LIMIT).await.unwrap();
    phone.hang_up();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    assert_eq!(provider.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_other_end_is_not_silence() {
    let house = House::with(&[("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")]).await;
    let news = house.relay.exchange.watch();
    let phone = house.call(agent("sk-1", None)).await;
    let summary = summary(news).await;
    assert!(
        matches!(&summary.reason, EndReason::LegFailed(f) if f.kind == FailureKind::Unreachable),
        "{summary:?}"
    );
    assert_eq!(
        phone.ended(LIMIT).await.unwrap(),
        PhoneEnd::Closed { code: Some(1011), reason: "leg failed".into() }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_one_call_harms_no_other() {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    provider.behave("sk-bad", trouble(When::AudioSent(Duration::from_millis(200)), Trouble::Cut));
    let house = House::with(&[("OPENAI_BASE_URL", &provider.base_url())]).await;
    let good = house.call(agent("sk-good", Some("Hello, this is the bakery."))).await;
    let bad: Vec<Phone> =
        futures_util::future::join_all((0..10).map(|_| house.call(agent("sk-bad", Some("Hello."))))).await;
    for phone in &bad {
        assert!(matches!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::Closed { code: Some(1011), .. }));
    }
    good.say(speech(Duration::from_millis(900), 6));
    good.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    assert!(good.look(|phone| phone.end.is_none() && phone.violations.is_empty()));
}
