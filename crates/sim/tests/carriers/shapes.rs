//! What each carrier sends, field by field, and how it ends.

use crate::{
    common::{LIMIT, encode},
    relay::{Call, Heard},
};
use serde_json::{Value, json};
use sim::phone::{Carrier, DialError, Odd, Opening, Phone, PhoneEnd, PhoneOptions, TokenWay};

/// Takes out what differs from call to call.
fn taken(event: &mut Value, path: &str) -> Value {
    event.pointer_mut(path).map(Value::take).unwrap_or_else(|| panic!("no {path} in {event}"))
}

async fn next(call: &mut Call) -> Value {
    match call.next().await {
        Heard::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

/// Everything up to the end, but for the audio, of a call in which `5` is pressed.
async fn press_and_hang_up(call: &mut Call) -> Vec<Value> {
    call.phone.press('5');
    let mut events = vec![call.event().await.unwrap()];
    call.phone.hang_up();
    while let Some(event) = call.event().await {
        events.push(event);
    }
    assert_eq!(call.phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    events
}

/// Nobody sends what a browser would.
fn is_bare(call: &Call) {
    let usual = ["host", "connection", "upgrade", "sec-websocket-version", "sec-websocket-key"];
    let tokens = ["authorization", "x-telnyx-streaming-auth-token"];
    let mut names = call.headers.iter().map(|(name, _)| name.as_str());
    assert!(names.all(|name| usual.contains(&name) || tokens.contains(&name)), "{:?}", call.headers);
}

#[tokio::test]
async fn telnyx_writes_snake_case_and_repeats_its_token() {
    let mut call =
        Call::with("telnyx-pcma-pcmu", |options| options.token("a.b-c_d").parameter("tenant", "7")).await;
    assert_eq!((call.target.as_str(), call.header("x-telnyx-streaming-auth-token")), ("/x", Some("a.b-c_d")));
    is_bare(&call);
    let (ids, silence) = (call.ids.clone(), encode(&[0xD5; 160]));
    let connected =
        json!({"event": "connected", "version": "1.0.0", "x-telnyx-streaming-auth-token": "a.b-c_d"});
    assert_eq!(next(&mut call).await, connected);
    let mut start = next(&mut call).await;
    assert!(taken(&mut start, "/start/call_session_id").is_string());
    let expected = json!({"event": "start", "sequence_number": "1", "stream_id": ids.stream_sid, "start": {
        "call_control_id": ids.call_sid, "call_session_id": null, "user_id": ids.account_sid,
        "from": "+15550100", "to": "+15550111", "client_state": "eyJ0Ijo3fQ==",
        "custom_parameters": {"tenant": "7"},
        "media_format": {"encoding": "PCMA", "sample_rate": 8000, "channels": 1}}});
    assert_eq!(start, expected);
    assert!(ids.call_sid.starts_with("v3:"));
    for n in 1..3 {
        let expected = json!({"event": "media", "sequence_number": (n + 1).to_string(), "stream_id": ids.stream_sid,
            "media": {"track": "inbound", "chunk": n.to_string(), "timestamp": (114 + 20 * n).to_string(), "payload": silence}});
        assert_eq!(next(&mut call).await, expected);
    }
    let mut events = press_and_hang_up(&mut call).await;
    events.iter_mut().for_each(|event| assert!(taken(event, "/sequence_number").is_string()));
    let dtmf = json!({"event": "dtmf", "sequence_number": null, "stream_id": ids.stream_sid, "dtmf": {"digit": "5"}});
    let stop = json!({"event": "stop", "sequence_number": null, "stream_id": ids.stream_sid,
        "stop": {"call_control_id": ids.call_sid, "user_id": ids.account_sid}});
    assert_eq!(events, [dtmf, stop]);
}

#[tokio::test]
async fn signalwire_is_twilio_without_the_outer_id() {
    let mut call = Call::with("signalwire", |options| options.token("a.b")).await;
    assert_eq!((call.target.as_str(), call.header("authorization")), ("/x", Some("Bearer a.b")));
    is_bare(&call);
    let (ids, silence) = (call.ids.clone(), encode(&[0xFF; 160]));
    assert_eq!(next(&mut call).await, json!({"event": "connected", "protocol": "Call", "version": "0.2.0"}));
    // Without parameters the field is missing.
    let start = json!({"event": "start", "sequenceNumber": "1", "start": {
        "accountSid": ids.account_sid, "callSid": ids.call_sid, "streamSid": ids.stream_sid, "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}}});
    assert_eq!(next(&mut call).await, start);
    assert!(
        [&ids.account_sid, &ids.call_sid, &ids.stream_sid]
            .iter()
            .all(|id| id.len() == 36 && !id.starts_with('C'))
    );
    let media = json!({"event": "media", "sequenceNumber": "2",
        "media": {"track": "inbound", "chunk": "1", "timestamp": "134", "payload": silence}});
    assert_eq!(next(&mut call).await, media);
    let mut events = press_and_hang_up(&mut call).await;
    events.iter_mut().for_each(|event| assert!(taken(event, "/sequenceNumber").is_string()));
    let dtmf = json!({"event": "dtmf", "sequenceNumber": null, "streamSid": ids.stream_sid,
        "dtmf": {"digit": "5", "duration": 260}});
    let stop = json!({"event": "stop", "sequenceNumber": null, "streamSid": ids.stream_sid});
    assert_eq!(events, [dtmf, stop]);
}

#[tokio::test]
async fn plivo_begins_with_start_and_ends_without_a_word() {
    let mut call = Call::with("plivo", |options| options.token("a.b").parameter("tenant", "7")).await;
    assert_eq!(call.target, "/x/a.b");
    is_bare(&call);
    let (ids, silence, extra) = (call.ids.clone(), encode(&[0xFF; 160]), r#"{"tenant":"7"}"#);
    let start = json!({"event": "start", "sequenceNumber": 0, "extra_headers": extra, "start": {
        "callId": ids.call_sid, "streamId": ids.stream_sid, "accountId": ids.account_sid, "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000}}});
    assert_eq!(next(&mut call).await, start);
    let mut moments = Vec::new();
    for n in 1..3 {
        let mut media = next(&mut call).await;
        moments.push(taken(&mut media, "/media/timestamp").as_str().unwrap().parse::<u64>().unwrap());
        let expected = json!({"event": "media", "sequenceNumber": n, "streamId": ids.stream_sid, "extra_headers": extra,
            "media": {"track": "inbound", "timestamp": null, "chunk": n, "payload": silence}});
        assert_eq!(media, expected);
    }
    assert!(moments[0] > 1_700_000_000_000 && moments[1] - moments[0] == 20, "{moments:?}");
    let mut events = press_and_hang_up(&mut call).await;
    assert!(
        taken(&mut events[0], "/sequenceNumber").is_u64()
            && taken(&mut events[0], "/dtmf/timestamp").is_string()
    );
    let dtmf = json!({"event": "dtmf", "sequenceNumber": null, "streamId": ids.stream_sid, "extra_headers": extra,
        "dtmf": {"track": "inbound", "digit": "5", "timestamp": null}});
    assert_eq!(events, [dtmf]);
    let empty = next(&mut Call::over("plivo").await).await;
    assert_eq!(empty["extra_headers"], "{}");
}

#[tokio::test]
async fn exotel_sends_a_tenth_of_a_second_at_a_time() {
    for (carrier, rate) in [("exotel", 8000), ("exotel-16000", 16_000), ("exotel-24000", 24_000)] {
        let mut call = Call::with(carrier, |options| options.token("a.b").parameter("k", "v")).await;
        assert_eq!(call.target, format!("/x/a.b?sample-rate={rate}&k=v"));
        is_bare(&call);
        let ids = call.ids.clone();
        assert_eq!(next(&mut call).await, json!({"event": "connected"}));
        let start = json!({"event": "start", "sequence_number": "1", "stream_sid": ids.stream_sid, "start": {
            "stream_sid": ids.stream_sid, "call_sid": ids.call_sid, "account_sid": ids.account_sid,
            "from": "09876500100", "to": "08047100111", "custom_parameters": {"k": "v"},
            "media_format": {"encoding": "audio/x-raw", "sample_rate": rate.to_string(), "bit_rate": "16"}}});
        assert_eq!(next(&mut call).await, start);
        let media = json!({"event": "media", "sequence_number": "2", "stream_sid": ids.stream_sid,
            "media": {"payload": encode(&vec![0; rate / 10 * 2])}});
        assert_eq!(next(&mut call).await, media);
        assert_eq!(call.phone.look(|phone| phone.frames_sent), 5);
        let mut events = press_and_hang_up(&mut call).await;
        events.iter_mut().for_each(|event| assert!(taken(event, "/sequence_number").is_string()));
        let dtmf = json!({"event": "dtmf", "sequence_number": null, "stream_sid": ids.stream_sid, "dtmf": {"digit": "5"}});
        let stop = json!({"event": "stop", "sequence_number": null, "stream_sid": ids.stream_sid,
            "stop": {"call_sid": ids.call_sid, "account_sid": ids.account_sid}});
        assert_eq!(events, [dtmf, stop]);
    }
}

#[tokio::test]
async fn vonage_has_no_ids_and_speaks_in_binary() {
    for (carrier, rate) in [("vonage", 16_000), ("vonage-8000", 8000)] {
        let mut call = Call::with(carrier, |options| options.token("a.b").parameter("tenant", "7")).await;
        assert_eq!((call.target.as_str(), call.header("authorization")), ("/x", Some("Bearer a.b")));
        is_bare(&call);
        let connected = json!({"event": "websocket:connected", "tenant": "7",
            "content-type": format!("audio/l16;rate={rate}")});
        assert_eq!(next(&mut call).await, connected);
        for _ in 0..2 {
            assert_eq!(call.next().await, Heard::Audio(vec![0; rate / 50 * 2]));
        }
        let dtmf = json!({"event": "websocket:dtmf", "digit": "5", "duration": 260});
        assert_eq!(press_and_hang_up(&mut call).await, [dtmf]);
    }
    let newer = Odd { nested_digits: true, ..Odd::default() };
    let mut call = Call::with("vonage", |options| PhoneOptions { odd: newer, ..options }).await;
    call.phone.press('#');
    let dtmf = json!({"event": "websocket:dtmf", "dtmf": {"digit": "#", "duration": 260}});
    assert_eq!(call.event_named("websocket:dtmf").await, dtmf);
}

#[tokio::test]
async fn numbers_may_come_bare_where_strings_are_documented() {
    for (carrier, field) in
        [("telnyx", "sequence_number"), ("signalwire", "sequenceNumber"), ("exotel", "sequence_number")]
    {
        let mut call = Call::with(carrier, |options| PhoneOptions { bare_numbers: true, ..options }).await;
        assert_eq!(call.media().await[field], 2, "{carrier}");
    }
}

#[tokio::test]
async fn a_call_that_only_begins_says_what_comes_before_start() {
    for carrier in Carrier::all() {
        let only = |options| PhoneOptions { opening: Opening::OnlyConnected, ..options };
        let mut call = Call::with(&carrier.to_string(), only).await;
        // Somebody has to say something, or its silence could not be told from patience.
        call.phone.press('1');
        let first = call.event().await.unwrap();
        let is_greeted = !matches!(carrier, Carrier::Plivo | Carrier::Vonage { .. });
        assert_eq!(first["event"] == "connected", is_greeted, "{carrier}: {first}");
    }
}

#[tokio::test]
async fn a_token_that_no_real_call_could_carry_is_not_dialled() {
    // Nobody listens there: a phone that tried would say so.
    let dial = |carrier: &str, way: TokenWay, token: &str| {
        let options = PhoneOptions::new("ws://127.0.0.1:1/x").carrier(Carrier::parse(carrier).unwrap());
        Phone::dial(options.token_by(way, token))
    };
    let long = "k".repeat(4001);
    let table = [
        ("telnyx", TokenWay::Header),
        ("exotel", TokenWay::Path),
        ("plivo", TokenWay::Parameters),
        ("twilio", TokenWay::Query),
    ];
    for (carrier, way) in table {
        let error = dial(carrier, way, &long).await.unwrap_err();
        assert!(matches!(error, DialError::NotCarried { .. }), "{carrier}: {error}");
        assert!(!error.to_string().contains("kkk"), "{error}");
    }
    let error = dial("telnyx", TokenWay::Header, &long[1..]).await.unwrap_err();
    assert!(matches!(error, DialError::Unreachable { .. }), "{error}");
}
