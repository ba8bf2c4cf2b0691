//! Does each carrier's stream read and write as its documents have it? (Twilio's has a file of its own.) What must hold
//! for any bytes and any carrier is at the end.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use call::{Audio, CarrierCommand, CarrierEvent, Closing, Lag, MarkId, Mended, Pieces, RefusalCode, Started};
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::carrier::{
    BROWSER, CARRIERS, FORMAT_CHANGED, Line, ONE_WAY, OTHER_FORMAT, Written, carrier, explain,
};

type Stream = Box<dyn Line>;

const SIGNALWIRE: &str = r#"{"event":"start","sequenceNumber":"1","start":{
    "streamSid":"5e0d0c2e-7a0b-4c53-9d5e-1f9a6ad5b0aa","accountSid":"b08dacad-1111","callSid":"9d0b5ab1-2222",
    "tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}"#;

const TELNYX: &str = r#"{"event":"start","sequence_number":"1","stream_id":"7b0c","start":{
    "call_control_id":"v3:abc-_d","call_session_id":"5d1e","user_id":"9a","from":"+15550100","to":"+15550111",
    "client_state":"eyJ0Ijo3fQ==","custom_parameters":{"tenant":"7"},
    "media_format":{"encoding":"PCMU","sample_rate":8000,"channels":1}}}"#;

const PLIVO: &str = r#"{"event":"start","sequenceNumber":0,"extra_headers":"{}","start":{
    "callId":"0a6e","streamId":"4c77","accountId":"190","tracks":["inbound"],
    "mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000}}}"#;

const EXOTEL: &str = r#"{"event":"start","sequence_number":"1","stream_sid":"MZ1","start":{
    "stream_sid":"MZ1","call_sid":"c0ffee","account_sid":"shop1","from":"09876","to":"08047",
    "custom_parameters":{"k":"v"},
    "media_format":{"encoding":"audio/x-raw","sample_rate":"8000","bit_rate":"16"}}}"#;

const VONAGE: &str = r#"{"event":"websocket:connected","content-type":"audio/l16;rate=16000","uuid":"aaaa-bbbb",
    "tenant":"7","token":"eyJ"}"#;

const STARTS: [(&str, &str); 5] = [
    ("signalwire", SIGNALWIRE),
    ("telnyx", TELNYX),
    ("plivo", PLIVO),
    ("exotel", EXOTEL),
    ("vonage", VONAGE),
];

fn open(name: &str) -> Stream {
    (carrier(name).unwrap().line)()
}

fn read(line: &mut Stream, text: &str) -> Option<CarrierEvent> {
    line.read(&Bytes::copy_from_slice(text.as_bytes()))
}

/// All that a message brings.
fn all(line: &mut Stream, text: &str) -> Vec<CarrierEvent> {
    let first = read(line, text);
    first.into_iter().chain(std::iter::from_fn(|| line.more())).collect()
}

fn start(name: &str, text: &str) -> (Stream, Started) {
    let mut line = open(name);
    match read(&mut line, text) {
        Some(CarrierEvent::Started(started)) => (line, *started),
        other => panic!("{name}: {other:?}"),
    }
}

fn started(name: &str) -> Stream {
    let text = STARTS.iter().find(|(known, _)| *known == name).unwrap().1;
    start(name, text).0
}

fn written(line: &mut Stream, command: &CarrierCommand) -> Value {
    let mut out = BytesMut::new();
    assert_eq!(line.write(command, &mut out), Written::Text, "{command:?}");
    serde_json::from_slice(&out).unwrap()
}

const ULAW: &str = "fn5+/w==";

