//! Does the pretend phone behave as Twilio does, towards a relay that is scripted by hand?

mod common;

use common::{LIMIT, encode};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sim::phone::{DialError, Opening, Phone, PhoneEnd, PhoneEvent, PhoneOptions};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

type Relay = WebSocketStream<TcpStream>;

async fn call(change: impl FnOnce(PhoneOptions) -> PhoneOptions) -> (Phone, Relay) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let options = change(PhoneOptions::new(format!("ws://{}/x", listener.local_addr().unwrap())));
    let accept = async { accept_async(listener.accept().await.unwrap().0).await.unwrap() };
    let (phone, relay) = tokio::join!(Phone::dial(options), accept);
    (phone.unwrap(), relay)
}

async fn next(relay: &mut Relay) -> Option<Value> {
    let message = tokio::time::timeout(LIMIT, relay.next()).await.unwrap()?;
    match message {
        Ok(Message::Text(text)) => Some(serde_json::from_str(&text).unwrap()),
        Ok(_) | Err(_) => None,
    }
}

/// The next message of this kind.
async fn next_of(relay: &mut Relay, event: &str) -> Value {
    loop {
        let found = next(relay).await.expect("the phone has ended");
        if found["event"] == event {
            return found;
        }
    }
}

async fn send(relay: &mut Relay, event: Value) {
    relay.send(Message::text(event.to_string())).await.unwrap();
}

fn media(phone: &Phone, ms: usize) -> Value {
    let sid = phone.look(|state| state.ids.stream_sid.clone());
    json!({"event": "media", "streamSid": sid, "media": {"payload": encode(&vec![0x55; ms * 8])}})
}

fn other(phone: &Phone, event: &str, body: Option<Value>) -> Value {
    let sid = phone.look(|state| state.ids.stream_sid.clone());
    let mut message = json!({"event": event, "streamSid": sid});
    if let Some(body) = body {
        message[event] = body;
    }
    message
}

#[tokio::test]
async fn the_upgrade_is_twilios_and_loses_its_query_string() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("ws://{}/stream/twilio/abc?token=secret", listener.local_addr().unwrap());
    let options = PhoneOptions::new(url).signature("sig=").header("Authorization", "Bearer x");
    let refuse = async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            tcp.read_buf(&mut head).await.unwrap();
        }
        let answer = "HTTP/1.1 503 Busy\r\nfly-replay: elsewhere=true\r\ncontent-length: 9\r\n\r\n";
        tcp.write_all(answer.as_bytes()).await.unwrap();
        // The body in a packet of its own: it must not be lost.
        tcp.write_all(b"{\"a\":\"b\"}").await.unwrap();
        String::from_utf8(head).unwrap()
    };
    let (refused, head) = tokio::join!(Phone::dial(options), refuse);
    assert!(head.starts_with("GET /stream/twilio/abc HTTP/1.1\r\n"), "{head}");
    for line in ["user-agent: Twilio.TmeWs/1.0", "x-twilio-signature: sig=", "authorization: Bearer x"] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} is missing in {head}");
    }
    assert!(!head.to_lowercase().contains("origin:") && !head.contains("extensions"), "{head}");
    let error = refused.unwrap_err();
    assert_eq!((error.status(), error.header("fly-replay")), (Some(503), Some("elsewhere=true")));
    assert!(matches!(error, DialError::Refused { body, .. } if body == r#"{"a":"b"}"#));
}

#[tokio::test]
async fn a_relay_that_never_answers_the_upgrade_is_given_up() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut options = PhoneOptions::new(format!("ws://{}/", listener.local_addr().unwrap()));
    options.handshake_limit = Duration::from_millis(50);
    let (error, accepted) = tokio::join!(Phone::dial(options), listener.accept());
    assert!(matches!(error.unwrap_err(), DialError::Timeout(_)));
    drop(accepted);
}

#[tokio::test]
async fn a_call_begins_with_connected_and_start_and_then_a_frame_each_20_ms() {
    let (phone, mut relay) = call(|options| options.token(&"x".repeat(500))).await;
    assert_eq!(next(&mut relay).await.unwrap()["event"], "connected");
    let start = next(&mut relay).await.unwrap();
    assert_eq!(
        (&start["sequenceNumber"], &start["start"]["customParameters"]["tn"]),
        (&json!("1"), &json!("2"))
    );
    for n in 0..10u64 {
        let frame = next(&mut relay).await.unwrap();
        assert_eq!(frame["media"]["chunk"], (n + 1).to_string());
        assert_eq!(frame["media"]["timestamp"], (134 + 20 * n).to_string());
        assert_eq!(frame["media"]["payload"], encode(&[0xFF; 160]));
    }
    // Ten frames can only be there when their time has come.
    assert!(phone.look(|state| state.began.elapsed()) >= Duration::from_millis(180));
}

