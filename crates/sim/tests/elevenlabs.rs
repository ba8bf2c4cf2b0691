//! The pretend ElevenLabs against a raw client: contexts that speak, segments that are committed, and every complaint.

mod common;

use common::{LIMIT, Socket, encode, open, say};
use futures_util::StreamExt;
use serde_json::{Value, json};
use sim::{
    deepgram::{ListenWhen, SpeakWhen, Trouble, audio_of},
    elevenlabs::{Behaviour, ElevenLabs},
    voice::speech,
};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

const VOICE: &str = "/v1/text-to-speech/v/multi-stream-input?model_id=eleven_flash_v2_5&output_format=ulaw_8000&auto_mode=true";
const SCRIBE: &str =
    "/v1/speech-to-text/realtime?model_id=scribe_v2_realtime&audio_format=ulaw_8000&commit_strategy=manual";

async fn service(behaviour: Behaviour) -> ElevenLabs {
    let elevenlabs = ElevenLabs::start().await.unwrap();
    elevenlabs.behave("k", behaviour);
    elevenlabs
}

async fn socket(elevenlabs: &ElevenLabs, path: &str, key: &str) -> Socket {
    open(elevenlabs.address, path, &[("xi-api-key", key)]).await
}

async fn next(socket: &mut Socket) -> Value {
    match tokio::time::timeout(LIMIT, socket.next()).await.expect("a message in time") {
        Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
        Some(Ok(Message::Close(frame))) => json!({ "close": frame.map(|it| u16::from(it.code)) }),
        Some(Ok(_)) => json!({}),
        Some(Err(_)) | None => json!({ "end": true }),
    }
}

/// Everything up to the first that `is_it`, and that one last.
async fn until(socket: &mut Socket, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let message = next(socket).await;
        let over = is_it(&message);
        assert!(over || message.get("end").is_none(), "it ended: {all:?}");
        all.push(message);
        if over {
            return all;
        }
    }
}

fn is(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |message| message["message_type"] == kind
}

fn closes(code: u16) -> impl Fn(&Value) -> bool {
    move |message| message["close"] == code
}

fn sound_ms(messages: &[Value], context: &str) -> usize {
    let of = |one: &&Value| one["contextId"] == context || one["context_id"] == context;
    let audio = messages.iter().filter(of).filter_map(|one| one["audio"].as_str());
    audio.map(|text| common::decode(text).len() / 8).sum()
}

async fn begin(socket: &mut Socket, context: &str, words: &str) {
    say(socket, json!({ "text": " ", "context_id": context })).await;
    say(socket, json!({ "text": format!("{words} "), "context_id": context, "flush": true })).await;
}

