//! A relay with a pretend Deepgram and a pretend model, and callers for it.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{
    chat::{self, Chat, ChatOptions},
    deepgram::{self, Deepgram, DeepgramOptions},
    elevenlabs::ElevenLabs,
    phone::{Phone, PhoneEnd},
    twilio::Twilio,
    voice::speech,
};

use crate::house::{House, LIMIT};

/// A relay with its pretend providers. Every call has a key of its own, and finds its part of them by it.
pub struct Studio {
    pub house: House,
    pub deepgram: Deepgram,
    pub elevenlabs: ElevenLabs,
    pub chat: Chat,
    /// Carries the calls of this studio.
    pub twilio: Twilio,
}

impl Studio {
    pub async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// With these variables set besides.
    pub async fn open_with(more: &[(&str, &str)]) -> Self {
        let deepgram = Deepgram::start(DeepgramOptions::default()).await.unwrap();
        let chat = Chat::start(ChatOptions::default()).await.unwrap();
        let elevenlabs = ElevenLabs::start().await.unwrap();
        let twilio = Twilio::start().await.unwrap();
        let variables = [
            ("WEBHOOK_ALLOW_PRIVATE", "true".to_owned()),
            ("DEEPGRAM_BASE_URL", deepgram.base_url()),
            ("ELEVENLABS_BASE_URL", elevenlabs.base_url()),
            ("GROQ_BASE_URL", chat.base_url()),
            ("TWILIO_BASE_URL", twilio.base_url()),
        ];
        let own = variables.iter().map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<_> = own.chain(more.iter().copied()).collect();
        Self { house: House::with(&variables).await, deepgram, elevenlabs, chat, twilio }
    }

    pub async fn call(
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
    pub async fn is_clean(&self) {
        assert_eq!(self.deepgram.violations(), Vec::<String>::new());
        assert_eq!(self.elevenlabs.violations(), Vec::<String>::new());
        assert_eq!(self.chat.violations(), Vec::<String>::new());
        assert_eq!(self.twilio.violations(), Vec::<String>::new());
        for part in self.deepgram.listeners() {
            part.until(|ledger| ledger.end.is_some(), LIMIT).await.unwrap();
        }
        for part in self.deepgram.speakers() {
            part.until(|ledger| ledger.end.is_some(), LIMIT).await.unwrap();
        }
        for part in self.elevenlabs.listeners() {
            part.until(|ledger| ledger.end.is_some(), LIMIT).await.unwrap();
        }
        for part in self.elevenlabs.voices() {
            part.until(|ledger| ledger.end.is_some(), LIMIT).await.unwrap();
        }
    }
}

pub fn cascade(key: &str, ear: &str) -> Value {
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

/// The same with the voice of ElevenLabs.
pub fn with_elevenlabs(mut claims: Value) -> Value {
    claims["legs"][0]["tts"] = json!({ "provider": "elevenlabs", "voice": "21m00Tcm4TlvDq8ikWAM" });
    claims["keys"]["elevenlabs"] = claims["keys"]["deepgram"].clone();
    claims
}

/// Says something; which words it is the ear's script knows.
pub async fn say(phone: &Phone, words: u64, seed: u64) {
    phone.say(speech(Duration::from_millis(words * 220), seed));
    phone.said(LIMIT).await.unwrap();
}

pub async fn hang_up(phone: &Phone) {
    phone.hang_up();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new());
}
