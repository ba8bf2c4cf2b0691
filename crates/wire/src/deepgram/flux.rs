//! Flux, the ear that knows when a turn is over (`/v2/listen`).
//!
//! Its transcripts are whole turns, never deltas. There is no keep-alive message: an unknown message ends the
//! connection, so only sound keeps it open. Pieces of 80 ms give it the best ears.

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
pub struct FluxSetup {
    pub model: String,
    /// Hints for `flux-general-multi`.
    pub languages: Vec<String>,
    pub keyterms: Vec<String>,
    /// How sure it must be that a turn is over, 0.5 to 0.9.
    pub sure: Option<f64>,
    /// How sure it must be to guess so, 0.3 to 0.9; nothing: it does not guess.
    pub guess: Option<f64>,
    /// A turn is over after so much silence in any case.
    pub silence_ms: Option<u64>,
}

impl FluxSetup {
    pub fn path_and_query(&self) -> String {
        let mut query = Query::of("/v2/listen")
            .with("model", &self.model)
            .with("encoding", "mulaw")
            .with("sample_rate", "8000")
            .with_some("eot_threshold", self.sure)
            .with_some("eager_eot_threshold", self.guess)
            .with_some("eot_timeout_ms", self.silence_ms);
        for term in &self.keyterms {
            query = query.with("keyterm", term);
        }
        for language in &self.languages {
            query = query.with("language_hint", language);
        }
        query.end()
    }
}

#[derive(Debug)]
pub struct Flux {
    chunks: Chunks,
    talk: Talk<EarEvent>,
}

impl Default for Flux {
    fn default() -> Self {
        Self { chunks: Chunks::default(), talk: Talk::with(PROVIDER, None) }
    }
}

impl Protocol for Flux {
    type Event = EarEvent;
    type Command = EarCommand;

    talk!(EarEvent);

    fn read(&mut self, text: &Bytes) {
        if self.talk.over {
            return;
        }
        let Ok(message) = serde_json::from_slice::<Message<'_>>(text) else { return self.talk.nonsense() };
        match &*message.kind.0 {
            "Connected" => self.talk.tell(EarEvent::Ready),
            "TurnInfo" => self.turn(&message),
            "ConfigureSuccess" => {}
            "Warning" | "ConfigureFailure" => self.talk.odd(Oddity::OwnError),
            "Error" => self.talk.fail(error(&[&message.code, &message.description])),
            "" => self.talk.nonsense(),
            _ => self.talk.odd(Oddity::UnknownEvent),
        }
    }

    fn read_binary(&mut self, _: &Bytes) {
        self.talk.nonsense();
    }

    fn obey(&mut self, command: EarCommand) {
        obey(&mut self.chunks, &mut self.talk, command, (PIECE, "ForceEndTurn"));
    }
}

impl Flux {
    fn turn(&mut self, message: &Message<'_>) {
        let words = message.transcript.0.trim().to_owned();
        let event = match &*message.event.0 {
            "Update" if words.is_empty() => return,
            "Update" => EarEvent::Words(words),
            "StartOfTurn" => {
                self.talk.tell(EarEvent::Started);
                if words.is_empty() {
                    return;
                }
                EarEvent::Words(words)
            }
            "EagerEndOfTurn" => EarEvent::Perhaps(words),
            "TurnResumed" => EarEvent::Resumed,
            "EndOfTurn" => EarEvent::Ended(words),
            _ => EarEvent::Odd(Oddity::UnknownEvent),
        };
        self.talk.tell(event);
    }
}

/// 80 ms.
const PIECE: usize = 640;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    event: Text<'a>,
    #[serde(borrow, default)]
    transcript: Text<'a>,
    #[serde(borrow, default)]
    code: Text<'a>,
    #[serde(borrow, default)]
    description: Text<'a>,
}