#[tokio::test]
async fn frames_keep_to_the_clock_however_long_the_call() {
    let (phone, mut relay) = call(|options| options).await;
    let reader = tokio::spawn(async move { while next(&mut relay).await.is_some() {} });
    phone.until(|state| state.frames_sent >= 60, LIMIT).await.unwrap();
    let (sent, age) = phone.look(|state| (state.frames_sent, state.began.elapsed()));
    let due = age.as_millis() as u64 / 20 + 1;
    assert!(sent <= due, "{sent} frames sent, {due} due");
    reader.abort();
}

#[tokio::test]
async fn marks_return_when_reached_and_all_at_once_after_clear() {
    let (phone, mut relay) = call(|options| options).await;
    next_of(&mut relay, "start").await;
    send(&mut relay, other(&phone, "mark", Some(json!({"name": "nothing queued"})))).await;
    assert_eq!(next_of(&mut relay, "mark").await["mark"]["name"], "nothing queued");

    let sent = Instant::now();
    send(&mut relay, media(&phone, 200)).await;
    send(&mut relay, other(&phone, "mark", Some(json!({"name": "after 200 ms"})))).await;
    assert_eq!(next_of(&mut relay, "mark").await["mark"]["name"], "after 200 ms");
    assert!(sent.elapsed() >= Duration::from_millis(200));

    send(&mut relay, media(&phone, 900)).await;
    for name in ["a", "b", "c"] {
        send(&mut relay, other(&phone, "mark", Some(json!({"name": name})))).await;
    }
    phone.until(|state| state.marks_received == 5, LIMIT).await.unwrap();
    send(&mut relay, other(&phone, "clear", None)).await;
    for name in ["a", "b", "c"] {
        assert_eq!(next_of(&mut relay, "mark").await["mark"]["name"], name);
    }
    let cleared = phone.look(|state| state.clears[0].clone());
    assert_eq!(cleared.played + cleared.thrown_away, Duration::from_millis(900));
    assert_eq!(cleared.unheard.len() as u128 * 125, cleared.thrown_away.as_micros());
    assert_eq!(cleared.marks_returned, 3);
    assert_eq!(phone.look(|state| state.violation_count), 0);
}

#[tokio::test]
async fn everything_twilio_would_complain_about_is_a_violation() {
    let (phone, mut relay) = call(|options| options).await;
    let sid = phone.look(|state| state.ids.stream_sid.clone());
    let wrong = [
        json!({"event": "media", "streamSid": sid, "media": {"payload": "AAAA", "track": "outbound"}}),
        json!({"event": "media", "streamSid": "MZother", "media": {"payload": "AAAA"}}),
        json!({"event": "media", "streamSid": sid, "media": {"payload": "not base64!"}}),
        json!({"event": "hangup", "streamSid": sid}),
        media(&phone, 1001),
    ];
    for message in &wrong {
        send(&mut relay, message.clone()).await;
    }
    relay.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    phone.until(|state| state.violation_count == wrong.len() as u64 + 1, LIMIT).await.unwrap();
    assert_eq!(phone.look(|state| state.media_messages), 0);
}

#[tokio::test]
async fn a_message_before_start_is_a_violation() {
    let (phone, mut relay) = call(|mut options| {
        options.opening = Opening::OnlyConnected;
        options
    })
    .await;
    send(&mut relay, media(&phone, 20)).await;
    phone.until(|state| state.violation_count == 1, LIMIT).await.unwrap();
    assert_eq!(phone.look(|state| state.frames_sent), 0);
}

#[tokio::test]
async fn what_is_said_comes_out_frame_by_frame_and_gaps_jump_in_time() {
    let (phone, mut relay) = call(|options| options).await;
    phone.say(vec![0x11; 400]);
    let mut frame = next_of(&mut relay, "media").await;
    while frame["media"]["payload"] == encode(&[0xFF; 160]) {
        frame = next_of(&mut relay, "media").await;
    }
    let mut last = vec![0x11; 80];
    last.resize(160, 0xFF);
    for expected in [vec![0x11; 160], vec![0x11; 160], last] {
        assert_eq!(frame["media"]["payload"], encode(&expected));
        frame = next_of(&mut relay, "media").await;
    }
    phone.leave_gap(Duration::from_millis(200));
    let stamp = |frame: &Value| frame["media"]["timestamp"].as_str().unwrap().parse::<u64>().unwrap();
    let mut before = stamp(&frame);
    let jump = loop {
        let now = stamp(&next_of(&mut relay, "media").await);
        if now - before > 20 {
            break now - before;
        }
        before = now;
    };
    assert!((200..=240).contains(&jump), "{jump}");
}

