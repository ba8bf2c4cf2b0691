//! Conversations with a cascade: what is recognised, thought, spoken and heard, word by word.

use std::time::Duration;

use call::{EndReason, Line, Speaker};
use futures_util::future::join_all;
use sim::{
    chat,
    deepgram::{self, PartEnd},
};

use super::studio::{EARS, Studio, cascade, hang_up, say, with_elevenlabs};
use crate::house::LIMIT;

fn line(line: &Line) -> (Speaker, &str, Option<&str>) {
    (line.speaker, line.said.trim(), line.heard.as_deref())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_greets_listens_and_answers_with_every_ear_and_voice() {
    join_all(EARS.into_iter().flat_map(|ear| [converses(ear, false), converses(ear, true)])).await;
}

async fn converses(ear: &'static str, elevenlabs: bool) {
    let studio = Studio::open().await;
    let mut news = studio.house.listen();
    let mut claims = cascade(ear, ear);
    if elevenlabs {
        claims = with_elevenlabs(claims);
    }
    claims["agent"]["greeting"] = "Hello, this is the bakery.".into();
    let hears = deepgram::Behaviour::default().hears(["When do you open?", "And on Sunday?", "Thank you."]);
    let thinks = chat::Behaviour::default().replies([
        "We open at **eight**, and close at six. Anything else?",
        "On Sunday we are closed.",
        "You are welcome. Goodbye!",
    ]);
    let phone = studio.call(ear, hears, thinks, claims).await;
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    for seed in [5, 6, 7] {
        say(&phone, 4, seed).await;
        phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    }
    hang_up(&phone).await;
    let summary = news.ended().await;
    assert_eq!(summary.reason, EndReason::CallerHungUp, "{ear}");
    let transcript: Vec<_> = summary.transcript.iter().map(line).collect();
    assert_eq!(
        transcript,
        [
            (Speaker::Agent, "Hello, this is the bakery.", None),
            (Speaker::Caller, "When do you open?", None),
            (Speaker::Agent, "We open at eight, and close at six. Anything else?", None),
            (Speaker::Caller, "And on Sunday?", None),
            (Speaker::Agent, "On Sunday we are closed.", None),
            (Speaker::Caller, "Thank you.", None),
            (Speaker::Agent, "You are welcome. Goodbye!", None),
        ],
        "{ear}"
    );
    assert!(summary.usage.text_in > 0 && summary.usage.transcription_seconds > 3.0, "{:?}", summary.usage);
    let last = studio.chat.request(ear, 2, LIMIT).await.unwrap();
    let told: Vec<String> =
        last.messages().into_iter().map(|(role, text)| format!("{role}: {text}")).collect();
    assert_eq!(
        told,
        [
            "system: You answer the phone for a bakery.",
            "assistant: Hello, this is the bakery.",
            "user: When do you open?",
            "assistant: We open at eight, and close at six. Anything else?",
            "user: And on Sunday?",
            "assistant: On Sunday we are closed.",
            "user: Thank you.",
        ],
        "{ear}"
    );
    let ended = studio.deepgram.listener(ear, 0, LIMIT).await.unwrap();
    ended.until(|ledger| ledger.end == Some(PartEnd::Closed), LIMIT).await.unwrap();
    if elevenlabs {
        let voice = studio.elevenlabs.voice(ear, 0, LIMIT).await.unwrap();
        voice.until(|ledger| ledger.end == Some(PartEnd::Closed), LIMIT).await.unwrap();
        assert_eq!(voice.look(|ledger| ledger.most_open), 1);
    } else {
        let voice = studio.deepgram.speaker(ear, 0, LIMIT).await.unwrap();
        voice.until(|ledger| ledger.end == Some(PartEnd::Closed), LIMIT).await.unwrap();
    }
    studio.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_changes_the_language_is_understood_and_answered() {
    let studio = Studio::open().await;
    let mut news = studio.house.listen();
    let mut claims = with_elevenlabs(cascade("k", "nova-3"));
    claims["agent"]["language"] = "multi".into();
    let hears = deepgram::Behaviour::default().hears(["आप कब खुलते हैं?", "And on Sunday?"]);
    let thinks = chat::Behaviour::default().replies(["हम आठ बजे खुलते हैं। और कुछ?", "On Sunday we are closed."]);
    let phone = studio.call("k", hears, thinks, claims).await;
    for seed in [5, 6] {
        say(&phone, 4, seed).await;
        phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    }
    hang_up(&phone).await;
    let summary = news.ended().await;
    let transcript: Vec<_> = summary.transcript.iter().map(line).collect();
    assert_eq!(
        transcript,
        [
            (Speaker::Caller, "आप कब खुलते हैं?", None),
            (Speaker::Agent, "हम आठ बजे खुलते हैं। और कुछ?", None),
            (Speaker::Caller, "And on Sunday?", None),
            (Speaker::Agent, "On Sunday we are closed.", None),
        ]
    );
    let voice = studio.elevenlabs.voice("k", 0, LIMIT).await.unwrap();
    let said: Vec<String> =
        voice.look(|ledger| ledger.utterances.iter().map(|one| one.text.clone()).collect());
    assert_eq!(said, ["हम आठ बजे खुलते हैं।", "और कुछ?", "On Sunday we are closed."]);
    assert!(voice.look(|ledger| ledger.query.iter().all(|(name, _)| name != "language_code")));
    let ear = studio.deepgram.listener("k", 0, LIMIT).await.unwrap();
    assert!(ear.look(|ledger| ledger.query.contains(&("language".to_owned(), "multi".to_owned()))));
    studio.is_clean().await;
}
