//! Every ear with every voice: one script of a call, run over all of them.

use std::time::Duration;

use call::{Speaker, Summary};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sim::{
    chat,
    deepgram::{self, ListenWhen, Part, PartEnd, SpeakLedger, SpeakWhen, Trouble, Utterance},
    elevenlabs,
    phone::{Phone, PhoneEnd},
    voice::speech,
};

use super::studio::Studio;
use crate::house::{Ear, LIMIT};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    pub ear: &'static str,
    pub mouth: &'static str,
}

pub const EARS: [&str; 3] = ["flux-general-en", "nova-3", "scribe_v2_realtime"];
pub const MOUTHS: [&str; 3] = ["aura-2-thalia-en", "flux-kit-en", "elevenlabs"];

pub fn pairs() -> impl Iterator<Item = Pair> {
    EARS.into_iter().flat_map(|ear| MOUTHS.into_iter().map(move |mouth| Pair { ear, mouth }))
}

/// All of them at once.
pub async fn with_every_pair<F: Future<Output = ()>>(script: impl Fn(Pair) -> F) {
    join_all(pairs().map(script)).await;
}

/// What a call needs to know beforehand.
pub struct Script {
    pub claims: Value,
    /// The words of each of the caller's turns.
    pub hears: Vec<String>,
    /// After so much of it a turn is over, where the provider ends turns.
    pub silence: Duration,
    pub ear_trouble: Option<(ListenWhen, Trouble)>,
    pub mouth_trouble: Option<(SpeakWhen, Trouble)>,
    pub thinks: chat::Behaviour,
    /// Between phone and relay, each way.
    pub delay: Duration,
}

impl Script {
    pub fn new<const N: usize>(pair: Pair, hears: [&str; N], thinks: chat::Behaviour) -> Self {
        let hears = hears.map(str::to_owned).to_vec();
        let silence = Duration::from_millis(300);
        let (ear_trouble, mouth_trouble, delay) = Default::default();
        Self { claims: pair.claims(), hears, silence, ear_trouble, mouth_trouble, thinks, delay }
    }
}

impl Pair {
    pub fn claims(self) -> Value {
        self.claims_with(KEY)
    }

    pub fn claims_with(self, key: &str) -> Value {
        let of = |name: &str| {
            if name == "elevenlabs" || name.starts_with("scribe") { "elevenlabs" } else { "deepgram" }
        };
        let voice = if self.mouth == "elevenlabs" { "21m00Tcm4TlvDq8ikWAM" } else { self.mouth };
        json!({
            "agent": { "prompt": "You answer the phone for a bakery." },
            "legs": [{
                "kind": "cascade",
                "stt": { "provider": of(self.ear), "model": self.ear },
                "llm": { "provider": "groq", "model": "openai/gpt-oss-20b" },
                "tts": { "provider": of(self.mouth), "voice": voice },
            }],
            "keys": { "deepgram": key, "groq": key, "elevenlabs": key },
        })
    }
}

/// A call that is going on.
pub struct Talk {
    pub studio: Studio,
    pub pair: Pair,
    pub phone: Phone,
    news: Ear,
}

impl Talk {
    pub async fn begin(pair: Pair, script: Script) -> Self {
        let studio = Studio::open().await;
        studio.prepare(&script);
        studio.chat.behave(KEY, script.thinks);
        let news = studio.house.listen();
        let options = studio.house.phone(script.claims).delay(script.delay);
        let phone = Phone::dial(options).await.unwrap();
        studio.twilio.carries(phone.line());
        Self { studio, pair, phone, news }
    }

    /// The caller says a turn, and the agent answers it to the end.
    pub async fn turn(&self, seed: u64) {
        self.say(seed).await;
        self.finished().await;
    }

    /// The caller says a turn.
    pub async fn say(&self, seed: u64) {
        self.phone.say(speech(Duration::from_millis(900), seed));
        self.phone.said(LIMIT).await.unwrap();
    }

    pub async fn finished(&self) {
        let finished = self.phone.agent_finished(Duration::from_millis(400), LIMIT).await;
        finished.unwrap_or_else(|error| panic!("{:?}: {error}", self.pair));
    }

    /// Until the agent has been heard for so long.
    pub async fn heard(&self, ms: u64) {
        let heard = Duration::from_millis(ms);
        self.phone.until(|phone| phone.playing && phone.played >= heard, LIMIT).await.unwrap();
    }

    /// What the model was told with its question number `n`, without the prompt: a letter for who, and the words.
    pub async fn told(&self, n: usize) -> Vec<String> {
        let request = self.studio.chat.request(KEY, n, LIMIT).await.unwrap();
        let messages = request.messages().into_iter().skip(1);
        messages.map(|(role, text)| format!("{}: {text}", &role[..1])).collect()
    }

