//! Everything that can be wrong with a provider: the call ends with the right reason, or gets over it.

use std::time::Duration;

use call::{EndReason, FailureKind, Note};
use futures_util::future::join_all;
use patchcord::bridge;
use serde_json::Value;
use sim::{
    openai::{Behaviour, ConnectError, Ending, Faults, OpenAi, OpenAiOptions, Reply, What, When},
    phone::{Phone, PhoneEnd},
    voice::speech,
};

use crate::house::{House, LIMIT, openai};

/// The issue's word: a provider that refuses, stalls or talks nonsense ends the call within 5 s; and a sentence
/// that is still playing is finished, within three.
const SOON: Duration = Duration::from_secs(5);

/// A relay and its provider, which behaves like this with the key `sk-fault`.
async fn house(behaviour: Behaviour) -> (House, OpenAi) {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    provider.behave("sk-fault", behaviour);
    let house = House::with(&[("OPENAI_BASE_URL", &provider.base_url())]).await;
    (house, provider)
}

fn agent() -> Value {
    openai("sk-fault")
}

fn greeting_agent() -> Value {
    let mut claims = agent();
    claims["agent"]["greeting"] = "Hello, this is the bakery.".into();
    claims
}

fn refuse(status: u16, code: &str) -> Faults {
    let body =
        format!(r#"{{"error":{{"type":"server_says","code":"{code}","message":"as the test wants"}}}}"#);
    Faults { refuse_upgrade: Some((status, Vec::new(), body)), ..Faults::default() }
}

fn closes(code: u16, reason: &str) -> Faults {
    Faults::default().at(When::Updated, What::Close(code, reason.to_owned()))
}

fn connect_error(code: &'static str, close: u16) -> Faults {
    Faults { error_at_connect: Some(ConnectError::of(code, "as the test wants", close)), ..Faults::default() }
}

/// Before the leg is ready, or just afterwards: the caller has heard nothing yet.
fn early_faults() -> Vec<(&'static str, Faults, FailureKind)> {
    let none = Faults::default;
    let at = |when, what| Faults::default().at(when, what);
    vec![
        ("401", refuse(401, "invalid_api_key"), FailureKind::BadKey),
        ("403", refuse(403, "forbidden"), FailureKind::BadKey),
        ("404", refuse(404, "model_not_found"), FailureKind::Refused),
        ("429", refuse(429, "rate_limit_exceeded"), FailureKind::RateLimited),
        ("429 without quota", refuse(429, "insufficient_quota"), FailureKind::Quota),
        ("500", refuse(500, "server_error"), FailureKind::Provider),
        ("503", refuse(503, "overloaded"), FailureKind::Provider),
        (
            "bad key",
            Faults { error_at_connect: Some(ConnectError::invalid_api_key("sk-***")), ..none() },
            FailureKind::BadKey,
        ),
        ("quota", connect_error("insufficient_quota", 4000), FailureKind::Quota),
        ("model", connect_error("invalid_model", 4000), FailureKind::Refused),
        ("slow upgrade", Faults { upgrade_after: Duration::from_secs(30), ..none() }, FailureKind::NotReady),
        ("no session.created", Faults { no_session_created: true, ..none() }, FailureKind::NotReady),
        ("no session.updated", Faults { no_session_updated: true, ..none() }, FailureKind::NotReady),
        ("wrong formats", Faults { wrong_formats: true, ..none() }, FailureKind::Nonsense),
        ("update refused", Faults { refuse_update: Some("invalid_value"), ..none() }, FailureKind::Refused),
        ("rubbish", at(When::Connected, What::SendText("{".to_owned())), FailureKind::Nonsense),
        ("cut at once", at(When::Connected, What::Cut), FailureKind::Closed),
        ("cut when set up", at(When::Updated, What::Cut), FailureKind::Closed),
        ("stall at once", at(When::Connected, What::Stall), FailureKind::NotReady),
        ("close 1000", closes(1000, ""), FailureKind::Closed),
        ("close 1011", closes(1011, "internal"), FailureKind::Closed),
        ("close 3000", closes(3000, "invalid_request_error.invalid_api_key"), FailureKind::BadKey),
        ("close 4000", closes(4000, "invalid_request_error.insufficient_quota"), FailureKind::Quota),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_or_is_never_ready_ends_the_call_by_its_name_and_soon() {
    let calls = early_faults().into_iter().map(|(name, faults, kind)| async move {
        let (house, provider) = house(Behaviour::default().faults(faults)).await;
        fails(name, &house, kind, false).await;
        assert_eq!(provider.violations(), Vec::<String>::new(), "{name}");
    });
    join_all(calls).await;
}

/// In the middle of the agent's answer.
fn late_faults() -> Vec<(&'static str, Faults, FailureKind)> {
    let spoken = When::AudioSent(Duration::from_millis(600));
    let at = |what| Faults::default().at(When::AudioSent(Duration::from_millis(600)), what);
    vec![
        ("cut", at(What::Cut), FailureKind::Closed),
        ("close 1001", at(What::sixty_minutes()), FailureKind::Closed),
        ("close 1011", at(What::Close(1011, "internal error".to_owned())), FailureKind::Closed),
        ("stall", at(What::Stall), FailureKind::Stalled),
        (
            "stall before the answer",
            Faults::default().at(When::ResponseCreated(1), What::Stall),
            FailureKind::Stalled,
        ),
        (
            "quota",
            Faults::default().at(spoken, What::Error("insufficient_quota", "insufficient_quota", "pay")),
            FailureKind::Quota,
        ),
        ("out of quota", Faults::out_of_quota(), FailureKind::Quota),
        ("always overloaded", Faults::overloaded(10), FailureKind::RateLimited),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_dies_while_it_speaks_ends_the_call_by_its_name_and_soon() {
    let calls = late_faults().into_iter().map(|(name, faults, kind)| async move {
        let reply = Reply::say_for("We open at eight on weekdays, and at nine.", Duration::from_secs(4));
        let (house, provider) = house(Behaviour::default().replies([reply]).faults(faults)).await;
        fails(name, &house, kind, true).await;
        assert_eq!(provider.violations(), Vec::<String>::new(), "{name}");
    });
    join_all(calls).await;
}

/// A call that ends with `kind`, for the caller and in the books.
async fn fails(name: &str, house: &House, kind: FailureKind, greets: bool) {
    let mut news = house.listen();
    let phone = house.call(if greets { greeting_agent() } else { agent() }).await;
    let summary = news.ended().await;
    let EndReason::LegFailed(failure) = &summary.reason else { panic!("{name}: {:?}", summary.reason) };
    assert_eq!((failure.provider, failure.kind), ("openai", kind), "{name}: {failure}");
    // What is being said is finished, which may take three seconds.
    let most = if greets { SOON * 2 } else { SOON + Duration::from_millis(500) };
    assert!(summary.lasted <= most, "{name}: {:?}", summary.lasted);
    let end = phone.ended(LIMIT).await.unwrap();
    assert_eq!(end, PhoneEnd::Closed { code: Some(1011), reason: "leg failed".to_owned() }, "{name}");
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new(), "{name}");
    let counted = format!(r#"patchcord_leg_errors_total{{provider="openai",kind="{}"}}"#, kind.name());
    assert_eq!(house.number(&counted), 1, "{name}");
    assert_eq!(house.number(r#"patchcord_calls_ended_total{reason="leg_failed",leg="openai"}"#), 1, "{name}");
    assert_eq!(house.number("patchcord_calls_active"), 0, "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_cannot_be_reached_ends_the_call_by_its_name() {
    // A port that nobody listens on: it was ours a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let house = House::with(&[("OPENAI_BASE_URL", &format!("http://{free}/v1"))]).await;
    fails("unreachable", &house, FailureKind::Unreachable, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_says_that_makes_no_sense_is_counted_and_the_call_goes_on() {
    let text = |text: &str| What::SendText(text.to_owned());
    let faults = Faults::default()
        .at(When::Updated, text("no JSON"))
        .at(When::Updated, text(r#"{"type":"response.output_audio.delta","delta":7}"#))
        .at(When::ResponseCreated(1), text("[]"))
        .at(When::ResponseCreated(1), What::SendBinary(vec![0; 100]));
    let (house, provider) = house(Behaviour::default().faults(faults)).await;
    let phone = house.call(greeting_agent()).await;
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    assert!(house.number(r#"patchcord_oddities_total{kind="malformed"}"#) >= 3);
    hang_up(&phone).await;
    assert_eq!(provider.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_fails_for_the_moment_is_asked_for_again() {
    let answer = Reply::say("We open at eight.");
    let behaviour = Behaviour::default().replies([answer.clone(), answer]).faults(Faults::overloaded(1));
    let (house, provider) = house(behaviour).await;
    let mut news = house.listen();
    let phone = house.call(agent()).await;
    phone.say(speech(Duration::from_millis(900), 20));
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    let retried = |what: &bridge::What| match what {
        bridge::What::Note(note) => match **note {
            Note::Retry(kind) => Some(kind),
            _ => None,
        },
        bridge::What::Started | bridge::What::Ended(_) => None,
    };
    assert_eq!(news.when(retried).await, FailureKind::RateLimited);
    hang_up(&phone).await;
    assert_eq!(news.ended().await.reason, EndReason::CallerHungUp);
    assert_eq!(provider.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_cut_short_by_the_provider_does_not_end_the_call() {
    let short = Reply::say("We open at").ending(Ending::Incomplete("max_output_tokens"));
    let (house, provider) = house(Behaviour::default().replies([short, Reply::say("At eight.")])).await;
    let phone = house.call(agent()).await;
    for seed in [21, 22] {
        phone.say(speech(Duration::from_millis(900), seed));
        phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    }
    hang_up(&phone).await;
    assert_eq!(provider.violations(), Vec::<String>::new());
}

async fn hang_up(phone: &Phone) {
    phone.hang_up();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_fails_twice_is_heard_the_third_time() {
    let behaviour = Behaviour::default().replies([Reply::say("We open at eight.")]);
    let (house, provider) = house(behaviour.faults(Faults::overloaded(2))).await;
    let phone = house.call(agent()).await;
    phone.say(speech(Duration::from_millis(900), 4));
    phone.agent_finished(Duration::from_millis(200), LIMIT).await.unwrap();
    hang_up(&phone).await;
    assert_eq!(provider.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_one_call_harms_no_other() {
    let cut = Faults::default().at(When::AudioSent(Duration::from_millis(200)), What::Cut);
    let (house, provider) = house(Behaviour::default().faults(cut)).await;
    let good = house.call(openai("sk-good")).await;
    let bad: Vec<Phone> = join_all((0..10).map(|_| house.call(greeting_agent()))).await;
    for phone in &bad {
        assert!(matches!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::Closed { code: Some(1011), .. }));
    }
    good.say(speech(Duration::from_millis(900), 6));
    good.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    hang_up(&good).await;
    assert_eq!(provider.violations(), Vec::<String>::new());
}