fn audio(at_ms: Option<u64>) -> CarrierEvent {
    let audio = Audio::base64(Bytes::from_static(ULAW.as_bytes())).unwrap();
    CarrierEvent::Audio { at: at_ms.map(Duration::from_millis), audio }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn every_stream_starts_with_its_ids_parameters_and_wishes() {
    let parameter = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let from_20 = Pieces { least: ms(20), ..Pieces::default() };
    let filters = Lag { caller: ms(2), agent: Duration::from_micros(1_500) };
    let cases = [
        (
            "signalwire",
            Started {
                stream_id: "5e0d0c2e-7a0b-4c53-9d5e-1f9a6ad5b0aa".into(),
                call_id: "9d0b5ab1-2222".into(),
                account_id: Some("b08dacad-1111".into()),
                ..Started::default()
            },
        ),
        (
            "telnyx",
            Started {
                stream_id: "7b0c".into(),
                call_id: "v3:abc-_d".into(),
                account_id: Some("9a".into()),
                parameters: vec![parameter("tenant", "7")],
                pieces: from_20,
                ..Started::default()
            },
        ),
        (
            "plivo",
            Started {
                stream_id: "4c77".into(),
                call_id: "0a6e".into(),
                account_id: Some("190".into()),
                ..Started::default()
            },
        ),
        (
            "exotel",
            Started {
                stream_id: "MZ1".into(),
                call_id: "c0ffee".into(),
                account_id: Some("shop1".into()),
                parameters: vec![parameter("k", "v")],
                pieces: Pieces { least: ms(200), step: ms(20), ahead: None },
                ..Started::default()
            },
        ),
        (
            "vonage",
            Started {
                stream_id: "aaaa-bbbb".into(),
                call_id: "aaaa-bbbb".into(),
                account_id: None,
                parameters: vec![
                    parameter("tenant", "7"),
                    parameter("token", "eyJ"),
                    parameter("uuid", "aaaa-bbbb"),
                ],
                pieces: Pieces { least: ms(20), step: ms(20), ahead: Some(ms(50_000)) },
                lag: filters,
                unnamed: false,
            },
        ),
    ];
    for (name, expected) in cases {
        let text = STARTS.iter().find(|(known, _)| *known == name).unwrap().1;
        let (line, mut started) = start(name, text);
        started.parameters.sort();
        assert_eq!(started, expected, "{name}");
        assert_eq!(line.stream_id(), Some(expected.stream_id.as_str()));
    }
}

#[test]
fn exotel_is_understood_in_either_spelling_and_at_three_rates() {
    let camel = EXOTEL
        .replace("stream_sid", "streamSid")
        .replace("call_sid", "callSid")
        .replace("account_sid", "accountSid")
        .replace("custom_parameters", "customParameters")
        .replace("media_format", "mediaFormat")
        .replace("sample_rate", "sampleRate");
    let (_, snake) = start("exotel", EXOTEL);
    assert_eq!(start("exotel", &camel).1, snake);
    let both = EXOTEL.replacen(r#""stream_sid":"MZ1","#, r#""stream_sid":"MZ1","streamSid":"MZ1","#, 2);
    assert_eq!(start("exotel", &both).1, snake);
    for (rate, least, bytes) in [("16000", 100, 2), ("24000", 80, 3)] {
        let (_, started) = start("exotel", &EXOTEL.replace("8000", rate));
        assert_eq!(started.pieces.least, ms(least));
        let least = started.pieces.least.as_millis() as usize * 16 * bytes;
        assert!(least >= 3_200 && least.is_multiple_of(320), "{rate}: {least}");
    }
}

#[test]
fn telnyx_tells_the_token_in_its_first_message_and_hides_it_from_the_curious() {
    let mut line = open("telnyx");
    let connected = r#"{"event":"connected","version":"1.0.0","x-telnyx-streaming-auth-token":"eyJ.canary"}"#;
    assert_eq!(read(&mut line, connected), None);
    assert!(!format!("{line:?}").contains("canary"));
    let Some(CarrierEvent::Started(started)) = read(&mut line, TELNYX) else { panic!("it starts") };
    assert!(started.parameters.contains(&("token".to_owned(), "eyJ.canary".to_owned())));
    let list = TELNYX.replace(r#"{"tenant":"7"}"#, r#"[{"name":"tenant","value":"7"},{"name":"odd"}]"#);
    assert_eq!(start("telnyx", &list).1.parameters, [("tenant".to_owned(), "7".to_owned())]);
}

#[test]
fn what_telnyx_hears_is_what_it_says_and_what_it_plays_is_what_the_app_says() {
    let pcma = TELNYX.replace("PCMU", "PCMA");
    let (mut line, _) = start("telnyx", &pcma);
    let frame = |payload: &str| {
        format!(r#"{{"event":"media","media":{{"track":"inbound","chunk":"1","payload":"{payload}"}}}}"#)
    };
    // A-law: the quietest and the loudest sample of each side. µ-law has no 8, so it is 8 in its own way.
    let heard = all(&mut line, &frame("1VWqKg=="));
    let [CarrierEvent::Audio { audio, .. }] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(audio.decode(), [0xfe, 0x7e, 0x80, 0x00]);
    let silence = CarrierCommand::Play(Audio::ulaw(&[0xff; 3]));
    assert_eq!(
        written(&mut line, &silence)["media"]["payload"],
        "////",
        "µ-law, as long as nobody says else"
    );
    let (mut line, _) = start("telnyx", &pcma.replace(r#""tenant":"7""#, r#""codec":"PCMA""#));
    assert_eq!(written(&mut line, &silence)["media"]["payload"], "1dXV");
}

#[test]
fn a_stream_that_cannot_carry_a_call_is_named() {
    let cases: &[(&str, String, RefusalCode)] = &[
        ("signalwire", SIGNALWIRE.replace("audio/x-mulaw", "audio/x-L16"), OTHER_FORMAT),
        ("signalwire", SIGNALWIRE.replace(r#"["inbound"]"#, r#"["inbound","outbound"]"#), ONE_WAY),
        ("telnyx", TELNYX.replace("PCMU", "OPUS"), OTHER_FORMAT),
        ("telnyx", TELNYX.replace("PCMU", "L16"), OTHER_FORMAT),
        ("telnyx", TELNYX.replace("8000", "16000"), OTHER_FORMAT),
        ("telnyx", TELNYX.replace(r#""channels":1"#, r#""channels":2"#), OTHER_FORMAT),
        ("telnyx", TELNYX.replace(r#""tenant":"7""#, r#""codec":"G722""#), OTHER_FORMAT),
        ("plivo", PLIVO.replace("audio/x-mulaw", "audio/x-l16"), OTHER_FORMAT),
        ("plivo", PLIVO.replace("8000", "16000"), OTHER_FORMAT),
        ("plivo", PLIVO.replace(r#"["inbound"]"#, r#"["outbound"]"#), ONE_WAY),
        ("exotel", EXOTEL.replace("audio/x-raw", "audio/x-mulaw"), OTHER_FORMAT),
        ("exotel", EXOTEL.replace("8000", "44100"), OTHER_FORMAT),
        ("vonage", VONAGE.replace("16000", "48000"), OTHER_FORMAT),
        ("vonage", VONAGE.replace("l16", "opus"), OTHER_FORMAT),
        ("vonage", VONAGE.replace("audio/l16;rate=16000", ""), OTHER_FORMAT),
    ];
    for (name, text, code) in cases {
        let mut line = open(name);
        assert_eq!(read(&mut line, text), Some(CarrierEvent::Unfit(*code)), "{text}");
        assert_eq!(line.write(&CarrierCommand::Clear, &mut BytesMut::new()), Written::Nothing, "{text}");
    }
    for code in [ONE_WAY, OTHER_FORMAT, FORMAT_CHANGED] {
        assert_ne!(explain(code), explain(RefusalCode("else")));
    }
}

#[test]
fn a_stream_that_starts_again_is_nonsense_and_in_another_format_the_end() {
    let others = [
        SIGNALWIRE.replace("mulaw", "L16"),
        TELNYX.replace("PCMU", "PCMA"),
        PLIVO.replace("mulaw", "l16"),
        EXOTEL.replace("8000", "16000"),
        VONAGE.replace("16000", "8000"),
    ];
    for ((name, text), other) in STARTS.iter().zip(others) {
        let mut line = started(name);
        assert_eq!(read(&mut line, text), Some(CarrierEvent::Malformed), "{name}");
        assert_eq!(read(&mut line, &other), Some(CarrierEvent::Unfit(FORMAT_CHANGED)), "{name}");
    }
}

#[test]
fn each_message_after_the_start_says_one_thing() {
    let (malformed, stopped) = (vec![CarrierEvent::Malformed], vec![CarrierEvent::Stopped]);
    let mark = vec![CarrierEvent::Mark(MarkId(12))];
    let key = |key| vec![CarrierEvent::Key(key)];
    let cases: &[(&str, &str, Vec<CarrierEvent>)] = &[
        (
            "telnyx",
            r#"{"event":"media","sequence_number":"2","stream_id":"7b0c","media":{"track":"inbound","chunk":"1","timestamp":"20","payload":"fn5+/w=="}}"#,
            vec![audio(Some(20))],
        ),
        ("telnyx", r#"{"event":"media","media":{"track":"outbound","payload":"fn5+/w=="}}"#, vec![]),
        ("telnyx", r#"{"event":"media","media":{"payload":"fn5-_w=="}}"#, malformed.clone()),
        ("telnyx", r#"{"event":"media"}"#, malformed.clone()),
        ("telnyx", r#"{"event":"mark","mark":{"name":"m12"}}"#, mark.clone()),
        ("telnyx", r#"{"event":"mark","mark":{"name":"someone else's"}}"#, vec![]),
        ("telnyx", r#"{"event":"mark"}"#, malformed.clone()),
        ("telnyx", r#"{"event":"dtmf","stream_id":"7b0c","dtmf":{"digit":"5"}}"#, key('5')),
        ("telnyx", r#"{"event":"dtmf","dtmf":{"digit":"55"}}"#, malformed.clone()),
        ("telnyx", r#"{"event":"stop","stop":{"call_control_id":"v3:abc"}}"#, stopped.clone()),
        (
            "telnyx",
            r#"{"event":"error","payload":{"code":100004,"title":"invalid_media","detail":"not\u0000 base64"}}"#,
            vec![CarrierEvent::Complaint("not base64".into())],
        ),
        ("telnyx", r#"{"event":"weather","rain":true}"#, vec![]),
        (
            "plivo",
            r#"{"event":"media","sequenceNumber":1,"streamId":"4c77","extra_headers":"{}","media":{"track":"inbound","timestamp":"1763600000000","chunk":1,"payload":"fn5+/w=="}}"#,
            vec![audio(Some(0))],
        ),
        ("plivo", r#"{"event":"playedStream","streamId":"4c77","name":"m12"}"#, mark.clone()),
        ("plivo", r#"{"event":"playedStream","streamId":"4c77"}"#, malformed.clone()),
        ("plivo", r#"{"event":"clearedAudio","streamId":"4c77"}"#, vec![]),
        ("plivo", r##"{"event":"dtmf","dtmf":{"track":"inbound","digit":"#","timestamp":"1"}}"##, key('#')),
        (
            "exotel",
            r#"{"event":"media","stream_sid":"MZ1","media":{"payload":"AAAAAA=="}}"#,
            vec![CarrierEvent::Audio { at: None, audio: Audio::ulaw(&[0xff, 0xff]) }],
        ),
        ("exotel", r#"{"event":"media","stream_sid":"MZ1","media":{"payload":"AAAA"}}"#, malformed.clone()),
        ("exotel", r#"{"event":"mark","stream_sid":"MZ1","mark":{"name":"m12"}}"#, mark.clone()),
        ("exotel", r#"{"event":"dtmf","dtmf":{"duration":"90","digit":"*"}}"#, key('*')),
        ("exotel", r#"{"event":"stop","stop":{"call_sid":"c0ffee","reason":"callended"}}"#, stopped),
        ("exotel", r#"{"event":"clear","stream_sid":"MZ1"}"#, vec![]),
        ("vonage", r#"{"event":"websocket:notify","payload":{"name":"m12"}}"#, mark),
        ("vonage", r#"{"event":"websocket:notify"}"#, malformed.clone()),
        ("vonage", r#"{"event":"websocket:cleared"}"#, vec![]),
        ("vonage", r#"{"event":"websocket:dtmf","digit":"5","duration":260}"#, key('5')),
        ("vonage", r#"{"event":"websocket:dtmf","dtmf":{"digit":"6"}}"#, key('6')),
        ("vonage", r#"{"action":"clear"}"#, malformed.clone()),
        ("signalwire", r#"{"event":"media","media":{"payload":"fn5+/w=="}}"#, vec![audio(None)]),
        ("signalwire", r#"{"event":"stop"}"#, vec![CarrierEvent::Stopped]),
        ("signalwire", r#"{"event":"dtmf","dtmf":{"digit":"1","duration":100}}"#, key('1')),
    ];
    for (name, text, expected) in cases {
        assert_eq!(all(&mut started(name), text), *expected, "{name}: {text}");
    }
    for (name, _) in STARTS {
        for text in ["{}", r#"{"event":7}"#, "[]", "not json", "", r#"{"event":"stop"} {}"#] {
            assert_eq!(all(&mut started(name), text), malformed, "{name}: {text}");
        }
    }
}

#[test]
fn nothing_belongs_before_the_start() {
    let cases = [
        ("telnyx", r#"{"event":"media","media":{"payload":"fn5+/w=="}}"#),
        ("telnyx", r#"{"event":"mark","mark":{"name":"m1"}}"#),
        ("telnyx", r#"{"event":"stop"}"#),
        ("plivo", r#"{"event":"playedStream","name":"m1"}"#),
        ("plivo", r#"{"event":"dtmf","dtmf":{"digit":"1"}}"#),
        ("exotel", r#"{"event":"media","media":{"payload":"AAAA"}}"#),
        ("vonage", r#"{"event":"websocket:notify","payload":{"name":"m1"}}"#),
        ("vonage", r#"{"event":"websocket:dtmf","digit":"5"}"#),
    ];
    for (name, text) in cases {
        assert_eq!(all(&mut open(name), text), [CarrierEvent::Malformed], "{name}: {text}");
    }
    assert_eq!(open("vonage").read_binary(&Bytes::from(vec![0; 640])), Some(CarrierEvent::Malformed));
    for carrier in &CARRIERS {
        let play = CarrierCommand::Play(Audio::ulaw(&[7]));
        for command in [play, CarrierCommand::Mark(MarkId(1)), CarrierCommand::Clear] {
            let mut out = BytesMut::new();
            assert_eq!((carrier.line)().write(&command, &mut out), Written::Nothing, "{}", carrier.name);
            assert!(out.is_empty());
        }
    }
}

#[test]
fn what_is_written_has_exactly_the_fields_that_each_carrier_takes() {
    let said = CarrierCommand::Play(Audio::ulaw(&[0x7e, 0x7e, 0x7e, 0xff]));
    let mark = CarrierCommand::Mark(MarkId(12));
    let id = "5e0d0c2e-7a0b-4c53-9d5e-1f9a6ad5b0aa";
    let cases = [
        (
            "signalwire",
            json!({"event":"media","streamSid":id,"media":{"payload":ULAW}}),
            json!({"event":"mark","streamSid":id,"mark":{"name":"m12"}}),
            json!({"event":"clear","streamSid":id}),
        ),
        (
            "telnyx",
            json!({"event":"media","media":{"payload":ULAW}}),
            json!({"event":"mark","mark":{"name":"m12"}}),
            json!({"event":"clear"}),
        ),
        (
            "plivo",
            json!({"event":"playAudio","media":{"contentType":"audio/x-mulaw","sampleRate":8000,"payload":ULAW}}),
            json!({"event":"checkpoint","streamId":"4c77","name":"m12"}),
            json!({"event":"clearAudio","streamId":"4c77"}),
        ),
        (
            "exotel",
            // Three times -8, and nothing, the low byte first.
            json!({"event":"media","stream_sid":"MZ1","media":{"payload":"+P/4//j/AAA="}}),
            json!({"event":"mark","stream_sid":"MZ1","mark":{"name":"m12"}}),
            json!({"event":"clear","stream_sid":"MZ1"}),
        ),
    ];
    for (name, media, marked, clear) in cases {
        let mut line = started(name);
        assert_eq!(written(&mut line, &said), media, "{name}");
        assert_eq!(written(&mut line, &mark), marked, "{name}");
        assert_eq!(written(&mut line, &CarrierCommand::Clear), clear, "{name}");
        let close = CarrierCommand::Close(Closing::Done);
        assert_eq!(line.write(&close, &mut BytesMut::new()), Written::Nothing, "{name}");
    }
}

#[test]
fn vonage_gets_and_sends_binary_messages_of_20_ms() {
    for (rate, each) in [("8000", 320), ("16000", 640), ("24000", 960)] {
        let (mut line, _) = start("vonage", &VONAGE.replace("16000", rate));
        let mut out = BytesMut::new();
        let second = CarrierCommand::Play(Audio::ulaw(&[0xff; 8_000]));
        assert_eq!(line.write(&second, &mut out), Written::Binary { each });
        assert_eq!(out.len(), 50 * each);
        let frame = |bytes: usize| Bytes::from(vec![0; bytes]);
        let heard = line.read_binary(&frame(each));
        assert_eq!(heard, Some(CarrierEvent::Audio { at: None, audio: Audio::ulaw(&[0xff; 160]) }));
        for (bytes, event) in [
            (0, CarrierEvent::Malformed),
            (each - 2, CarrierEvent::Malformed),
            (each + 1, CarrierEvent::Malformed),
            (if each == 320 { 640 } else { 320 }, CarrierEvent::Unfit(FORMAT_CHANGED)),
        ] {
            assert_eq!(line.read_binary(&frame(bytes)), Some(event), "{bytes} at {rate}");
        }
    }
    let mut line = started("vonage");
    let mark = CarrierCommand::Mark(MarkId(12));
    assert_eq!(written(&mut line, &mark), json!({"action":"notify","payload":{"name":"m12"}}));
    assert_eq!(written(&mut line, &CarrierCommand::Clear), json!({"action":"clear"}));
}

#[test]
fn a_vonage_call_that_nobody_named_has_no_name() {
    let (line, started) =
        start("vonage", r#"{"event":"websocket:connected","content-type":"audio/l16;rate=8000"}"#);
    assert_eq!((started.unnamed, started.call_id.as_str(), line.stream_id()), (true, "", Some("vonage")));
}

#[test]
fn frames_of_telnyx_that_cross_or_come_twice_are_put_right() {
    let mut line = started("telnyx");
    let mut frame = |chunk: u64| {
        let text = format!(
            r#"{{"event":"media","media":{{"track":"inbound","chunk":"{chunk}","timestamp":"{}","payload":"{ULAW}"}}}}"#,
            chunk * 20
        );
        all(&mut line, &text)
    };
    assert_eq!(frame(1), [audio(Some(20))]);
    assert_eq!(frame(3), []);
    assert_eq!(frame(2), [CarrierEvent::Mended(Mended::OutOfOrder), audio(Some(40)), audio(Some(60))]);
    assert_eq!(frame(3), [CarrierEvent::Mended(Mended::Twice)]);
    assert_eq!(frame(5), []);
    let mut last = all(&mut line, r#"{"event":"stop"}"#);
    assert_eq!(last.pop(), Some(CarrierEvent::Stopped), "the end");
    assert_eq!(last, [audio(Some(100))], "what waited is heard before it");
}

#[test]
fn plivos_times_count_from_the_streams_beginning_here() {
    let mut line = started("plivo");
    let mut frame = |chunk: u64| {
        let at = 1_763_600_000_000 + chunk * 20;
        let text = format!(
            r#"{{"event":"media","media":{{"track":"inbound","chunk":{chunk},"timestamp":"{at}","payload":"{ULAW}"}}}}"#
        );
        all(&mut line, &text)
    };
    assert_eq!(frame(1), [audio(Some(0))]);
    assert_eq!(frame(2), [audio(Some(20))]);
}

#[test]
fn every_row_of_the_table_can_be_found_and_says_how_its_token_travels() {
    for row in CARRIERS.iter().chain([&BROWSER]) {
        assert!(row.token_goes.contains("token") && row.room >= 2 << 20, "{}", row.name);
        assert_eq!(carrier(row.name).is_some(), row.name != "browser");
    }
    assert!(carrier("TWILIO").is_none() && carrier("").is_none());
}

proptest! {
    #[test]
    fn no_bytes_make_any_carrier_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for (name, _) in STARTS {
            let mut line = started(name);
            line.read(&Bytes::copy_from_slice(&bytes));
            line.read_binary(&Bytes::copy_from_slice(&bytes));
            while line.more().is_some() {}
        }
    }

    #[test]
    fn no_numbers_of_frames_lose_or_double_a_frame_that_came(numbers in proptest::collection::vec(1..40_u64, 1..80)) {
        let mut line = started("telnyx");
        let (mut heard, mut sent) = (Vec::new(), std::collections::BTreeSet::new());
        for number in numbers {
            sent.insert(number);
            let sound = Audio::ulaw(&[number as u8]);
            let text = format!(r#"{{"event":"media","media":{{"chunk":{number},"payload":"{}"}}}}"#, sound.text());
            heard.extend(all(&mut line, &text));
        }
        heard.extend(all(&mut line, r#"{"event":"stop"}"#));
        let heard: Vec<u64> = heard.iter().filter_map(|event| match event {
            CarrierEvent::Audio { audio, .. } => Some(u64::from(audio.decode()[0])),
            _ => None,
        }).collect();
        prop_assert!(heard.is_sorted_by(|one, next| one < next), "{heard:?}");
        prop_assert!(heard.iter().all(|number| sent.contains(number)));
    }
}
