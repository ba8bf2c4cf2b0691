//! Do the pretend phone and the pretend service hold a call through the smallest relay there is?

mod common;

use common::{LIMIT, relay};
use sim::{
    openai::{Behaviour, Faults, LegEnd, OpenAi, OpenAiOptions, Reply, StartedBy},
    phone::{Phone, PhoneEnd, PhoneOptions},
    probe::Probe,
    ulaw, voice,
};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// A relay for one call; its address.
async fn relay_to(service: &OpenAi, key: &str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("ws://{}/stream/twilio?token=stripped", listener.local_addr().unwrap());
    tokio::spawn(relay(listener, service.address, key.to_owned()));
    url
}

async fn service(behaviour: Behaviour) -> OpenAi {
    OpenAi::start(OpenAiOptions { behaviour, ..OpenAiOptions::default() }).await.unwrap()
}

#[tokio::test]
async fn a_caller_speaks_and_hears_the_whole_reply() {
    let reply = "We open at eight in the morning.";
    let service = service(Behaviour::default().replies([Reply::say(reply)])).await;
    let phone = Phone::dial(PhoneOptions::new(relay_to(&service, "sk-one").await)).await.unwrap();
    let leg = service.connection("sk-one", LIMIT).await.unwrap();
    leg.until(|ledger| ledger.configured_at.is_some(), LIMIT).await.unwrap();
    phone.say(voice::speech(Duration::from_millis(900), 9));
    phone.agent_finished(Duration::from_millis(100), LIMIT).await.unwrap();

    let item = leg.look(|ledger| ledger.items.iter().find(|item| item.role == "assistant").cloned()).unwrap();
    assert_eq!((item.text.as_str(), item.sent), (reply, voice::spoken_length(reply)));
    let recording = phone.recording();
    assert!(ulaw::find(&recording.agent, &item.audio).is_some(), "the reply was played without a hole");
    let by = leg.look(|ledger| ledger.responses[0].by);
    assert_eq!(by, StartedBy::TurnEnd);
    phone.hang_up();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    leg.ended(LIMIT).await.unwrap();
    assert_eq!(service.violations(), Vec::<String>::new());
    assert_eq!(phone.look(|state| state.violations.clone()), Vec::<String>::new());
}

#[tokio::test]
async fn a_caller_who_interrupts_is_heard_and_the_cut_is_exact() {
    let faults = Faults {
        late_audio: Duration::from_millis(400),
        very_late_audio: Duration::from_millis(300),
        ..Faults::default()
    };
    let long = Reply::say_for("A long story.", Duration::from_secs(8));
    let service = service(Behaviour::default().replies([long]).faults(faults)).await;
    let phone = Phone::dial(PhoneOptions::new(relay_to(&service, "sk-two").await)).await.unwrap();
    let leg = service.connection("sk-two", LIMIT).await.unwrap();
    leg.until(|ledger| ledger.configured_at.is_some(), LIMIT).await.unwrap();
    phone.say(voice::speech(Duration::from_millis(700), 4));
    phone.until(|state| state.played >= Duration::from_millis(900), LIMIT).await.unwrap();
    phone.say(voice::speech(Duration::from_millis(700), 5));
    let cleared = phone.when(|state| state.clears.first().cloned(), LIMIT).await.unwrap();
    let cut = leg.when(|ledger| ledger.truncations.first().cloned(), LIMIT).await.unwrap();

    assert!(cut.accepted);
    let difference = cleared.played.as_millis().abs_diff(u128::from(cut.audio_end_ms));
    assert!(difference <= 40, "heard {:?}, the model was told {} ms", cleared.played, cut.audio_end_ms);
    assert!(cleared.marks_returned > 0 && cleared.thrown_away > Duration::from_secs(1));
    let item = leg.look(|ledger| ledger.item(&cut.item_id).cloned()).unwrap();
    assert!(
        item.audio.starts_with(&[&item.audio[..ulaw::bytes_of(cleared.played)], &cleared.unheard].concat())
    );
    let response = leg.look(|ledger| ledger.responses[0].clone());
    assert_eq!((response.status, response.reason), (Some("cancelled"), Some("turn_detected")));
    assert_eq!(service.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_phone_that_vanishes_leaves_a_closed_leg() {
    let service = service(Behaviour::default()).await;
    let phone = Phone::dial(PhoneOptions::new(relay_to(&service, "sk-three").await)).await.unwrap();
    let leg = service.connection("sk-three", LIMIT).await.unwrap();
    leg.until(|ledger| ledger.appends > 3, LIMIT).await.unwrap();
    phone.vanish();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::Vanished);
    assert!(matches!(leg.ended(LIMIT).await.unwrap(), LegEnd::ClosedByClient { .. } | LegEnd::Broken(_)));
}

#[tokio::test]
async fn an_echoed_frame_is_timed_on_both_halves_of_its_way() {
    let probe = Arc::new(Probe::new(1));
    let options = OpenAiOptions {
        behaviour: Behaviour::echo(),
        probe: Some(probe.clone()),
        ..OpenAiOptions::default()
    };
    let service = OpenAi::start(options).await.unwrap();
    let mut call = PhoneOptions::new(relay_to(&service, "sk-echo").await);
    call.probe = Some((probe.clone(), 0));
    let phone = Phone::dial(call).await.unwrap();
    phone.until(|state| state.media_messages >= 25, LIMIT).await.unwrap();
    assert!(probe.round_trip.count() >= 20, "{}", probe.round_trip.count());
    assert!(probe.inbound.count() >= 20 && probe.outbound.count() >= 20);
    assert!(probe.inbound.percentile(0.5) <= probe.round_trip.percentile(0.5));
    assert_eq!(service.violations(), Vec::<String>::new());
}
