//! The pretend Deepgram against a raw client: what it says, what it takes, and what it holds against a client.

mod common;

use common::{LIMIT, Socket, open, say};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sim::{
    deepgram::{Behaviour, Deepgram, DeepgramOptions, ListenWhen, PartEnd, SpeakWhen, Trouble, audio_of},
    voice::speech,
};
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Error, Message};

const FLUX: &str = "/v2/listen?model=flux-general-en&encoding=mulaw&sample_rate=8000";
const NOVA: &str = "/v1/listen?model=nova-3&encoding=mulaw&sample_rate=8000&interim_results=true&endpointing=300&utterance_end_ms=1000";
const AURA: &str = "/v1/speak?model=aura-2-thalia-en&encoding=mulaw&sample_rate=8000";
const VOICE: &str = "/v2/speak?model=flux-kit-en&encoding=mulaw&sample_rate=8000";

async fn service(behaviour: Behaviour) -> Deepgram {
    Deepgram::start(DeepgramOptions { behaviour }).await.unwrap()
}

async fn socket(deepgram: &Deepgram, path: &str) -> Socket {
    open(deepgram.address, path, &[("authorization", "Token k")]).await
}

/// The next message; binary ones as their length in milliseconds.
async fn next(socket: &mut Socket) -> Value {
    let message = tokio::time::timeout(LIMIT, socket.next()).await.expect("a message in time");
    match message {
        Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
        Some(Ok(Message::Binary(bytes))) => json!({ "type": "sound", "ms": bytes.len() / 8 }),
        Some(Ok(Message::Close(frame))) => {
            json!({ "type": "close", "code": frame.map(|it| u16::from(it.code)) })
        }
        Some(Ok(_)) => json!({ "type": "other" }),
        Some(Err(_)) | None => json!({ "type": "end" }),
    }
}

/// Everything up to the first of this type, and that one last.
async fn until(socket: &mut Socket, kind: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let message = next(socket).await;
        let over = message["type"] == kind;
        assert!(message["type"] != "end" || over, "it ended before {kind}: {all:?}");
        all.push(message);
        if over {
            return all;
        }
    }
}

async fn hear(socket: &mut Socket, sound: &[u8]) {
    for piece in sound.chunks(640) {
        socket.send(Message::binary(piece.to_vec())).await.unwrap();
    }
}

/// A second of speech and so much silence.
async fn speak(socket: &mut Socket, silence_ms: usize) {
    hear(socket, &speech(Duration::from_millis(960), 5)).await;
    hear(socket, &vec![0xff; silence_ms * 8]).await;
}

fn events(messages: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = messages.iter().filter_map(|one| one["event"].as_str()).collect();
    names.dedup();
    names
}

fn sound_ms(messages: &[Value]) -> u64 {
    messages.iter().filter_map(|one| one["ms"].as_u64()).sum()
}

async fn refusal(path: &str, key: &str) -> (u16, String) {
    let deepgram = service(Behaviour::default()).await;
    let tcp = tokio::net::TcpStream::connect(deepgram.address).await.unwrap();
    let mut request = tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(
        format!("ws://{}{path}", deepgram.address),
    )
    .unwrap();
    request.headers_mut().insert("authorization", format!("Token {key}").parse().unwrap());
    match tokio_tungstenite::client_async(request, tcp).await {
        Err(Error::Http(response)) => {
            let body: Value =
                serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap_or_default();
            (response.status().as_u16(), body["err_code"].as_str().unwrap_or("").to_owned())
        }
        other => panic!("{path}: {other:?}"),
    }
}