#[tokio::test]
async fn a_key_press_and_rubbish_arrive_as_they_are() {
    let (phone, mut relay) = call(|options| options).await;
    phone.press('7');
    let press = next_of(&mut relay, "dtmf").await;
    assert_eq!(press["dtmf"], json!({"track": "inbound_track", "digit": "7"}));
    phone.send_text(r#"{"event":"rubbish"}"#);
    next_of(&mut relay, "rubbish").await;
}

#[tokio::test]
async fn hanging_up_sends_stop_and_closes() {
    let (phone, mut relay) = call(|options| options).await;
    phone.hang_up();
    let stop = next_of(&mut relay, "stop").await;
    assert_eq!(stop["stop"]["callSid"], phone.look(|state| state.ids.call_sid.clone()));
    assert!(next(&mut relay).await.is_none());
    let rest = async { while relay.next().await.is_some() {} };
    let (ended, ()) = tokio::join!(phone.ended(LIMIT), rest);
    assert_eq!(ended.unwrap(), PhoneEnd::HungUp { answered: true });
}

#[tokio::test]
async fn the_relays_close_code_is_told() {
    let (phone, mut relay) = call(|options| options).await;
    let frame =
        tokio_tungstenite::tungstenite::protocol::CloseFrame { code: 1008.into(), reason: "no".into() };
    relay.close(Some(frame)).await.unwrap();
    let end = phone.ended(LIMIT).await.unwrap();
    assert_eq!(end, PhoneEnd::Closed { code: Some(1008), reason: "no".to_owned() });
    // And the closing handshake is answered.
    while let Some(message) = relay.next().await {
        message.unwrap();
    }
}

#[tokio::test]
async fn a_frozen_phone_sends_nothing_and_keeps_the_line_open() {
    let (phone, mut relay) = call(|options| options).await;
    next_of(&mut relay, "media").await;
    phone.freeze();
    phone.until(|state| state.frames_withheld >= 10, LIMIT).await.unwrap();
    // At most what was on its way when the order came.
    let sent = phone.look(|state| state.frames_sent);
    for _ in 1..sent {
        next_of(&mut relay, "media").await;
    }
    assert!(tokio::time::timeout(Duration::from_millis(100), relay.next()).await.is_err());
    assert!(phone.look(|state| state.end.is_none()));
}

#[tokio::test]
async fn a_delay_holds_for_both_directions() {
    let delay = Duration::from_millis(80);
    let (phone, mut relay) = call(|options| options.delay(delay)).await;
    let began = phone.look(|state| state.began);
    next_of(&mut relay, "start").await;
    assert!(began.elapsed() >= delay);
    let sent = Instant::now();
    send(&mut relay, media(&phone, 20)).await;
    let at = phone.when(|state| state.first_media_at, LIMIT).await.unwrap();
    assert!(at - sent >= delay);
}

#[tokio::test]
async fn waiting_in_vain_tells_what_was_so_instead() {
    let (phone, _relay) = call(|options| options).await;
    let error = phone.until(|state| state.media_messages > 0, Duration::from_millis(50)).await.unwrap_err();
    assert!(error.to_string().contains("media_messages: 0"), "{error}");
    phone.vanish();
    let error = phone.until(|state| state.media_messages > 0, LIMIT).await.unwrap_err();
    assert!(error.to_string().contains("can no longer happen"), "{error}");
}

#[tokio::test]
async fn both_sides_are_recorded_where_they_were_heard() {
    let (phone, mut relay) = call(|options| options).await;
    phone.say(vec![0x22; 320]);
    phone.said(LIMIT).await.unwrap();
    send(&mut relay, media(&phone, 60)).await;
    let dry = |state: &sim::phone::PhoneState| {
        state.events.iter().any(|(_, event)| matches!(event, PhoneEvent::PlaybackRanDry { .. }))
    };
    phone.until(dry, LIMIT).await.unwrap();
    let recording = phone.recording();
    let at = phone.look(|state| state.playback_began.unwrap() - state.began);
    let position = sim::ulaw::find(&recording.agent, &[0x55; 480]).unwrap();
    assert_eq!(position, sim::ulaw::bytes_of(at));
    assert!(sim::ulaw::find(&recording.caller, &[0x22; 320]).is_some());
}
