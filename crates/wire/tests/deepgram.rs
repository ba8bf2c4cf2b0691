//! Deepgram's messages, as an ear and a mouth of a cascade understand and make them.

use std::time::Duration;

use bytes::Bytes;
use call::{
    Audio, FailureKind, Oddity, ReplyId,
    cascade::{EarCommand, EarEvent, MouthCommand, MouthEvent},
};
use serde_json::{Value, json};
use wire::{
    Frame, Protocol,
    deepgram::{self, Aura, AuraSetup, Flux, FluxSetup, Nova, NovaSetup},
};

fn read<P: Protocol>(session: &mut P, message: Value) -> Vec<P::Event> {
    session.read(&Bytes::from(message.to_string()));
    events(session)
}

fn events<P: Protocol>(session: &mut P) -> Vec<P::Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

/// Text as JSON, sound as its length in bytes.
fn frames<P: Protocol>(session: &mut P) -> Vec<Value> {
    let value = |frame| match frame {
        Frame::Control(text) | Frame::InOrder(text) | Frame::Goodbye(text) => {
            serde_json::from_slice(&text).unwrap()
        }
        Frame::Sound { bytes, time } => {
            assert_eq!(time, Duration::from_micros(bytes.len() as u64 * 125));
            json!(bytes.len())
        }
        Frame::Audio { .. } => panic!("audio as text"),
        Frame::Ping => json!("ping"),
        Frame::Close => json!("close"),
    };
    std::iter::from_fn(|| session.poll_frame()).map(value).collect()
}

fn frame() -> Audio {
    Audio::ulaw(&[0x55; 160])
}

fn turn(event: &str, transcript: &str) -> Value {
    json!({ "type": "TurnInfo", "event": event, "transcript": transcript, "turn_index": 0, "new_field": [] })
}

#[test]
fn flux_is_asked_only_for_what_it_takes() {
    let setup = FluxSetup {
        model: "flux-general-multi".into(),
        languages: vec!["en".into(), "hi".into()],
        keyterms: vec!["Mill Street".into()],
        sure: Some(0.7),
        guess: Some(0.4),
        silence_ms: Some(4_000),
    };
    assert_eq!(
        setup.path_and_query(),
        "/v2/listen?model=flux-general-multi&encoding=mulaw&sample_rate=8000&eot_threshold=0.7&eager_eot_threshold=0.4\
         &eot_timeout_ms=4000&keyterm=Mill%20Street&language_hint=en&language_hint=hi"
    );
    let plain = FluxSetup { model: "flux-general-en".into(), ..FluxSetup::default() };
    assert_eq!(plain.path_and_query(), "/v2/listen?model=flux-general-en&encoding=mulaw&sample_rate=8000");
    assert_eq!(deepgram::host("https://api.eu.deepgram.com/v1"), "https://api.eu.deepgram.com");
    assert_eq!(deepgram::host("http://127.0.0.1:9/"), "http://127.0.0.1:9");
}

#[test]
fn flux_tells_turns_from_their_first_word_to_their_end() {
    let mut flux = Flux::default();
    assert_eq!(read(&mut flux, json!({ "type": "Connected", "request_id": "x" })), [EarEvent::Ready]);
    assert_eq!(read(&mut flux, turn("Update", "")), []);
    assert_eq!(
        read(&mut flux, turn("StartOfTurn", "When")),
        [EarEvent::Started, EarEvent::Words("When".into())]
    );
    assert_eq!(read(&mut flux, turn("Update", "When do")), [EarEvent::Words("When do".into())]);
    assert_eq!(read(&mut flux, turn("EagerEndOfTurn", "When do")), [EarEvent::Perhaps("When do".into())]);
    assert_eq!(read(&mut flux, turn("TurnResumed", "When do")), [EarEvent::Resumed]);
    let end = read(&mut flux, turn("EndOfTurn", "When do you open?"));
    assert_eq!(end, [EarEvent::Ended("When do you open?".into())]);
}

#[test]
fn flux_hears_in_pieces_of_80_ms_and_never_gets_a_keep_alive() {
    let mut flux = Flux::default();
    for _ in 0..9 {
        flux.obey(EarCommand::Hear(frame()));
    }
    assert_eq!(frames(&mut flux), [json!(640), json!(640)]);
    flux.obey(EarCommand::EndTurn);
    flux.obey(EarCommand::Ping);
    flux.obey(EarCommand::Close);
    assert_eq!(
        frames(&mut flux),
        [json!(160), json!({ "type": "ForceEndTurn" }), json!("ping"), json!({ "type": "CloseStream" })]
    );
    flux.obey(EarCommand::Hear(frame()));
    flux.closed(None, "");
    assert_eq!((frames(&mut flux), events(&mut flux)), (vec![], vec![]));
}

