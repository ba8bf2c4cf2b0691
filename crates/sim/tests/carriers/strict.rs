//! What each carrier would complain about: each is counted, said in a sentence, and not heard.

use crate::{
    common::{LIMIT, encode},
    relay::Call,
};
use futures_util::SinkExt;
use serde_json::{Value, json};
use sim::phone::{Carrier, Opening, PhoneOptions};
use tokio_tungstenite::tungstenite::Message;

/// Sends each, and looks for its sentence.
async fn each_is_a_violation(call: &mut Call, wrong: Vec<(Message, &str)>) {
    for (n, (message, sentence)) in wrong.into_iter().enumerate() {
        let what = message.to_string().chars().take(100).collect::<String>();
        call.socket.send(message).await.unwrap();
        call.phone.until(|phone| phone.violation_count > n as u64, LIMIT).await.unwrap();
        let found = call.violations().pop().unwrap();
        assert!(found.contains(sentence), "{what}: {found}, not {sentence}");
        assert_eq!(call.violations().len(), n + 1, "{what}");
    }
    let heard = call.phone.look(|phone| (phone.media_messages, phone.marks_received, phone.clears.len()));
    assert_eq!(heard, (0, 0, 0));
}

fn texts<'a>(wrong: impl IntoIterator<Item = (Value, &'a str)>) -> Vec<(Message, &'a str)> {
    wrong.into_iter().map(|(event, sentence)| (Message::text(event.to_string()), sentence)).collect()
}

#[tokio::test]
async fn at_telnyx() {
    let mut call = Call::over("telnyx").await;
    let media = |bytes: usize| json!({"event": "media", "media": {"payload": encode(&vec![0x55; bytes])}});
    let mp3: Vec<u8> = [b"ID3\x04".to_vec(), vec![0; 400]].concat();
    let mut wrong = texts([
        (media(159), "159 bytes of audio in one message, 160 are the least"),
        (media(240_001), "240000 are the most"),
        (
            json!({"event": "media", "media": {"payload": encode(&mp3)}}),
            "mp3, and the stream was started with PCMU",
        ),
        (
            json!({"event": "media", "stream_id": "another", "media": {"payload": encode(&[0; 160])}}),
            "not this stream",
        ),
        (
            json!({"event": "media", "streamId": call.ids.stream_sid, "media": {"payload": encode(&[0; 160])}}),
            "unknown field `streamId`",
        ),
        (
            json!({"event": "media", "media": {"payload": encode(&[0; 160]), "track": "outbound"}}),
            "unknown field `track`",
        ),
        (json!({"event": "media", "media": {"payload": "/v8"}}), "no base64"),
        (json!({"event": "media"}), "`media` is missing"),
        (json!({"event": "mark", "mark": {"name": 7}}), "`name` is 7, and should be a string"),
        (json!({"event": "mark", "name": "r1"}), "`mark` is missing"),
        (json!({"event": "clear", "clear": {}}), "unknown field `clear`"),
        (json!({"event": "clearAudio"}), "unknown event"),
        (json!({"Event": "clear"}), "`event` is written `Event`"),
    ]);
    wrong.push((Message::text("hello"), "not JSON"));
    wrong.push((Message::text("[]"), "not an object"));
    wrong.push((Message::binary(vec![0; 160]), "a binary message of 160 bytes"));
    each_is_a_violation(&mut call, wrong).await;
    // What is not needed may be there, and 20 ms are enough.
    let right =
        json!({"event": "media", "stream_id": call.ids.stream_sid, "media": {"payload": encode(&[0; 160])}});
    call.text(right).await;
    call.phone.until(|phone| phone.media_messages == 1, LIMIT).await.unwrap();
}

#[tokio::test]
async fn at_signalwire() {
    let mut call = Call::over("signalwire").await;
    let id = call.ids.stream_sid.clone();
    let mut wrong = texts([
        (json!({"event": "media", "media": {"payload": "/v8="}}), "`streamSid` is missing"),
        (
            json!({"event": "media", "stream_sid": id, "media": {"payload": "/v8="}}),
            "`streamSid` is written `stream_sid`",
        ),
        (json!({"event": "media", "streamSid": "MZ1", "media": {"payload": "/v8="}}), "not this stream"),
        (json!({"event": "media", "streamSid": id, "media": {"payload": ""}}), "`payload` is empty"),
        (
            json!({"event": "media", "streamSid": id, "media": {"payload": encode(&[0; 8001])}}),
            "8000 are the most",
        ),
        (
            json!({"event": "media", "streamSid": id, "media": {"payload": "/v8=", "track": "outbound"}}),
            "unknown field `track`",
        ),
        (
            json!({"event": "mark", "streamSid": id, "mark": "r1"}),
            "`mark` is \"r1\", and should be an object",
        ),
        (json!({"event": "clear", "streamSid": id, "sequenceNumber": "1"}), "unknown field `sequenceNumber`"),
        (json!({"event": "dtmf", "streamSid": id, "dtmf": {"digit": "12"}}), "\"12\" is no key"),
        (json!({"event": "stop", "streamSid": id}), "unknown event"),
    ]);
    wrong.push((Message::binary(vec![0; 160]), "a binary message"));
    each_is_a_violation(&mut call, wrong).await;
    for digit in ["5", "#"] {
        call.text(json!({"event": "dtmf", "streamSid": id, "dtmf": {"digit": digit}})).await;
    }
    call.phone.until(|phone| phone.digits == "5#", LIMIT).await.unwrap();
}

