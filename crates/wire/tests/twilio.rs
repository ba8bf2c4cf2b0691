//! Does a Twilio stream read and write as Twilio means it? What must hold for any bytes is at the end.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use call::{Audio, CarrierCommand, CarrierEvent, Closing, MarkId, RefusalCode, Started};
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{
    carrier::{FORMAT_CHANGED, Line, ONE_WAY, OTHER_FORMAT, Written},
    twilio::Twilio,
};

const START: &str = r#"{"event":"start","sequenceNumber":"1","streamSid":"MZ1","start":{"accountSid":"AC2",
    "callSid":"CA3","streamSid":"MZ1","tracks":["inbound"],
    "mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},
    "customParameters":{"tn":"2","t0":"eyJ","t1":"rest"}}}"#;

fn read(line: &mut Twilio, text: &str) -> Option<CarrierEvent> {
    line.read(&Bytes::copy_from_slice(text.as_bytes()))
}

fn started() -> Twilio {
    let mut line = Twilio::new();
    assert!(matches!(read(&mut line, START), Some(CarrierEvent::Started(_))));
    line
}

fn audio(at_ms: Option<u64>, text: &'static str) -> Option<CarrierEvent> {
    let audio = Audio::base64(Bytes::from_static(text.as_bytes())).unwrap();
    Some(CarrierEvent::Audio { at: at_ms.map(Duration::from_millis), audio })
}

