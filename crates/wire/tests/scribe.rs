//! Scribe's messages, and how segments become turns.

use bytes::Bytes;
use call::{
    Audio, FailureKind, Oddity,
    cascade::{EarCommand, EarEvent},
    ulaw,
};
use serde_json::{Value, json};
use wire::{
    Frame, Protocol,
    elevenlabs::{Scribe, ScribeSetup},
};

fn scribe() -> Scribe {
    let mut scribe = Scribe::default();
    let started =
        json!({"message_type": "session_started", "session_id": "s", "config": {"sample_rate": 8000}});
    assert_eq!(read(&mut scribe, started), [EarEvent::Ready]);
    scribe
}

fn events(scribe: &mut Scribe) -> Vec<EarEvent> {
    std::iter::from_fn(|| scribe.poll_event()).collect()
}

fn read(scribe: &mut Scribe, message: Value) -> Vec<EarEvent> {
    scribe.read(&Bytes::from(message.to_string()));
    events(scribe)
}

fn partial(scribe: &mut Scribe, words: &str) -> Vec<EarEvent> {
    read(scribe, json!({"message_type": "partial_transcript", "text": words}))
}

fn committed(scribe: &mut Scribe, words: &str) -> Vec<EarEvent> {
    read(scribe, json!({"message_type": "committed_transcript", "text": words}))
}

fn hear(scribe: &mut Scribe, code: u8, ms: usize) {
    for _ in 0..ms / 20 {
        scribe.obey(EarCommand::Hear(Audio::ulaw(&[code; 160])));
    }
}

/// How many bytes of sound each message has, and whether it commits. What commits must arrive.
fn sent(scribe: &mut Scribe) -> Vec<(usize, bool)> {
    let read = |frame| {
        let (text, must) = match frame {
            Frame::Audio { text, .. } => (text, false),
            Frame::InOrder(text) => (text, true),
            other => panic!("{other:?}"),
        };
        let message: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(message["message_type"], "input_audio_chunk");
        assert_eq!(message["sample_rate"], 8000);
        assert_eq!(message["commit"], must);
        let audio = message["audio_base_64"].as_str().unwrap().to_owned();
        (Audio::base64(Bytes::from(audio)).unwrap().len(), must)
    };
    std::iter::from_fn(|| scribe.poll_frame()).map(read).collect()
}

fn words(text: &str) -> EarEvent {
    EarEvent::Words(text.into())
}

fn ended(text: &str) -> EarEvent {
    EarEvent::Ended(text.into())
}

const LOUD: u8 = 0x20;

#[test]
fn the_query_says_that_we_end_the_turns() {
    let setup = ScribeSetup {
        model: "scribe_v2_realtime".into(),
        language: Some("de".into()),
        keyterms: vec!["Contoso AG".into()],
    };
    assert_eq!(
        setup.path_and_query(),
        "/speech-to-text/realtime?model_id=scribe_v2_realtime&audio_format=ulaw_8000&commit_strategy=manual\
         &language_code=de&keyterms=Contoso%20AG"
    );
}

#[test]
fn sound_goes_out_a_tenth_of_a_second_at_a_time_and_the_commit_behind_it() {
    let mut scribe = scribe();
    hear(&mut scribe, LOUD, 1_060);
    scribe.obey(EarCommand::EndTurn);
    let mut expected = vec![(800, false); 10];
    expected.push((480, true));
    assert_eq!(sent(&mut scribe), expected);
    assert_eq!(partial(&mut scribe, "when do"), [words("when do")]);
    assert_eq!(partial(&mut scribe, ""), []);
    assert_eq!(committed(&mut scribe, "When do you open?"), [ended("When do you open?")]);
    let again = json!({"message_type": "committed_transcript_with_timestamps", "text": "When do you open?"});
    assert_eq!(read(&mut scribe, again), []);
}

