//! When marks come back, and what a clear does to them: the same word for it at no two carriers.

use crate::{
    common::LIMIT,
    relay::{Call, at_once},
};
use serde_json::{Value, json};
use sim::phone::{Carrier, PhoneEvent, PhoneOptions};
use std::time::Duration;
use tokio::time::Instant;

/// How the carrier says that this mark was reached; the number is the message's.
fn returned(call: &Call, name: &str, number: &Value) -> Value {
    let id = &call.ids.stream_sid;
    match call.carrier {
        Carrier::Twilio | Carrier::SignalWire => {
            json!({"event": "mark", "sequenceNumber": number, "streamSid": id, "mark": {"name": name}})
        }
        Carrier::Telnyx { .. } => {
            json!({"event": "mark", "sequence_number": number, "stream_id": id, "mark": {"name": name}})
        }
        Carrier::Plivo => {
            json!({"event": "playedStream", "sequenceNumber": number, "streamId": id, "name": name})
        }
        Carrier::Exotel { .. } => {
            json!({"event": "mark", "sequence_number": number, "stream_sid": id, "mark": {"name": name}})
        }
        Carrier::Vonage { .. } => json!({"event": "websocket:notify", "payload": {"name": name}}),
    }
}

fn number(event: &Value) -> Value {
    event.get("sequenceNumber").or(event.get("sequence_number")).cloned().unwrap_or_default()
}

fn cleared(carrier: Carrier) -> Option<&'static str> {
    match carrier {
        Carrier::Plivo => Some("clearedAudio"),
        Carrier::Vonage { .. } => Some("websocket:cleared"),
        _ => None,
    }
}

/// Silence on the wire.
fn wire(carrier: Carrier, ms: usize) -> Vec<u8> {
    vec![0; carrier.plays().frame_bytes() * ms / 20]
}

/// Past what comes before the audio.
async fn started(call: &mut Call) {
    let start = if matches!(call.carrier, Carrier::Vonage { .. }) { "websocket:connected" } else { "start" };
    call.event_named(start).await;
}

#[tokio::test]
async fn a_mark_comes_back_when_it_is_reached_and_at_once_with_nothing_queued() {
    at_once(Carrier::all(), |carrier| async move {
        let mut call = Call::over(&carrier.to_string()).await;
        started(&mut call).await;
        call.mark("at once").await;
        let event = call.event().await.unwrap();
        assert_eq!(event, returned(&call, "at once", &number(&event)), "{carrier}");
        let sent = Instant::now();
        call.speak(&wire(carrier, 600)).await;
        call.mark("r1:600").await;
        let event = call.event().await.unwrap();
        assert_eq!(event, returned(&call, "r1:600", &number(&event)), "{carrier}");
        assert!(sent.elapsed() >= Duration::from_millis(600), "{carrier}: {:?}", sent.elapsed());
        assert_eq!(call.phone.look(|phone| phone.played), Duration::from_millis(600), "{carrier}");
        assert_eq!(call.violations(), Vec::<String>::new(), "{carrier}");
    })
    .await;
}

/// Three marks behind six seconds, and then a clear; what came back of it, and how many marks the phone says it was.
async fn clear_with_three_pending(call: &mut Call) -> (Vec<Value>, usize) {
    started(call).await;
    call.speak(&wire(call.carrier, 6000)).await;
    for name in ["a", "b", "c"] {
        call.mark(name).await;
    }
    call.phone.until(|phone| phone.marks_received == 3 && !phone.played.is_zero(), LIMIT).await.unwrap();
    call.clear().await;
    // What comes after this one cannot come before it.
    call.phone.until(|phone| phone.clears.len() == 1, LIMIT).await.unwrap();
    call.mark("after").await;
    let mut events = Vec::new();
    loop {
        let event = call.event().await.unwrap();
        if event == returned(call, "after", &number(&event)) {
            break;
        }
        events.push(event);
    }
    let cut = call.phone.look(|phone| phone.clears[0].clone());
    assert_eq!(cut.played + cut.thrown_away, Duration::from_millis(6000));
    assert_eq!(call.violations(), Vec::<String>::new());
    (events, cut.marks_returned)
}

#[tokio::test]
async fn a_clear_gives_the_marks_back_or_forgets_them_as_the_carrier_does() {
    for carrier in Carrier::all() {
        let mut call = Call::over(&carrier.to_string()).await;
        let (events, marks) = clear_with_three_pending(&mut call).await;
        match cleared(carrier) {
            Some(name) => {
                let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
                assert_eq!((names, marks), (vec![name], 0), "{carrier}");
                let never = |(_, event): &(_, PhoneEvent)| matches!(event, PhoneEvent::MarkReturned { name } if name != "after");
                assert!(!call.phone.look(|phone| phone.events.iter().any(never)), "{carrier}");
            }
            None => {
                let expected: Vec<_> = ["a", "b", "c"]
                    .iter()
                    .zip(&events)
                    .map(|(name, event)| returned(&call, name, &number(event)))
                    .collect();
                assert_eq!((events, marks), (expected, 3), "{carrier}");
            }
        }
    }
}

#[tokio::test]
async fn plivo_may_give_its_checkpoints_back_as_nobody_knows() {
    let back = |options| PhoneOptions { clear_returns_marks: Some(true), ..options };
    let mut call = Call::with("plivo", back).await;
    let (events, marks) = clear_with_three_pending(&mut call).await;
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((names, marks), (vec!["playedStream", "playedStream", "playedStream", "clearedAudio"], 3));
    let id = &call.ids.stream_sid;
    let last = events.last().unwrap();
    assert_eq!(last, &json!({"event": "clearedAudio", "sequenceNumber": number(last), "streamId": id}));
}

#[tokio::test]
async fn vonage_gives_a_payload_back_whatever_is_in_it() {
    let mut call = Call::over("vonage").await;
    for payload in [
        json!({"reply": 3, "at": {"ms": 640}}),
        json!({"name": 7}),
        json!({"name": "x", "more": true}),
        json!({}),
    ] {
        call.text(json!({"action": "notify", "payload": payload})).await;
        let event = call.event_named("websocket:notify").await;
        assert_eq!(event, json!({"event": "websocket:notify", "payload": payload}));
    }
}