#[tokio::test]
async fn each_context_speaks_and_says_when_it_is_done() {
    let elevenlabs = service(Behaviour::default()).await;
    let mut socket = socket(&elevenlabs, VOICE, "k").await;
    begin(&mut socket, "r1", "At eight.").await;
    say(&mut socket, json!({ "context_id": "r1", "close_context": true })).await;
    begin(&mut socket, "r2", "And at six.").await;
    let all = until(&mut socket, |one| one["isFinal"] == true).await;
    assert_eq!(all.last().unwrap()["contextId"], "r1");
    assert_eq!(sound_ms(&all, "r1"), audio_of("At eight.", Duration::from_millis(65)).len() / 8);
    // Closing does not stop: the rest still comes.
    say(&mut socket, json!({ "context_id": "r2", "close_context": true })).await;
    let rest = until(&mut socket, |one| one["isFinal"] == true).await;
    assert_eq!(
        sound_ms(&all, "r2") + sound_ms(&rest, "r2"),
        audio_of("And at six.", Duration::from_millis(65)).len() / 8
    );
    say(&mut socket, json!({ "close_socket": true })).await;
    until(&mut socket, closes(1000)).await;
    assert_eq!(elevenlabs.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_sixth_context_ends_the_socket() {
    let elevenlabs = service(Behaviour::default()).await;
    let mut socket = socket(&elevenlabs, VOICE, "k").await;
    for number in 0..6 {
        say(&mut socket, json!({ "text": " ", "context_id": format!("r{number}") })).await;
    }
    until(&mut socket, closes(1008)).await;
    assert_eq!(elevenlabs.violations(), ["more than five contexts"]);
}

#[tokio::test]
async fn what_a_voice_does_not_take_is_counted() {
    for message in [
        json!({ "text": "Hi. ", "context_id": "new" }),
        json!({ "text": "Hi." }),
        json!({ "context_id": "gone", "close_context": true }),
        json!({ "text": " ", "context_id": "r", "speed": 2 }),
    ] {
        let elevenlabs = service(Behaviour::default()).await;
        let mut socket = socket(&elevenlabs, VOICE, "k").await;
        say(&mut socket, message.clone()).await;
        say(&mut socket, json!({ "close_socket": true })).await;
        until(&mut socket, closes(1000)).await;
        assert_eq!(elevenlabs.violations().len(), 1, "{message}: {:?}", elevenlabs.violations());
    }
}

#[tokio::test]
async fn a_good_upgrade_proves_nothing() {
    let elevenlabs = service(Behaviour::default()).await;
    for (path, key, name) in [
        (VOICE, "invalid", "invalid_api_key"),
        (
            "/v1/text-to-speech/nobody/multi-stream-input?model_id=eleven_flash_v2_5&output_format=ulaw_8000",
            "k",
            "voice_not_found",
        ),
    ] {
        let mut socket = socket(&elevenlabs, path, key).await;
        assert_eq!(next(&mut socket).await["error"], name);
        until(&mut socket, closes(1008)).await;
    }
    for (path, key, kind) in [
        (SCRIBE, "invalid", "auth_error"),
        ("/v1/speech-to-text/realtime?model_id=scribe_v9&audio_format=ulaw_8000", "k", "invalid_request"),
    ] {
        let mut socket = socket(&elevenlabs, path, key).await;
        assert_eq!(next(&mut socket).await["message_type"], kind);
        until(&mut socket, closes(1008)).await;
    }
    assert_eq!(elevenlabs.violations(), Vec::<String>::new());
    let mut socket = socket(&elevenlabs, &format!("{SCRIBE}&language_code=en-US"), "k").await;
    assert_eq!(next(&mut socket).await["message_type"], "invalid_request");
    assert_eq!(elevenlabs.violations(), ["language_code with a region"]);
}

async fn hear(socket: &mut Socket, sound: &[u8], commit: bool) {
    for piece in sound.chunks(800) {
        chunk(socket, piece, false).await;
    }
    if commit {
        chunk(socket, &[], true).await;
    }
}

async fn chunk(socket: &mut Socket, bytes: &[u8], commit: bool) {
    let message = json!({ "message_type": "input_audio_chunk", "audio_base_64": encode(bytes), "commit": commit, "sample_rate": 8000 });
    say(socket, message).await;
}

#[tokio::test]
async fn a_commit_brings_the_words_of_its_segment() {
    let mut behaviour = Behaviour::default();
    behaviour.listen.hears = vec!["When do you open?".into(), "Thanks.".into()];
    let elevenlabs = service(behaviour).await;
    let mut socket = socket(&elevenlabs, SCRIBE, "k").await;
    assert_eq!(next(&mut socket).await["message_type"], "session_started");
    for (seed, words) in [(5, "When do you open?"), (6, "Thanks.")] {
        hear(&mut socket, &speech(Duration::from_millis(900), seed), true).await;
        let all = until(&mut socket, is("committed_transcript")).await;
        assert_eq!(all.last().unwrap()["text"], words);
        let partials: Vec<_> = all.iter().filter(|one| one["message_type"] == "partial_transcript").collect();
        assert!(
            !partials.is_empty()
                && partials.iter().all(|one| words.starts_with(one["text"].as_str().unwrap()))
        );
    }
    hear(&mut socket, &[0xff; 4_000], true).await;
    assert_eq!(until(&mut socket, is("committed_transcript")).await.last().unwrap()["text"], "");
    socket.close(None).await.unwrap();
    let ear = elevenlabs.listener("k", 0, LIMIT).await.unwrap();
    ear.until(|ledger| ledger.end.is_some(), LIMIT).await.unwrap();
    assert_eq!(ear.look(|ledger| (ledger.commits, ledger.turns.len())), (3, 2));
    assert_eq!(elevenlabs.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn what_scribe_does_not_take_ends_the_session_and_is_counted() {
    for message in [
        json!({ "message_type": "commit" }),
        json!({ "message_type": "input_audio_chunk", "audio_base_64": "?", "commit": false }),
        json!({ "message_type": "input_audio_chunk", "audio_base_64": "", "commit": true }),
        json!({ "message_type": "input_audio_chunk", "audio_base_64": "", "sample_rate": 16000 }),
        json!({ "message_type": "input_audio_chunk", "audio_base_64": "", "language": "en" }),
    ] {
        let elevenlabs = service(Behaviour::default()).await;
        let mut socket = socket(&elevenlabs, SCRIBE, "k").await;
        say(&mut socket, message.clone()).await;
        until(&mut socket, closes(1008)).await;
        assert_eq!(elevenlabs.violations().len(), 1, "{message}: {:?}", elevenlabs.violations());
    }
}

#[tokio::test]
async fn troubles_happen_when_they_should() {
    let mut behaviour = Behaviour::default();
    behaviour.listen.troubles = vec![(ListenWhen::TurnStarted(1), Trouble::Cut)];
    behaviour.speak.troubles = vec![(SpeakWhen::SoundSent(Duration::from_millis(300)), Trouble::Cut)];
    let elevenlabs = service(behaviour).await;
    let mut ear = socket(&elevenlabs, SCRIBE, "k").await;
    hear(&mut ear, &speech(Duration::from_millis(300), 5), false).await;
    until(&mut ear, |one| one.get("end").is_some()).await;
    let mut voice = socket(&elevenlabs, VOICE, "k").await;
    begin(&mut voice, "r1", "We open at eight every day.").await;
    let all = until(&mut voice, |one| one.get("end").is_some()).await;
    // The last piece may be cut off with the connection.
    assert!((100..=300).contains(&sound_ms(&all, "r1")), "{all:?}");
}