#[tokio::test]
async fn who_may_not_come_in_is_told_why() {
    for (path, key, status, code) in [
        (FLUX, "invalid", 401, "INVALID_AUTH"),
        ("/v2/listen?model=flux-x&encoding=mulaw&sample_rate=8000", "k", 403, "INSUFFICIENT_PERMISSIONS"),
        ("/v1/listen?model=nova-3&encoding=linear16&sample_rate=8000", "k", 400, "INVALID_QUERY_PARAMETER"),
        ("/v1/speak?model=flux-kit-en&encoding=mulaw&sample_rate=8000", "k", 403, "INSUFFICIENT_PERMISSIONS"),
        (
            "/v2/speak?model=aura-2-thalia-en&encoding=mulaw&sample_rate=8000",
            "k",
            403,
            "INSUFFICIENT_PERMISSIONS",
        ),
        (
            "/v2/speak?model=flux-kit-en&encoding=mulaw&sample_rate=8000&speed=1.07",
            "k",
            400,
            "SPEED_INCREMENT_INVALID",
        ),
        (
            "/v2/speak?model=flux-kit-en&encoding=mulaw&sample_rate=8000&container=wav",
            "k",
            400,
            "INVALID_QUERY_PARAMETER",
        ),
        ("/v3/listen", "k", 404, "NOT_FOUND"),
    ] {
        assert_eq!(refusal(path, key).await, (status, code.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn flux_tells_the_life_of_a_turn() {
    let deepgram = service(Behaviour::default().hears(["When do you open?"])).await;
    let mut socket = socket(&deepgram, FLUX).await;
    assert_eq!(next(&mut socket).await["type"], "Connected");
    speak(&mut socket, 400).await;
    let mut all = Vec::new();
    while all.last().is_none_or(|one: &Value| one["event"] != "EndOfTurn") {
        all.push(next(&mut socket).await);
    }
    assert_eq!(events(&all), ["StartOfTurn", "Update", "EndOfTurn"]);
    assert_eq!(all.last().unwrap()["transcript"], "When do you open?");
    say(&mut socket, json!({ "type": "CloseStream" })).await;
    until(&mut socket, "end").await; // our own close is sent on the way there
    let ear = deepgram.listener("k", 0, LIMIT).await.unwrap();
    ear.until(|ledger| ledger.end == Some(PartEnd::Closed), LIMIT).await.unwrap();
    assert_eq!(ear.look(|ledger| ledger.turns.clone()), ["When do you open?"]);
    assert_eq!(deepgram.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn flux_guesses_when_asked_to_and_takes_it_back() {
    let mut behaviour = Behaviour::default().hears(["When do you | open?"]);
    behaviour.listen.silence = Duration::from_millis(500);
    let deepgram = service(behaviour).await;
    let mut socket = socket(&deepgram, &format!("{FLUX}&eager_eot_threshold=0.4")).await;
    speak(&mut socket, 200).await;
    speak(&mut socket, 600).await;
    let mut all = Vec::new();
    while all.last().is_none_or(|one: &Value| one["event"] != "EndOfTurn") {
        all.push(next(&mut socket).await);
    }
    let names: Vec<_> = events(&all).into_iter().filter(|name| *name != "Update").collect();
    assert_eq!(names, ["StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EagerEndOfTurn", "EndOfTurn"]);
    let guess = all.iter().find(|one| one["event"] == "EagerEndOfTurn").unwrap();
    assert_eq!(
        (&guess["transcript"], &all.last().unwrap()["transcript"]),
        (&json!("When do you"), &json!("When do you open?"))
    );
}

#[tokio::test]
async fn nova_tells_segments_and_the_end_of_an_utterance() {
    let deepgram = service(Behaviour::default().hears(["When do you open?"])).await;
    let mut socket = socket(&deepgram, NOVA).await;
    speak(&mut socket, 1_200).await;
    let all = until(&mut socket, "UtteranceEnd").await;
    let last = all.iter().rev().find(|one| one["type"] == "Results").unwrap();
    assert_eq!(last["channel"]["alternatives"][0]["transcript"], "When do you open?");
    assert_eq!((&last["is_final"], &last["speech_final"]), (&json!(true), &json!(true)));
    assert!(all.iter().any(|one| one["is_final"] == false));
    say(&mut socket, json!({ "type": "KeepAlive" })).await;
    assert_eq!(deepgram.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn what_an_ear_does_not_take_ends_the_connection_and_is_counted() {
    for (path, message) in [
        (FLUX, json!({ "type": "KeepAlive" })),
        (FLUX, json!({ "type": "CloseStream", "x": 1 })),
        (NOVA, json!({ "type": "ForceEndTurn" })),
        (NOVA, json!([])),
    ] {
        let deepgram = service(Behaviour::default()).await;
        let mut socket = socket(&deepgram, path).await;
        say(&mut socket, message.clone()).await;
        assert_eq!(until(&mut socket, "close").await.last().unwrap()["code"], 1008, "{message}");
        assert_eq!(deepgram.violations().len(), 1, "{message}");
    }
    let deepgram = service(Behaviour::default()).await;
    let mut socket = socket(&deepgram, FLUX).await;
    hear(&mut socket, &vec![0xff; 8_000 * 20]).await;
    say(&mut socket, json!({ "type": "CloseStream" })).await;
    until(&mut socket, "close").await;
    assert!(deepgram.violations().iter().any(|one| one.contains("faster")), "{:?}", deepgram.violations());
}

#[tokio::test]
async fn aura_speaks_what_it_is_told_and_confirms_each_flush() {
    let deepgram = service(Behaviour::default()).await;
    let mut socket = socket(&deepgram, AURA).await;
    say(&mut socket, json!({ "type": "Speak", "text": "At eight. " })).await;
    say(&mut socket, json!({ "type": "Flush" })).await;
    let all = until(&mut socket, "Flushed").await;
    let expected = audio_of("At eight.", Duration::from_millis(65)).len() as u64 / 8;
    assert_eq!(sound_ms(&all), expected);
    say(&mut socket, json!({ "type": "Close" })).await;
    until(&mut socket, "close").await;
    assert_eq!(deepgram.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn auras_sound_that_is_on_its_way_comes_before_it_says_cleared() {
    let mut behaviour = Behaviour::default();
    behaviour.speak.pace = 1.0;
    let deepgram = service(behaviour).await;
    let mut socket = socket(&deepgram, AURA).await;
    say(&mut socket, json!({ "type": "Speak", "text": "We open at eight every day of the week. " })).await;
    until(&mut socket, "sound").await;
    say(&mut socket, json!({ "type": "Clear" })).await;
    assert!(sound_ms(&until(&mut socket, "Cleared").await) >= 200);
    for _ in 0..21 {
        say(&mut socket, json!({ "type": "Flush" })).await;
    }
    until(&mut socket, "Warning").await;
    assert_eq!(deepgram.violations(), ["more than 20 flushes a minute"]);
}

#[tokio::test]
async fn a_flux_voice_has_turns_and_knows_what_was_heard_of_them() {
    let mut behaviour = Behaviour::default();
    behaviour.speak.in_flight = 1;
    let deepgram = service(behaviour).await;
    let mut socket = socket(&deepgram, VOICE).await;
    assert_eq!(next(&mut socket).await["type"], "Connected");
    say(&mut socket, json!({ "type": "Speak", "text": "At eight. " })).await;
    say(&mut socket, json!({ "type": "Flush" })).await;
    let all = until(&mut socket, "SpeechMetadata").await;
    assert_eq!(all[0]["type"], "SpeechStarted");
    let first = sound_ms(&all);
    assert_eq!(all.last().unwrap()["audio_duration_ms"], first);
    say(&mut socket, json!({ "type": "Speak", "text": "We close at six on weekdays. " })).await;
    let mut heard = 0;
    while heard < 900 {
        heard += sound_ms(&until(&mut socket, "sound").await);
    }
    // Thirteen letters of the second turn.
    let offset = json!({ "type": "time_ms", "value": first + 13 * 65 });
    say(&mut socket, json!({ "type": "Interrupt", "playback_offset": offset })).await;
    let all = until(&mut socket, "SpeechInterrupted").await;
    let answer = all.last().unwrap();
    assert_eq!(
        (&answer["text_spoken"], &answer["text_remaining"]),
        (&json!("We close at"), &json!("six on weekdays. "))
    );
    // The session's clock goes on from there, and an interruption must be beyond it.
    say(&mut socket, json!({ "type": "Speak", "text": "Sorry? " })).await;
    until(&mut socket, "sound").await;
    say(&mut socket, json!({ "type": "Interrupt", "playback_offset": offset })).await;
    assert_eq!(until(&mut socket, "Warning").await.last().unwrap()["code"], "INVALID_INTERRUPT_OFFSET");
    assert_eq!(deepgram.violations().len(), 1);
    let voice = deepgram.speaker("k", 0, LIMIT).await.unwrap();
    assert_eq!(voice.look(|ledger| ledger.interruptions[0].spoken.clone()), "We close at");
}

#[tokio::test]
async fn a_flux_voice_that_has_said_nothing_cannot_be_interrupted() {
    let deepgram = service(Behaviour::default()).await;
    let mut socket = socket(&deepgram, VOICE).await;
    say(&mut socket, json!({ "type": "Interrupt" })).await;
    assert_eq!(until(&mut socket, "Warning").await.last().unwrap()["code"], "NO_AUDIO_GENERATED");
    say(&mut socket, json!({ "type": "Speak", "text": "Yes. " })).await;
    say(&mut socket, json!({ "type": "Flush" })).await;
    until(&mut socket, "SpeechMetadata").await;
    say(&mut socket, json!({ "type": "Interrupt" })).await;
    assert_eq!(until(&mut socket, "Warning").await.last().unwrap()["code"], "NO_ACTIVE_SPEECH");
    assert_eq!(deepgram.violations(), Vec::<String>::new());
    say(&mut socket, json!({ "type": "Speak", "text": "Hello" })).await;
    say(&mut socket, json!({ "type": "Speak", "text": "there. " })).await;
    say(&mut socket, json!({ "type": "Interrupt", "speech_id": "x" })).await;
    assert_eq!(until(&mut socket, "Error").await.last().unwrap()["code"], "MESSAGE-0000");
    assert_eq!(deepgram.violations().len(), 2, "words that run together, and an unknown field");
}

#[tokio::test]
async fn troubles_happen_when_they_should() {
    for (path, behaviour) in [
        (
            FLUX,
            Behaviour::default()
                .listening_trouble(ListenWhen::TurnStarted(1), Trouble::Close(1011, "oh".into())),
        ),
        (
            NOVA,
            Behaviour::default().listening_trouble(ListenWhen::Connected, Trouble::Close(1011, "oh".into())),
        ),
    ] {
        let deepgram = service(behaviour).await;
        let mut socket = socket(&deepgram, path).await;
        hear(&mut socket, &speech(Duration::from_millis(480), 5)).await;
        assert_eq!(until(&mut socket, "close").await.last().unwrap()["code"], 1011, "{path}");
    }
    for path in [AURA, VOICE] {
        let after = SpeakWhen::SoundSent(Duration::from_millis(300));
        let deepgram = service(Behaviour::default().speaking_trouble(after, Trouble::Cut)).await;
        let mut socket = socket(&deepgram, path).await;
        say(&mut socket, json!({ "type": "Speak", "text": "We open at eight every day. " })).await;
        let all = until(&mut socket, "end").await;
        // The last piece may be cut off with the connection.
        assert!((100..=300).contains(&sound_ms(&all)), "{path}: {all:?}");
    }
}