#[test]
fn a_stream_starts_with_its_ids_and_parameters() {
    let mut line = Twilio::new();
    assert_eq!(read(&mut line, r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#), None);
    let parameters = [("t0", "eyJ"), ("t1", "rest"), ("tn", "2")];
    let started = Started {
        stream_id: "MZ1".into(),
        call_id: "CA3".into(),
        account_id: Some("AC2".into()),
        parameters: parameters.map(|(name, value)| (name.into(), value.into())).into(),
        ..Started::default()
    };
    assert_eq!(read(&mut line, START), Some(CarrierEvent::Started(Box::new(started))));
}

#[test]
fn a_stream_that_cannot_carry_a_call_is_named() {
    let format = r#""encoding":"audio/x-mulaw","sampleRate":8000,"channels":1"#;
    let one_way = |tracks| START.replace(r#"["inbound"]"#, tracks);
    let other_format = |other| START.replace(format, other);
    let cases: &[(String, RefusalCode)] = &[
        (one_way(r#"["inbound","outbound"]"#), ONE_WAY),
        (one_way(r#"["outbound"]"#), ONE_WAY),
        (one_way("[]"), ONE_WAY),
        (other_format(r#""encoding":"audio/l16","sampleRate":8000,"channels":1"#), OTHER_FORMAT),
        (other_format(r#""encoding":"audio/x-mulaw","sampleRate":16000,"channels":1"#), OTHER_FORMAT),
        (other_format(r#""encoding":"audio/x-mulaw","sampleRate":8000,"channels":2"#), OTHER_FORMAT),
        (other_format(""), OTHER_FORMAT),
    ];
    for (text, code) in cases {
        let mut line = Twilio::new();
        assert_eq!(read(&mut line, text), Some(CarrierEvent::Unfit(*code)), "{text}");
        assert_eq!(
            line.write(&CarrierCommand::Clear, &mut BytesMut::new()),
            Written::Nothing,
            "it has not started: {text}"
        );
    }
}

#[test]
fn a_start_that_makes_no_sense_starts_nothing() {
    let long = "M".repeat(129);
    let cases = [
        START.replace("MZ1", r#"MZ\"1"#),
        START.replace("MZ1", "MZ 1"),
        START.replace("MZ1", ""),
        START.replace("MZ1", &long),
        START.replace("CA3", ""),
        START.replace("CA3", "CA\\n3"),
        START.replacen("MZ1", "MZ2", 1),
        START.replace(r#""start":{"#, r#""begin":{"#),
        START.replace(r#"["inbound"]"#, "7"),
    ];
    for text in &cases {
        let mut line = Twilio::new();
        assert_eq!(read(&mut line, text), Some(CarrierEvent::Malformed), "{text}");
        assert_eq!(line.write(&CarrierCommand::Clear, &mut BytesMut::new()), Written::Nothing, "{text}");
    }
}

#[test]
fn numbers_may_be_strings_or_numbers_and_ids_may_be_missing() {
    let as_strings = START.replace("8000", r#""8000""#).replace(r#""channels":1"#, r#""channels":"1""#);
    let outer_only = START.replace(r#""callSid":"CA3","streamSid":"MZ1","#, r#""callSid":"CA3","#);
    let inner_only = START.replacen(r#""streamSid":"MZ1","#, "", 1);
    let bare = inner_only
        .replace(r#""accountSid":"AC2","#, "")
        .replace(r#"{"tn":"2","t0":"eyJ","t1":"rest"}"#, "null");
    for text in [as_strings, outer_only, inner_only, bare] {
        assert!(matches!(read(&mut Twilio::new(), &text), Some(CarrierEvent::Started(_))), "{text}");
    }
}

#[test]
fn each_message_after_the_start_says_one_thing() {
    let malformed = Some(CarrierEvent::Malformed);
    let cases = [
        (
            r#"{"event":"media","sequenceNumber":"2","streamSid":"MZ1","media":{"track":"inbound","chunk":"1","timestamp":"134","payload":"fn5+/w=="}}"#,
            audio(Some(134), "fn5+/w=="),
        ),
        (
            r#"{"event":"media","media":{"timestamp":134,"payload":"fn5+/w=="},"new":{"a":[1]}}"#,
            audio(Some(134), "fn5+/w=="),
        ),
        (r#"{"media":{"payload":"fn5+\/w=="},"streamSid":"MZ1","event":"media"}"#, audio(None, "fn5+/w==")),
        (
            r#"{"event":"m\u0065dia","media":{"timestamp":"soon","payload":"fn5+/w=="}}"#,
            audio(None, "fn5+/w=="),
        ),
        (r#"{"event":"media","media":{"track":"outbound","payload":"fn5+/w=="}}"#, None),
        (r#"{"event":"media","media":{"track":"inbound","payload":""}}"#, None),
        (r#"{"event":"media","streamSid":"MZ2","media":{"payload":"fn5+/w=="}}"#, malformed.clone()),
        (r#"{"event":"media","media":{"payload":"fn5-_w=="}}"#, malformed.clone()),
        (r#"{"event":"media","media":{"payload":"fn5+/w="}}"#, malformed.clone()),
        (r#"{"event":"media","media":{"payload":"\",\"x\":\""}}"#, malformed.clone()),
        (r#"{"event":"media","media":{"payload":7}}"#, malformed.clone()),
        (r#"{"event":"media","media":{}}"#, malformed.clone()),
        (r#"{"event":"media"}"#, malformed.clone()),
        (
            r#"{"event":"dtmf","streamSid":"MZ1","dtmf":{"track":"inbound_track","digit":"7"}}"#,
            Some(CarrierEvent::Key('7')),
        ),
        (r##"{"event":"dtmf","dtmf":{"digit":"#"}}"##, Some(CarrierEvent::Key('#'))),
        (r#"{"event":"dtmf","dtmf":{"digit":"D"}}"#, Some(CarrierEvent::Key('D'))),
        (r#"{"event":"dtmf","dtmf":{"digit":"E"}}"#, malformed.clone()),
        (r#"{"event":"dtmf","dtmf":{"digit":"11"}}"#, malformed.clone()),
        (r#"{"event":"dtmf","dtmf":{"digit":""}}"#, malformed.clone()),
        (r#"{"event":"dtmf"}"#, malformed.clone()),
        (r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"m12"}}"#, Some(CarrierEvent::Mark(MarkId(12)))),
        (r#"{"event":"mark","mark":{"name":"m4294967295"}}"#, Some(CarrierEvent::Mark(MarkId(u32::MAX)))),
        (r#"{"event":"mark","mark":{"name":"m4294967296"}}"#, None),
        (r#"{"event":"mark","mark":{"name":"m+1"}}"#, None),
        (r#"{"event":"mark","mark":{"name":"m"}}"#, None),
        (r#"{"event":"mark","mark":{"name":"r3:12800"}}"#, None),
        (r#"{"event":"mark"}"#, malformed.clone()),
        (r#"{"event":"stop","streamSid":"MZ1","stop":{"callSid":"CA3"}}"#, Some(CarrierEvent::Stopped)),
        (r#"{"event":"stop","streamSid":"MZ2"}"#, malformed.clone()),
        (r#"{"event":"weather","streamSid":"MZ2","rain":true}"#, None),
        (START, malformed.clone()),
        (&START.replace("mulaw", "l16"), Some(CarrierEvent::Unfit(FORMAT_CHANGED))),
        ("{}", malformed.clone()),
        (r#"{"event":7}"#, malformed.clone()),
        ("[]", malformed.clone()),
        ("not json", malformed.clone()),
        ("", malformed.clone()),
        (r#"{"event":"stop"} {}"#, malformed.clone()),
    ];
    for (text, expected) in cases {
        assert_eq!(read(&mut started(), text), expected, "{text}");
    }
}

#[test]
fn nothing_belongs_before_the_start() {
    for text in [
        r#"{"event":"media","streamSid":"MZ1","media":{"payload":"fn5+/w=="}}"#,
        r#"{"event":"dtmf","dtmf":{"digit":"7"}}"#,
        r#"{"event":"mark","mark":{"name":"m1"}}"#,
        r#"{"event":"stop"}"#,
    ] {
        assert_eq!(read(&mut Twilio::new(), text), Some(CarrierEvent::Malformed), "{text}");
    }
    for command in
        [CarrierCommand::Play(Audio::ulaw(&[7])), CarrierCommand::Mark(MarkId(1)), CarrierCommand::Clear]
    {
        let mut out = BytesMut::new();
        assert_eq!(Twilio::new().write(&command, &mut out), Written::Nothing, "{command:?}");
        assert!(out.is_empty(), "{command:?}");
    }
}

#[test]
fn more_than_a_second_in_one_message_is_not_a_voice() {
    let media = |bytes| {
        format!(r#"{{"event":"media","media":{{"payload":"{}"}}}}"#, Audio::ulaw(&vec![7; bytes]).text())
    };
    assert!(matches!(read(&mut started(), &media(8000)), Some(CarrierEvent::Audio { .. })));
    assert_eq!(read(&mut started(), &media(8001)), Some(CarrierEvent::Malformed));
}

#[test]
fn audio_is_a_piece_of_the_message_and_not_a_copy() {
    let text = Bytes::from_static(br#"{"event":"media","media":{"payload":"fn5+/w=="}}"#);
    let Some(CarrierEvent::Audio { audio, .. }) = started().read(&text) else { panic!("it is audio") };
    assert!(text.as_ptr_range().contains(&audio.text_bytes().as_ptr()));
}

#[test]
fn what_is_written_has_exactly_the_fields_that_twilio_takes() {
    let mut line = started();
    let cases = [
        (
            CarrierCommand::Play(Audio::ulaw(&[0x7e, 0x7e, 0x7e, 0xff])),
            json!({"event":"media","streamSid":"MZ1","media":{"payload":"fn5+/w=="}}),
        ),
        (CarrierCommand::Mark(MarkId(12)), json!({"event":"mark","streamSid":"MZ1","mark":{"name":"m12"}})),
        (CarrierCommand::Clear, json!({"event":"clear","streamSid":"MZ1"})),
    ];
    for (command, expected) in cases {
        let mut out = BytesMut::from("before");
        assert_eq!(line.write(&command, &mut out), Written::Text);
        let written: Value = serde_json::from_slice(out.strip_prefix(b"before").unwrap()).unwrap();
        assert_eq!(written, expected, "{command:?}");
    }
    assert_eq!(line.write(&CarrierCommand::Close(Closing::Done), &mut BytesMut::new()), Written::Nothing);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        started().read(&Bytes::from(bytes));
    }

    #[test]
    fn no_json_makes_it_panic(
        event in prop::sample::select(vec!["start", "media", "mark", "dtmf", "stop", "connected"]),
        part in prop::sample::select(vec!["start", "media", "mark", "dtmf", "stop", "event", "streamSid"]),
        value in prop::sample::select(vec!["null", "1", "-1", "1e400", "\"\"", "\"\\ud800\"", "[]", "{}", "[[]]", "true",
            r#"{"payload":"\u0000"}"#, r#"{"name":"m\u0031"}"#, r#"{"digit":"\ud83d\ude00"}"#, r#"{"tracks":[null]}"#]),
    ) {
        let text = format!(r#"{{"event":"{event}","{part}":{value}}}"#);
        read(&mut started(), &text);
        read(&mut Twilio::new(), &text);
    }

    #[test]
    fn what_is_written_to_one_line_can_be_read_from_another(ulaw in proptest::collection::vec(any::<u8>(), 1..800), mark: u32) {
        let audio = Audio::ulaw(&ulaw);
        let mut out = BytesMut::new();
        assert_eq!(started().write(&CarrierCommand::Play(audio.clone()), &mut out), Written::Text);
        prop_assert_eq!(started().read(&out.split().freeze()), Some(CarrierEvent::Audio { at: None, audio }));
        assert_eq!(started().write(&CarrierCommand::Mark(MarkId(mark)), &mut out), Written::Text);
        prop_assert_eq!(started().read(&out.split().freeze()), Some(CarrierEvent::Mark(MarkId(mark))));
    }
}
