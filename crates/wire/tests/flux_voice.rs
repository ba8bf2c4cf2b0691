//! Flux's messages as a voice: what it is told, and how its clock is kept over interruptions.

use std::time::Duration;

use bytes::Bytes;
use call::{
    Audio, FailureKind, Oddity, ReplyId,
    cascade::{MouthCommand, MouthEvent},
};
use serde_json::{Value, json};
use wire::{
    Frame, Protocol,
    deepgram::{FluxVoice, FluxVoiceSetup},
};

/// A voice that is ready.
fn voice() -> FluxVoice {
    let mut voice = FluxVoice::default();
    assert_eq!(read(&mut voice, json!({"type": "Connected", "request_id": "r"})), [MouthEvent::Ready]);
    voice
}

fn events(voice: &mut FluxVoice) -> Vec<MouthEvent> {
    std::iter::from_fn(|| voice.poll_event()).collect()
}

fn read(voice: &mut FluxVoice, message: Value) -> Vec<MouthEvent> {
    voice.read(&Bytes::from(message.to_string()));
    events(voice)
}

fn sound(voice: &mut FluxVoice, ms: usize) -> Vec<MouthEvent> {
    voice.read_binary(&Bytes::from(vec![7; ms * 8]));
    events(voice)
}

fn sent(voice: &mut FluxVoice) -> Vec<Value> {
    let value = |frame| match frame {
        Frame::Control(text) | Frame::Goodbye(text) => serde_json::from_slice(&text).unwrap(),
        Frame::Ping => json!("ping"),
        other => panic!("{other:?}"),
    };
    std::iter::from_fn(|| voice.poll_frame()).map(value).collect()
}

fn say(voice: &mut FluxVoice, reply: u32, words: &str) {
    voice.obey(MouthCommand::Say { reply: ReplyId(reply), words: words.into() });
}

fn stop(voice: &mut FluxVoice, reply: u32, heard_ms: u64) {
    let heard = Some(Duration::from_millis(heard_ms));
    voice.obey(MouthCommand::Stop { reply: ReplyId(reply), heard });
}

/// The whole life of a turn, so long.
fn turn(voice: &mut FluxVoice, reply: u32, ms: usize) {
    say(voice, reply, "Hello.");
    voice.obey(MouthCommand::Finish(ReplyId(reply)));
    assert_eq!(sound(voice, ms).len(), 1);
    let done = read(voice, json!({"type": "SpeechMetadata", "speech_id": "s", "audio_duration_ms": ms}));
    assert_eq!(done, [MouthEvent::Done(ReplyId(reply))]);
    sent(voice);
}

fn interrupt(ms: u64) -> Value {
    json!({"type": "Interrupt", "playback_offset": {"type": "time_ms", "value": ms}})
}

fn interrupted(ms: u64, spoken: &str) -> Value {
    json!({"type": "SpeechInterrupted", "audio_played_ms": ms, "text_spoken": spoken, "text_remaining": "…",
           "metadata": {"speech_id": "s"}})
}

fn heard(reply: u32, words: &str) -> MouthEvent {
    MouthEvent::Heard { reply: ReplyId(reply), words: words.into() }
}

#[test]
fn speed_goes_in_steps() {
    let setup = FluxVoiceSetup { model: "flux-kit-en".into(), speed: Some(1.07) };
    assert_eq!(
        setup.path_and_query(),
        "/v2/speak?model=flux-kit-en&encoding=mulaw&sample_rate=8000&speed=1.05"
    );
}

#[test]
fn a_turn_is_spoken_flushed_and_done_when_its_metadata_come() {
    let mut voice = voice();
    say(&mut voice, 1, "Sure,");
    say(&mut voice, 1, "one moment.");
    voice.obey(MouthCommand::Finish(ReplyId(1)));
    assert_eq!(
        sent(&mut voice),
        [
            json!({"type": "Speak", "text": "Sure, "}),
            json!({"type": "Speak", "text": "one moment. "}),
            json!({"type": "Flush"})
        ]
    );
    assert_eq!(read(&mut voice, json!({"type": "SpeechStarted", "speech_id": "s"})), []);
    let speech = MouthEvent::Speech { reply: ReplyId(1), audio: Audio::ulaw(&[7; 800]) };
    assert_eq!(sound(&mut voice, 100), [speech]);
    assert_eq!(read(&mut voice, json!({"type": "Flushed", "speech_id": "s"})), [], "sound may still come");
    let metadata = json!({"type": "SpeechMetadata", "speech_id": "s", "audio_duration_ms": 100});
    assert_eq!(read(&mut voice, metadata), [MouthEvent::Done(ReplyId(1))]);
}

#[test]
fn an_interruption_counts_from_the_sessions_first_sound() {
    let mut voice = voice();
    turn(&mut voice, 1, 2_000);
    say(&mut voice, 2, "We open at eight on weekdays.");
    sound(&mut voice, 900);
    sent(&mut voice);
    stop(&mut voice, 2, 400);
    assert_eq!(sent(&mut voice), [interrupt(2_400)]);
    // The next reply waits, for it would be taken for more of this turn; stale sound is dropped.
    say(&mut voice, 3, "Sorry?");
    assert_eq!(sent(&mut voice), Vec::<Value>::new());
    assert_eq!(sound(&mut voice, 300), []);
    let events = read(&mut voice, interrupted(2_400, "We open "));
    assert_eq!(events, [heard(2, "We open"), MouthEvent::Stopped]);
    assert_eq!(sent(&mut voice), [json!({"type": "Speak", "text": "Sorry? "})]);
    // The session's clock goes on from what was heard.
    assert_eq!(sound(&mut voice, 500).len(), 1);
    stop(&mut voice, 3, 250);
    assert_eq!(sent(&mut voice), [interrupt(2_650)]);
}