#[test]
fn what_flux_says_that_is_new_or_broken_is_counted_and_an_error_is_the_end() {
    let mut flux = Flux::default();
    assert_eq!(read(&mut flux, json!({ "type": "Weather" })), [EarEvent::Odd(Oddity::UnknownEvent)]);
    assert_eq!(read(&mut flux, turn("Sneeze", "")), [EarEvent::Odd(Oddity::UnknownEvent)]);
    flux.read(&Bytes::from_static(b"{"));
    assert_eq!(events(&mut flux), [EarEvent::Odd(Oddity::Malformed)]);
    assert_eq!(read(&mut flux, json!({ "type": "Warning", "code": "X" })), [EarEvent::Odd(Oddity::OwnError)]);
    let failed =
        read(&mut flux, json!({ "type": "Error", "code": "INTERNAL_SERVER_ERROR", "description": "oh" }));
    let [EarEvent::Failed(failure)] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!((failure.kind, &*failure.detail), (FailureKind::Provider, "INTERNAL_SERVER_ERROR: oh"));
    flux.closed(Some(1011), "NET-0000");
    assert_eq!(events(&mut flux), [], "said once");
}

#[test]
fn one_who_only_talks_nonsense_is_given_up() {
    let mut flux = Flux::default();
    (0..20).for_each(|_| flux.read(&Bytes::from_static(b"nonsense")));
    let last = events(&mut flux).pop();
    assert!(matches!(last, Some(EarEvent::Failed(failure)) if failure.kind == FailureKind::Nonsense));
}

fn results(transcript: &str, is_final: bool, speech_final: bool) -> Value {
    json!({
        "type": "Results", "is_final": is_final, "speech_final": speech_final, "start": 0.0, "duration": 1.0,
        "channel_index": [0, 1], "channel": { "alternatives": [{ "transcript": transcript, "confidence": 0.9 }] },
    })
}