#[tokio::test]
async fn at_plivo() {
    let mut call = Call::over("plivo").await;
    let id = call.ids.stream_sid.clone();
    let audio = |kind: &str, rate: Value| json!({"event": "playAudio", "media": {"contentType": kind, "sampleRate": rate, "payload": "/v8="}});
    let mut wrong = texts([
        (audio("audio/x-l16", json!(8000)), "audio/x-l16 at 8000, and the stream is audio/x-mulaw at 8000"),
        (audio("audio/x-mulaw;rate=8000", json!(8000)), "and the stream is"),
        (audio("audio/x-mulaw", json!(16_000)), "at 16000"),
        (audio("audio/x-mulaw", json!("8000")), "should be a number"),
        (json!({"event": "playAudio", "media": {"payload": "/v8="}}), "`contentType` is missing"),
        (
            json!({"event": "playAudio", "media": {"content_type": "audio/x-mulaw", "sampleRate": 8000, "payload": "/v8="}}),
            "`contentType` is written `content_type`",
        ),
        (json!({"event": "media", "streamId": id, "media": {"payload": "/v8="}}), "unknown event \"media\""),
        (json!({"event": "playAudio", "streamId": "another", "media": {}}), "not this stream"),
        (json!({"event": "checkpoint", "name": "r1"}), "`streamId` is missing"),
        (json!({"event": "checkpoint", "streamId": id, "checkpoint": {"name": "r1"}}), "`name` is missing"),
        (json!({"event": "checkpoint", "streamSid": id, "name": "r1"}), "`streamId` is missing"),
        (json!({"event": "clearAudio"}), "`streamId` is missing"),
        (json!({"event": "clear", "streamId": id}), "unknown event \"clear\""),
        (
            json!({"event": "clearAudio", "streamId": id, "extra_headers": "{}"}),
            "unknown field `extra_headers`",
        ),
    ]);
    wrong.push((Message::binary(vec![0; 160]), "a binary message"));
    each_is_a_violation(&mut call, wrong).await;
}

#[tokio::test]
async fn at_exotel() {
    let mut call = Call::over("exotel-16000").await;
    let id = call.ids.stream_sid.clone();
    let media = |bytes: usize| json!({"event": "media", "stream_sid": id, "media": {"payload": encode(&vec![0; bytes])}});
    let payload = encode(&[0; 3200]);
    let mut wrong = texts([
        (media(2880), "2880 bytes of audio in one message, 3200 are the least"),
        (media(3201), "3201 bytes of audio, which are no multiple of 320"),
        (media(100_160), "100000 are the most"),
        (
            json!({"event": "media", "streamSid": id, "media": {"payload": payload}}),
            "`stream_sid` is written `streamSid`",
        ),
        (json!({"event": "media", "media": {"payload": payload}}), "`stream_sid` is missing"),
        (json!({"event": "media", "stream_sid": "MZ2", "media": {"payload": payload}}), "not this stream"),
        (
            json!({"event": "media", "stream_sid": id, "media": {"payload": payload, "chunk": 1}}),
            "unknown field `chunk`",
        ),
        (json!({"event": "mark", "stream_sid": id, "mark": {"name": "r1", "id": 1}}), "unknown field `id`"),
        (json!({"event": "clear"}), "`stream_sid` is missing"),
        (json!({"event": "checkpoint", "stream_sid": id}), "unknown event"),
    ]);
    wrong.push((Message::binary(vec![0; 3200]), "a binary message"));
    each_is_a_violation(&mut call, wrong).await;
}

#[tokio::test]
async fn at_vonage() {
    for (carrier, size, other) in [("vonage", 640, 320), ("vonage-8000", 320, 640)] {
        let mut call = Call::over(carrier).await;
        let mut wrong = texts([
            (json!({"event": "clear"}), "`action` is missing"),
            (json!({"action": "media", "payload": "AAAA"}), "unknown action"),
            (json!({"action": "clear", "streamSid": "MZ1"}), "unknown field `streamSid`"),
            (json!({"action": "notify", "name": "r1"}), "`payload` is missing"),
            (json!({"action": "notify", "payload": "r1"}), "`payload` is \"r1\", and should be an object"),
        ]);
        let needed = format!("and it must be {size}");
        for bytes in [other, size - 2, size + 1, 0] {
            wrong.push((Message::binary(vec![0; bytes]), &needed));
        }
        each_is_a_violation(&mut call, wrong).await;
    }
}

#[tokio::test]
async fn a_message_before_start_is_one_everywhere() {
    for carrier in Carrier::all() {
        let early = |options| PhoneOptions { opening: Opening::Nothing, ..options };
        let mut call = Call::with(&carrier.to_string(), early).await;
        let message = call.media_of(&vec![
            0;
            carrier.plays().frame_bytes()
                * if carrier.route() == "exotel" { 10 } else { 1 }
        ]);
        call.socket.send(message).await.unwrap();
        call.clear().await;
        call.phone.until(|phone| phone.violation_count == 2, LIMIT).await.unwrap();
        assert!(
            call.violations().iter().all(|found| found.contains("before start")),
            "{:?}",
            call.violations()
        );
        assert_eq!(call.phone.look(|phone| phone.media_messages), 0, "{carrier}");
    }
}

#[tokio::test]
async fn vonage_queues_3072_packets_and_no_more() {
    let mut call = Call::over("vonage-8000").await;
    // Some are played meanwhile, but not twice as many.
    for _ in 0..3072 * 2 {
        let packet = call.media_of(&[0; 320]);
        call.socket.feed(packet).await.unwrap();
    }
    call.socket.flush().await.unwrap();
    call.phone.until(|phone| phone.violation_count > 0, LIMIT).await.unwrap();
    assert!(call.violations()[0].contains("more than 61 s queued"), "{:?}", call.violations());
    let queued = call.phone.look(|phone| phone.queued);
    assert!(queued.as_millis() > 55_000 && queued.as_millis() <= 61_440, "{queued:?}");
}