#[test]
fn an_offset_is_always_beyond_the_last_one() {
    let mut voice = voice();
    say(&mut voice, 1, "Hello.");
    sound(&mut voice, 500);
    stop(&mut voice, 1, 300);
    read(&mut voice, interrupted(300, "Hel"));
    say(&mut voice, 2, "Yes?");
    sound(&mut voice, 500);
    sent(&mut voice);
    stop(&mut voice, 2, 0); // nothing of it was heard
    assert_eq!(sent(&mut voice), [interrupt(301)]);
}

#[test]
fn before_the_sessions_first_sound_nothing_can_be_interrupted_so_it_is_tried_again() {
    let mut voice = voice();
    say(&mut voice, 1, "Hello, this is the bakery.");
    sent(&mut voice);
    stop(&mut voice, 1, 0);
    assert_eq!(sent(&mut voice), [interrupt(1)]);
    let warning = json!({"type": "Warning", "code": "NO_AUDIO_GENERATED", "description": "…"});
    assert_eq!(read(&mut voice, warning), [], "it is not stopped");
    say(&mut voice, 2, "Yes?");
    assert_eq!(sent(&mut voice), Vec::<Value>::new());
    assert_eq!(sound(&mut voice, 100), []);
    assert_eq!(sent(&mut voice), [interrupt(1)]);
    assert_eq!(sound(&mut voice, 100), []);
    assert_eq!(sent(&mut voice), Vec::<Value>::new(), "once");
    let events = read(&mut voice, interrupted(1, ""));
    assert_eq!(events, [heard(1, ""), MouthEvent::Stopped]);
    assert_eq!(sent(&mut voice), [json!({"type": "Speak", "text": "Yes? "})]);
}

#[test]
fn a_turn_that_ended_before_the_interruption_arrived_counts_in_full() {
    let mut voice = voice();
    say(&mut voice, 1, "Hello.");
    voice.obey(MouthCommand::Finish(ReplyId(1)));
    sound(&mut voice, 800);
    stop(&mut voice, 1, 200);
    sent(&mut voice);
    let metadata = json!({"type": "SpeechMetadata", "speech_id": "s", "audio_duration_ms": 800});
    assert_eq!(read(&mut voice, metadata), [], "a stopped reply is not done");
    let warning = json!({"type": "Warning", "code": "NO_ACTIVE_SPEECH", "description": "…"});
    assert_eq!(read(&mut voice, warning), [MouthEvent::Stopped]);
    say(&mut voice, 2, "Yes?");
    sound(&mut voice, 400);
    sent(&mut voice);
    stop(&mut voice, 2, 100);
    assert_eq!(sent(&mut voice), [interrupt(900)]);
}

#[test]
fn a_stop_without_knowledge_asks_for_no_words_and_takes_the_servers_clock() {
    let mut voice = voice();
    say(&mut voice, 1, "Hello.");
    sound(&mut voice, 500);
    sent(&mut voice);
    voice.obey(MouthCommand::Stop { reply: ReplyId(1), heard: None });
    assert_eq!(sent(&mut voice), [json!({"type": "Interrupt"})]);
    let answer = json!({"type": "SpeechInterrupted", "audio_played_ms": 700, "metadata": {"speech_id": "s"}});
    assert_eq!(read(&mut voice, answer), [MouthEvent::Stopped]);
    say(&mut voice, 2, "Yes?");
    sent(&mut voice);
    stop(&mut voice, 2, 50);
    assert_eq!(sent(&mut voice), [interrupt(750)]);
}

#[test]
fn a_reply_that_is_stopped_while_it_waits_is_never_said() {
    let mut voice = voice();
    say(&mut voice, 1, "Hello.");
    sound(&mut voice, 500);
    stop(&mut voice, 1, 100);
    say(&mut voice, 2, "Never said.");
    stop(&mut voice, 2, 0);
    say(&mut voice, 3, "But this.");
    sent(&mut voice);
    read(&mut voice, interrupted(100, ""));
    assert_eq!(sent(&mut voice), [json!({"type": "Speak", "text": "But this. "})]);
}

#[test]
fn what_is_unknown_is_let_pass_and_what_is_fatal_is_named() {
    let mut voice = voice();
    assert_eq!(read(&mut voice, json!({"type": "SomethingNew"})), [MouthEvent::Odd(Oddity::UnknownEvent)]);
    let stripped = json!({"type": "Warning", "code": "INPUT_MARKUP_STRIPPED", "description": "…"});
    assert_eq!(read(&mut voice, stripped), [MouthEvent::Odd(Oddity::BenignError)]);
    let invalid = json!({"type": "Warning", "code": "INVALID_INTERRUPT_OFFSET", "description": "…"});
    assert_eq!(read(&mut voice, invalid), [MouthEvent::Odd(Oddity::OwnError)]);
    voice.obey(MouthCommand::KeepAlive);
    assert_eq!(sent(&mut voice), [json!("ping")]);
    let error = json!({"type": "Error", "code": "NET-0004", "description": "idle"});
    let [MouthEvent::Failed(failure)] = &read(&mut voice, error)[..] else { panic!("no failure") };
    assert_eq!((failure.kind, &*failure.detail), (FailureKind::Provider, "NET-0004: idle"));
    voice.closed(Some(1011), "");
    assert_eq!(events(&mut voice), [], "said once");
}