#[test]
fn nova_makes_turns_of_segments() {
    let setup = NovaSetup {
        model: "nova-3".into(),
        language: Some("multi".into()),
        keyterms: vec!["a&b".into()],
        silence_ms: 300,
    };
    assert_eq!(
        setup.path_and_query(),
        "/v1/listen?model=nova-3&encoding=mulaw&sample_rate=8000&channels=1&interim_results=true&smart_format=true\
         &endpointing=300&utterance_end_ms=1000&language=multi&keyterm=a%26b"
    );
    let mut nova = Nova::default();
    assert_eq!(events(&mut nova), [EarEvent::Ready]);
    assert_eq!(read(&mut nova, results("", false, false)), []);
    assert_eq!(
        read(&mut nova, results("I would", false, false)),
        [EarEvent::Started, EarEvent::Words("I would".into())]
    );
    assert_eq!(
        read(&mut nova, results("I would like", true, false)),
        [EarEvent::Words("I would like".into())]
    );
    assert_eq!(
        read(&mut nova, results("rye bread", false, false)),
        [EarEvent::Words("I would like rye bread".into())]
    );
    let end = read(&mut nova, results("rye bread.", true, true));
    assert_eq!(
        end,
        [
            EarEvent::Words("I would like rye bread.".into()),
            EarEvent::Ended("I would like rye bread.".into())
        ]
    );
    let utterance_end = json!({ "type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 4.5 });
    assert_eq!(read(&mut nova, utterance_end.clone()), [], "the turn was over already");
    read(&mut nova, results("In noise", true, false));
    assert_eq!(read(&mut nova, utterance_end), [EarEvent::Ended("In noise".into())]);
    assert_eq!(read(&mut nova, json!({ "type": "SpeechStarted", "channel": [0, 1], "timestamp": 1.0 })), []);
}

#[test]
fn nova_is_asked_for_the_end_and_closed_in_its_own_way() {
    let mut nova = Nova::default();
    events(&mut nova);
    nova.obey(EarCommand::Hear(frame()));
    nova.obey(EarCommand::EndTurn);
    assert_eq!(frames(&mut nova), [json!(160), json!({ "type": "Finalize" })]);
    let mut last = results("", true, false);
    last["from_finalize"] = true.into();
    assert_eq!(read(&mut nova, last), [EarEvent::Ended(String::new())]);
    nova.obey(EarCommand::Close);
    assert_eq!(frames(&mut nova), [json!({ "type": "CloseStream" })]);
}

const ONE: ReplyId = ReplyId(1);
const TWO: ReplyId = ReplyId(2);

fn say(aura: &mut Aura, reply: ReplyId, words: &str) {
    aura.obey(MouthCommand::Say { reply, words: words.into() });
}

fn speak(words: &str) -> Value {
    json!({ "type": "Speak", "text": words })
}

fn flush() -> Value {
    json!({ "type": "Flush" })
}

#[test]
fn aura_begins_early_and_is_flushed_at_most_twice() {
    let setup = AuraSetup { model: "aura-2-thalia-en".into(), speed: None };
    assert_eq!(setup.path_and_query(), "/v1/speak?model=aura-2-thalia-en&encoding=mulaw&sample_rate=8000");
    let mut aura = Aura::default();
    assert_eq!(events(&mut aura), [MouthEvent::Ready]);
    say(&mut aura, ONE, "Sure,");
    say(&mut aura, ONE, "we open at eight.");
    aura.obey(MouthCommand::Finish(ONE));
    assert_eq!(frames(&mut aura), [speak("Sure, "), flush(), speak("we open at eight. "), flush()]);
    aura.read_binary(&Bytes::from_static(&[1, 2, 3]));
    assert_eq!(events(&mut aura), [MouthEvent::Speech { reply: ONE, audio: Audio::ulaw(&[1, 2, 3]) }]);
    assert_eq!(read(&mut aura, json!({ "type": "Flushed", "sequence_id": 0 })), []);
    assert_eq!(read(&mut aura, json!({ "type": "Flushed", "sequence_id": 1 })), [MouthEvent::Done(ONE)]);
    say(&mut aura, TWO, "Anything else?");
    aura.obey(MouthCommand::Finish(TWO));
    assert_eq!(frames(&mut aura), [speak("Anything else? "), flush()]);
}

#[test]
fn after_a_stop_nothing_stale_is_heard_and_the_next_reply_waits_its_turn() {
    let mut aura = Aura::default();
    events(&mut aura);
    say(&mut aura, ONE, "We open at eight.");
    frames(&mut aura);
    aura.obey(MouthCommand::Stop { reply: ONE, heard: None });
    aura.obey(MouthCommand::Stop { reply: ONE, heard: None });
    say(&mut aura, TWO, "Gladly.");
    aura.obey(MouthCommand::Finish(TWO));
    assert_eq!(frames(&mut aura), [json!({ "type": "Clear" })]);
    aura.read_binary(&Bytes::from_static(&[1; 800]));
    assert_eq!(read(&mut aura, json!({ "type": "Flushed", "sequence_id": 1 })), [], "stale");
    assert_eq!(read(&mut aura, json!({ "type": "Cleared", "sequence_id": 2 })), [MouthEvent::Stopped]);
    assert_eq!(frames(&mut aura), [speak("Gladly. "), flush()]);
    aura.read_binary(&Bytes::from_static(&[2; 8]));
    assert_eq!(events(&mut aura), [MouthEvent::Speech { reply: TWO, audio: Audio::ulaw(&[2; 8]) }]);
    assert_eq!(read(&mut aura, json!({ "type": "Flushed", "sequence_id": 3 })), [MouthEvent::Done(TWO)]);
}

#[test]
fn a_long_text_is_cut_where_deepgram_would_refuse_it() {
    let mut aura = Aura::default();
    let text = "wörd ".repeat(1_000).trim().to_owned();
    say(&mut aura, ONE, &text);
    let said: Vec<String> = frames(&mut aura)
        .iter()
        .filter_map(|frame| frame["text"].as_str())
        .map(|text| {
            assert!(text.chars().count() <= 2_000);
            text.trim().to_owned()
        })
        .collect();
    assert_eq!(said.join(" "), text);
}

#[test]
fn refusals_are_named_and_keys_stay_out_of_them() {
    for (status, body, kind) in [
        (
            401,
            r#"{"err_code":"INVALID_AUTH","err_msg":"Invalid credentials.","request_id":"x"}"#,
            FailureKind::BadKey,
        ),
        (402, r#"{"err_code":"ASR_PAYMENT_REQUIRED","err_msg":"no credit"}"#, FailureKind::Quota),
        (403, r#"{"category":"INSUFFICIENT_PERMISSIONS","message":"no such model"}"#, FailureKind::Refused),
        (429, "{}", FailureKind::RateLimited),
        (503, "<html>", FailureKind::Provider),
        (400, "null", FailureKind::Refused),
    ] {
        let failure = deepgram::refused(status, body.as_bytes());
        assert_eq!((failure.provider, failure.kind), ("deepgram", kind), "{status}");
        assert!(failure.detail.contains(&status.to_string()), "{failure}");
    }
    let leaky = format!(
        r#"{{"err_code":"X","err_msg":"key {} is bad"}}"#,
        "0123456789abcdef0123456789abcdef01234567"
    );
    assert!(!deepgram::refused(401, leaky.as_bytes()).detail.contains("0123456789abcdef"));
}
