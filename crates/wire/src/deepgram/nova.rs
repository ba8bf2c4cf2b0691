//! Nova, the ear that hears segments (`/v1/listen`): turns are made of them here.
//!
//! A final segment is fixed text; several make an utterance. `speech_final` says that it was followed by
//! silence, and in noise never comes; `UtteranceEnd` goes by the words' own times and does. Whichever is first
//! ends the turn.

use bytes::Bytes;
use call::{
    Oddity,
    cascade::{EarCommand, EarEvent},
};
use serde::Deserialize;

use super::{PROVIDER, closed, error, obey};
use crate::{
    chunks::Chunks,
    loose::Text,
    protocol::{Frame, Protocol},
    query::Query,
    talk::{Talk, talk},
};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct NovaSetup {
    pub model: String,
    /// Such as `en`; `multi` for several in one call.
    pub language: Option<String>,
    pub keyterms: Vec<String>,
    /// The silence that ends a turn.
    pub silence_ms: u64,
}

impl NovaSetup {
    pub fn path_and_query(&self) -> String {
        let mut query = Query::of("/v1/listen")
            .with("model", &self.model)
            .with("encoding", "mulaw")
            .with("sample_rate", "8000")
            .with("channels", "1")
            .with("interim_results", "true")
            .with("smart_format", "true")
            .with("endpointing", &self.silence_ms.to_string())
            .with("utterance_end_ms", &self.silence_ms.max(1_000).to_string())
            .with_some("language", self.language.as_deref());
        for term in &self.keyterms {
            query = query.with("keyterm", term);
        }
        query.end()
    }
}

#[derive(Debug)]
pub struct Nova {
    chunks: Chunks,
    talk: Talk<EarEvent>,
    /// The fixed segments of this turn.
    segments: String,
    /// Words were heard in this turn.
    started: bool,
}

impl Default for Nova {
    /// The socket is open, and that is all it says about being ready.
    fn default() -> Self {
        Self {
            chunks: Chunks::default(),
            talk: Talk::with(PROVIDER, Some(EarEvent::Ready)),
            segments: String::new(),
            started: false,
        }
    }
}

impl Protocol for Nova {
    type Event = EarEvent;
    type Command = EarCommand;

    talk!(EarEvent);

    fn read(&mut self, text: &Bytes) {
        if self.talk.over {
            return;
        }
        let Ok(message) = serde_json::from_slice::<Message<'_>>(text) else { return self.talk.nonsense() };
        match &*message.kind.0 {
            "Results" => self.results(&message),
            "UtteranceEnd" => self.end(false),
            "SpeechStarted" | "Metadata" | "ConfigureSuccess" => {}
            "ConfigureFailure" => self.talk.odd(Oddity::OwnError),
            "Error" => self.talk.fail(error(&[&message.code, &message.variant, &message.description])),
            "" => self.talk.nonsense(),
            _ => self.talk.odd(Oddity::UnknownEvent),
        }
    }

    fn read_binary(&mut self, _: &Bytes) {
        self.talk.nonsense();
    }

    fn obey(&mut self, command: EarCommand) {
        obey(&mut self.chunks, &mut self.talk, command, (PIECE, "Finalize"));
    }
}

impl Nova {
    fn results(&mut self, message: &Message<'_>) {
        let words = message.channel.alternatives.first().map_or("", |best| best.transcript.0.trim());
        if !words.is_empty() {
            if !std::mem::replace(&mut self.started, true) {
                self.talk.tell(EarEvent::Started);
            }
            let so_far = joined(&self.segments, words);
            if message.is_final {
                self.segments.clone_from(&so_far);
            }
            self.talk.tell(EarEvent::Words(so_far));
        }
        if message.speech_final || message.from_finalize {
            self.end(message.from_finalize);
        }
    }

    /// `asked`: somebody waits for the end, even of nothing.
    fn end(&mut self, asked: bool) {
        if self.segments.is_empty() && !asked {
            return; // the other sign has ended this turn already
        }
        self.started = false;
        self.talk.tell(EarEvent::Ended(std::mem::take(&mut self.segments)));
    }
}

fn joined(before: &str, words: &str) -> String {
    match before {
        "" => words.to_owned(),
        before => format!("{before} {words}"),
    }
}

/// 100 ms, as Deepgram recommends.
const PIECE: usize = 800;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    channel: Channel<'a>,
    #[serde(default)]
    is_final: bool,
    #[serde(default)]
    speech_final: bool,
    #[serde(default)]
    from_finalize: bool,
    #[serde(borrow, default)]
    code: Text<'a>,
    #[serde(borrow, default)]
    variant: Text<'a>,
    #[serde(borrow, default)]
    description: Text<'a>,
}

/// In other messages `channel` is a list of numbers.
#[derive(Default)]
struct Channel<'a> {
    alternatives: Vec<Alternative<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Channel<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<'a> {
            Known {
                #[serde(borrow)]
                alternatives: Vec<Alternative<'a>>,
            },
            Other(serde::de::IgnoredAny),
        }
        Ok(match Either::deserialize(from)? {
            Either::Known { alternatives } => Self { alternatives },
            Either::Other(_) => Self::default(),
        })
    }
}

#[derive(Deserialize)]
struct Alternative<'a> {
    #[serde(borrow, default)]
    transcript: Text<'a>,
}