    /// Everything that the voices were to say, over all their connections.
    pub fn said(&self) -> Vec<String> {
        self.utterances().into_iter().map(|one| one.text).collect()
    }

    pub fn utterances(&self) -> Vec<Utterance> {
        if self.pair.mouth == "elevenlabs" {
            let voices = self.studio.elevenlabs.voices().into_iter();
            voices.flat_map(|voice| voice.look(|ledger| ledger.utterances.clone())).collect()
        } else {
            let voices = self.studio.deepgram.speakers().into_iter();
            voices
                .flat_map(|voice: Part<SpeakLedger>| voice.look(|ledger| ledger.utterances.clone()))
                .collect()
        }
    }

    /// The caller's turns as the ears told them.
    pub fn recognised(&self) -> Vec<String> {
        let theirs = self
            .studio
            .deepgram
            .listeners()
            .into_iter()
            .flat_map(|ear| ear.look(|ledger| ledger.turns.clone()));
        let others = self
            .studio
            .elevenlabs
            .listeners()
            .into_iter()
            .flat_map(|ear| ear.look(|ledger| ledger.turns.clone()));
        theirs.chain(others).collect()
    }

    /// How often ears and voices were connected to.
    pub fn connections(&self) -> (usize, usize) {
        let (deepgram, elevenlabs) = (&self.studio.deepgram, &self.studio.elevenlabs);
        (
            deepgram.listeners().len() + elevenlabs.listeners().len(),
            deepgram.speakers().len() + elevenlabs.voices().len(),
        )
    }

    pub async fn ear_is_open(&self) {
        if self.pair.ear.starts_with("scribe") {
            self.studio.elevenlabs.listener(KEY, 0, LIMIT).await.unwrap();
        } else {
            self.studio.deepgram.listener(KEY, 0, LIMIT).await.unwrap();
        }
    }

    pub async fn voice_is_open(&self) {
        if self.pair.mouth == "elevenlabs" {
            self.studio.elevenlabs.voice(KEY, 0, LIMIT).await.unwrap();
        } else {
            self.studio.deepgram.speaker(KEY, 0, LIMIT).await.unwrap();
        }
    }

    /// The caller hangs up. Every socket is closed as its protocol wants it, and nobody did anything wrong.
    pub async fn end(self) -> Summary {
        let (summary, talk) = self.end_after_trouble().await;
        for ear in talk.studio.deepgram.listeners() {
            assert_eq!(ear.look(|ledger| ledger.end.clone()), Some(PartEnd::Closed), "{:?}", talk.pair);
        }
        for mouth in talk.studio.deepgram.speakers() {
            assert_eq!(mouth.look(|ledger| ledger.end.clone()), Some(PartEnd::Closed), "{:?}", talk.pair);
        }
        summary
    }

    /// The call's summary, when it has ended by itself.
    pub async fn ended(&mut self) -> Summary {
        self.news.ended().await
    }

    /// The same when connections have broken.
    pub async fn end_after_trouble(mut self) -> (Summary, Self) {
        self.phone.hang_up();
        assert_eq!(self.phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
        assert_eq!(self.phone.look(|phone| phone.violations.clone()), Vec::<String>::new());
        let summary = self.news.ended().await;
        self.studio.is_clean().await;
        (summary, self)
    }
}

impl Studio {
    /// From now on connections do this.
    pub fn prepare(&self, script: &Script) {
        let mut deepgram = deepgram::Behaviour::default();
        deepgram.listen.hears.clone_from(&script.hears);
        deepgram.listen.silence = script.silence;
        deepgram.listen.troubles.extend(script.ear_trouble.clone());
        deepgram.speak.troubles.extend(script.mouth_trouble.clone());
        let mut elevenlabs = elevenlabs::Behaviour { speak: deepgram.speak.clone(), ..Default::default() };
        elevenlabs.listen.hears.clone_from(&script.hears);
        elevenlabs.listen.troubles.extend(script.ear_trouble.clone());
        self.deepgram.behave(KEY, deepgram);
        self.elevenlabs.behave(KEY, elevenlabs);
    }
}

/// Who said what, in order, and what was heard of it when that was not all.
pub fn lines(summary: &Summary) -> Vec<String> {
    let line = |line: &call::Line| {
        let who = if line.speaker == Speaker::Agent { "a" } else { "u" };
        match &line.heard {
            Some(heard) => format!("{who}: {heard}|"),
            None => format!("{who}: {}", line.said.trim()),
        }
    };
    summary.transcript.iter().map(line).collect()
}

pub const KEY: &str = "k";
