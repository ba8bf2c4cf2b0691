//! Conversations with a cascade: what is recognised, thought, spoken and heard, word by word.

use std::time::Duration;

use call::{EndReason, Line, Speaker};
use serde_json::{Value, json};
use sim::{
    chat::{self, Chat, ChatOptions},
    deepgram::{self, Deepgram, DeepgramOptions, PartEnd},
    phone::{Phone, PhoneEnd},
    voice::speech,
};

use crate::house::{House, LIMIT};

/// A relay with its pretend providers. Every call has a key of its own, and finds its part of them by it.
struct Studio {
    house: House,
    deepgram: Deepgram,
    chat: Chat,
}

impl Studio {
    async fn open() -> Self {
        let deepgram = Deepgram::start(DeepgramOptions::default()).await.unwrap();
        let chat = Chat::start(ChatOptions::default()).await.unwrap();
        let variables = [("DEEPGRAM_BASE_URL", deepgram.base_url()), ("GROQ_BASE_URL", chat.base_url())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        Self { house: House::with(&variables).await, deepgram, chat }
    }

    async fn call(
        &self,
        key: &str,
        hears: deepgram::Behaviour,
        thinks: chat::Behaviour,
        claims: Value,
    ) -> Phone {
        self.deepgram.behave(key, hears);
        self.chat.behave(key, thinks);
        self.house.call(claims).await
    }

    /// Nobody did anything that the real ones would not take, and every socket was closed as it should be.
    async fn is_clean(&self) {
        assert_eq!(self.deepgram.violations(), Vec::<String>::new());
        assert_eq!(self.chat.violations(), Vec::<String>::new());
        for part in self.deepgram.listeners() {
            part.until(|ledger| ledger.end.is_some(), LIMIT).await.unwrap();
        }
        for part in self.deepgram.speakers() {
            part.until(|ledger| ledger.end.is_some(), LIMIT).await.unwrap();
        }
    }
}

fn cascade(key: &str, ear: &str) -> Value {
    json!({
        "agent": { "prompt": "You answer the phone for a bakery." },
        "legs": [{
            "kind": "cascade",
            "stt": { "provider": "deepgram", "model": ear },
            "llm": { "provider": "groq", "model": "openai/gpt-oss-20b" },
            "tts": { "provider": "deepgram", "voice": "aura-2-thalia-en" },
        }],
        "keys": { "deepgram": key, "groq": key },
    })
}

const EARS: [&str; 3] = ["flux-general-en", "nova-3", "flux-general-multi"];

/// Says something; which words it is the ear's script knows.
async fn say(phone: &Phone, words: u64, seed: u64) {
    phone.say(speech(Duration::from_millis(words * 220), seed));
    phone.said(LIMIT).await.unwrap();
}

async fn hang_up(phone: &Phone) {
    phone.hang_up();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new());
}

fn line(line: &Line) -> (Speaker, &str, Option<&str>) {
    (line.speaker, line.said.trim(), line.heard.as_deref())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_greets_listens_and_answers_with_every_ear() {
    let studio = Studio::open().await;
    for ear in EARS {
        let mut news = studio.house.listen();
        let mut claims = cascade(ear, ear);
        claims["agent"]["greeting"] = "Hello, this is the bakery.".into();
        let hears =
            deepgram::Behaviour::default().hears(["When do you open?", "And on Sunday?", "Thank you."]);
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
        assert!(
            summary.usage.text_in > 0 && summary.usage.transcription_seconds > 3.0,
            "{:?}",
            summary.usage
        );
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
        let voice = studio.deepgram.speaker(ear, 0, LIMIT).await.unwrap();
        voice.until(|ledger| ledger.end == Some(PartEnd::Closed), LIMIT).await.unwrap();
    }
    studio.is_clean().await;
}