#[test]
fn a_commit_of_too_little_sound_is_filled_up() {
    let mut scribe = scribe();
    hear(&mut scribe, LOUD, 60);
    scribe.obey(EarCommand::EndTurn);
    let bytes: usize = sent(&mut scribe).iter().map(|(bytes, _)| bytes).sum();
    assert!(ulaw::duration(bytes as u64).as_millis() >= 300, "{bytes} bytes");
    scribe.obey(EarCommand::EndTurn);
    assert!(sent(&mut scribe)[0].0 >= 2_400, "and the next one as well");
    assert_eq!(committed(&mut scribe, ""), [ended("")]);
}

#[test]
fn a_long_segment_is_committed_at_a_quiet_moment_and_its_words_are_kept() {
    let mut scribe = scribe();
    hear(&mut scribe, LOUD, 25_000);
    assert!(sent(&mut scribe).iter().all(|(_, commit)| !commit), "nobody is cut in mid-word");
    hear(&mut scribe, ulaw::SILENCE, 200);
    assert_eq!(sent(&mut scribe), [(800, true), (800, false)]);
    assert_eq!(committed(&mut scribe, "So I said"), [words("So I said")]);
    assert_eq!(partial(&mut scribe, "and then"), [words("So I said and then")]);
    hear(&mut scribe, LOUD, 400);
    scribe.obey(EarCommand::EndTurn);
    assert_eq!(committed(&mut scribe, "and then he left."), [ended("So I said and then he left.")]);
    // Who never breathes is cut all the same.
    sent(&mut scribe);
    hear(&mut scribe, LOUD, 31_000);
    assert_eq!(sent(&mut scribe).iter().filter(|(_, commit)| *commit).count(), 1);
}

#[test]
fn a_commit_of_the_providers_own_does_not_end_the_turn() {
    let mut scribe = scribe();
    assert_eq!(committed(&mut scribe, "First part."), [words("First part.")]);
    assert_eq!(committed(&mut scribe, ""), []);
    scribe.obey(EarCommand::EndTurn);
    assert_eq!(committed(&mut scribe, "Second part."), [ended("First part. Second part.")]);
}

#[test]
fn every_error_is_named_by_its_kind() {
    for (kind, expected) in [
        ("auth_error", FailureKind::BadKey),
        ("quota_exceeded", FailureKind::Quota),
        ("rate_limited", FailureKind::RateLimited),
        ("resource_exhausted", FailureKind::RateLimited),
        ("invalid_request", FailureKind::Refused),
        ("unaccepted_terms", FailureKind::Refused),
        ("session_time_limit_exceeded", FailureKind::Closed),
        ("queue_overflow", FailureKind::Closed),
        ("transcriber_error", FailureKind::Provider),
        ("something_new", FailureKind::Provider),
    ] {
        let mut scribe = scribe();
        let error = json!({"message_type": kind, "error": "what happened"});
        let [EarEvent::Failed(failure)] = &read(&mut scribe, error)[..] else { panic!("{kind}: no failure") };
        assert_eq!((failure.provider, failure.kind), ("elevenlabs", expected), "{kind}");
        assert_eq!(failure.detail, format!("{kind}: what happened"));
        scribe.closed(Some(1008), "");
        assert_eq!(events(&mut scribe), [], "said once");
    }
}

#[test]
fn what_is_unknown_is_let_pass() {
    let mut scribe = scribe();
    let odd = |oddity| [EarEvent::Odd(oddity)];
    assert_eq!(read(&mut scribe, json!({"message_type": "speakers_merged"})), odd(Oddity::UnknownEvent));
    assert_eq!(read(&mut scribe, json!({"message_type": "warning", "warning": "…"})), odd(Oddity::OwnError));
    assert_eq!(read(&mut scribe, json!({"text": "…"})), odd(Oddity::Malformed));
}

#[test]
fn commits_that_are_never_answered_are_not_collected() {
    let mut scribe = scribe();
    let mut failed = None;
    for _ in 0..100 {
        scribe.obey(EarCommand::EndTurn);
        failed = failed.or(events(&mut scribe).pop());
    }
    let Some(EarEvent::Failed(failure)) = failed else { panic!("no failure") };
    assert_eq!(failure.kind, FailureKind::Stalled);
}
