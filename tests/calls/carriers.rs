//! Carriers that talk nonsense, talk too much, or stop talking: forgiven, or cut off, and nobody else hears of it.

use std::time::Duration;

use call::EndReason;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sim::{
    phone::{Opening, Phone, PhoneEnd, PhoneOptions},
    voice::speech,
};

use crate::{
    house::{House, LIMIT, echo, keeps_every_byte, token},
    raw::{Raw, frame},
};

/// Says a word, hears it back, and finds nothing else on the line.
async fn hears_itself(phone: &Phone) {
    phone.say(speech(Duration::from_millis(700), 2));
    phone.agent_finished(Duration::from_millis(100), LIMIT).await.unwrap();
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new());
}

/// A start for the call `call`, with its token; tests change what they like.
fn start(call: &str) -> Value {
    json!({
        "event": "start", "sequenceNumber": "1", "streamSid": "MZ1",
        "start": {
            "streamSid": "MZ1", "accountSid": "AC1", "callSid": call, "tracks": ["inbound"],
            "customParameters": { "token": token(call, &echo()) },
            "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 },
        },
    })
}

fn media(stream: &str) -> String {
    json!({
        "event": "media", "streamSid": stream,
        "media": { "track": "inbound", "timestamp": "20", "payload": "/".repeat(216) },
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_little_nonsense_is_forgiven_and_a_lot_is_not() {
    let house = House::open().await;
    let good = house.call(echo()).await;
    let [forgiven, rubbish, large] =
        [house.call(echo()).await, house.call(echo()).await, house.call(echo()).await];
    for _ in 0..8 {
        forgiven.send_text("{\"event\":");
        forgiven.send_binary(vec![1, 2, 3]);
        forgiven.send_text("{\"event\":\"weather\",\"rain\":true}");
    }
    (0..60).for_each(|_| rubbish.send_text("rubbish"));
    large.send_oversize(100_000);
    assert!(matches!(rubbish.ended(LIMIT).await.unwrap(), PhoneEnd::Closed { code: Some(1008), .. }));
    assert!(matches!(large.ended(LIMIT).await.unwrap(), PhoneEnd::Closed { code: Some(1009), .. }));
    hears_itself(&forgiven).await;
    hears_itself(&good).await;
    assert!(house.number(r#"patchcord_frames_dropped_total{reason="malformed"}"#) > 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_no_websocket_end_their_call_and_no_other() {
    let house = House::open().await;
    let good = house.call(echo()).await;
    let mut large = vec![0x81, 0x80 | 127];
    large.extend(u64::MAX.to_be_bytes());
    large.extend([0; 4]);
    let cases: [(&str, Vec<u8>); 9] = [
        ("text that is no UTF-8", frame(0x81, b"{\"event\":\"\xff\xfe\"}")),
        ("an unmasked frame", vec![0x81, 2, b'{', b'}']),
        ("a reserved bit", frame(0xc1, b"{}")),
        ("a reserved kind", frame(0x83, b"{}")),
        ("a continuation of nothing", frame(0x80, b"{}")),
        ("a text inside a text", [frame(0x01, b"{"), frame(0x81, b"{}")].concat()),
        ("a ping in two pieces", frame(0x09, b"")),
        ("a ping that is too long", frame(0x89, &[0; 126])),
        ("a length beyond any memory", large),
    ];
    for (name, bytes) in cases {
        let mut news = house.listen();
        let mut socket = Raw::dial(house.relay.address, "/stream/twilio").await;
        socket.text(&start("CA-broken").to_string()).await;
        socket.send(&bytes).await;
        let reason = news.ended().await.reason;
        assert_eq!(reason, EndReason::CarrierLost, "{name}");
        let code = socket.closed().await;
        assert!(matches!(code, None | Some(1002 | 1007 | 1008 | 1009)), "{name}: {code:?}");
    }
    hears_itself(&good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_before_start_or_belongs_to_another_stream_is_not_heard() {
    let house = House::open().await;
    let mut news = house.listen();
    let mut socket = Raw::dial(house.relay.address, "/stream/twilio").await;
    for early in ["media", "mark", "dtmf", "stop"] {
        let text = media("MZ1").replace("\"event\":\"media\"", &format!("\"event\":\"{early}\""));
        socket.text(&text).await;
    }
    socket.text(&start("CA-early").to_string()).await;
    socket.text(&start("CA-again").to_string()).await;
    for _ in 0..5 {
        socket.text(&media("MZ-of-somebody-else")).await;
    }
    for _ in 0..3 {
        socket.text(&media("MZ1")).await;
    }
    socket.text(r#"{"event":"stop","streamSid":"MZ1"}"#).await;
    let summary = news.ended().await;
    assert_eq!(summary.reason, EndReason::CallerHungUp);
    assert_eq!((summary.tally.malformed, summary.tally.frames_in), (4 + 1 + 5, 3));
    assert_eq!(socket.closed().await, Some(1000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_cannot_carry_the_call_is_refused_by_name() {
    let house = House::open().await;
    let with = |name: &str, value: Value| {
        let mut start = start("CA-unfit");
        *start["start"].pointer_mut(name).unwrap() = value;
        start
    };
    let cases = [
        (with("/tracks", json!(["inbound", "outbound"])), "stream_one_way"),
        (with("/tracks", json!(["outbound"])), "stream_one_way"),
        (with("/mediaFormat/encoding", "audio/x-l16".into()), "stream_format"),
        (with("/mediaFormat/sampleRate", 16_000.into()), "stream_format"),
        (with("/mediaFormat/channels", 2.into()), "stream_format"),
    ];
    for (start, code) in cases {
        let phone = PhoneOptions { opening: Opening::Nothing, ..house.bare_phone("") };
        let phone = Phone::dial(phone).await.unwrap();
        phone.send_text(start.to_string());
        let end = phone.ended(LIMIT).await.unwrap();
        assert_eq!(end, PhoneEnd::Closed { code: Some(1008), reason: code.into() }, "{start}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_ends_its_own_call_and_the_neighbours_hear_every_word() {
    let house = House::open().await;
    let mut news = house.listen();
    let good = house.call(echo()).await;
    let mut flood = Raw::dial(house.relay.address, "/stream/twilio").await;
    flood.text(&start("CA-flood").to_string()).await;
    let message = frame(0x81, media("MZ1").as_bytes());
    let flooding = tokio::spawn(async move {
        for _ in 0..20_000 {
            flood.send(&message).await;
        }
        flood.closed().await
    });
    let (summary, ()) = tokio::join!(news.ended(), hears_itself(&good));
    assert_eq!(summary.reason, EndReason::CarrierLost);
    let most = summary.lasted.as_millis() as u64 / 5 + 5_001;
    assert!(summary.tally.frames_in <= most, "{} frames in {:?}", summary.tally.frames_in, summary.lasted);
    // Twenty milliseconds each: all but the first ten seconds were more audio than time.
    assert!(summary.tally.frames_dropped >= 4_000, "{:?}", summary.tally);
    flooding.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_froze_is_noticed_though_its_socket_stays_open() {
    let house = House::open().await;
    let mut news = house.listen();
    let phone = house.call(echo()).await;
    hears_itself(&phone).await;
    phone.freeze();
    let summary = news.ended().await;
    assert_eq!(summary.reason, EndReason::CarrierLost);
    house.idle().await;
    assert!(phone.look(|phone| phone.end.is_none()), "it was the relay that gave up");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_caller_says_never_reaches_another() {
    if !keeps_every_byte() {
        return; // words are known by their bytes here
    }
    let house = House::open().await;
    let sound = |number: u8| -> Vec<u8> {
        // Loud enough for a voice: the same words, with a byte that nobody else's have.
        let mut voice = speech(Duration::from_millis(800), 3);
        voice.iter_mut().step_by(40).for_each(|byte| *byte = 0x20 + number);
        voice
    };
    let calls = (0..8_u8).map(|number| {
        let house = &house;
        async move {
            let phone = house.call(echo()).await;
            phone.say(sound(number));
            phone.agent_finished(Duration::from_millis(200), LIMIT).await.unwrap();
            phone.recording()
        }
    });
    for (number, recording) in join_all(calls).await.into_iter().enumerate() {
        let said = sound(number as u8);
        // The echo begins and ends where the voice does.
        let middle = &said[said.len() / 4..said.len() * 3 / 4];
        let heard = recording.agent.windows(middle.len()).any(|window| window == middle);
        assert!(heard, "call {number} did not hear its own words, byte for byte");
    }
}
