//! Flux, the ear that knows when a turn is over (`/v2/listen`).
//!
//! Its transcripts are whole turns, never deltas. There is no keep-alive message: an unknown message ends the
//! connection, so only sound keeps it open. Pieces of 80 ms give it the best ears.

use std::collections::VecDeque;

use bytes::Bytes;
use call::{
    FailureKind, Oddity, Usage,
    cascade::{EarCommand, EarEvent},
};
use serde::Deserialize;
use serde_json::json;

use super::{Chunks, closed, control, failure, goodbye};
use crate::{
    loose::Text,
    protocol::{Frame, Protocol},
    query::Query,
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

#[derive(Debug, Default)]
pub struct Flux {
    chunks: Chunks,
    /// It failed or was closed: nothing more is said or heard.
    over: bool,
    malformed: u32,
    events: VecDeque<EarEvent>,
    frames: VecDeque<Frame>,
}

impl Protocol for Flux {
    type Event = EarEvent;
    type Command = EarCommand;

    fn read(&mut self, text: &Bytes) {
        if self.over {
            return;
        }
        let Ok(message) = serde_json::from_slice::<Message<'_>>(text) else { return self.nonsense() };
        match &*message.kind.0 {
            "Connected" => self.events.push_back(EarEvent::Ready),
            "TurnInfo" => self.turn(&message),
            "ConfigureSuccess" => {}
            "Warning" | "ConfigureFailure" => self.events.push_back(EarEvent::Odd(Oddity::OwnError)),
            "Error" => {
                let words = [message.code.some(), message.description.some()];
                let words: Vec<&str> = words.into_iter().flatten().collect();
                self.fail(failure(FailureKind::Provider, &words.join(": ")));
            }
            "" => self.nonsense(),
            _ => self.events.push_back(EarEvent::Odd(Oddity::UnknownEvent)),
        }
    }

    fn read_binary(&mut self, _: &Bytes) {
        if !self.over {
            self.nonsense();
        }
    }

    fn pong(&mut self) {
        self.events.push_back(EarEvent::Alive);
    }

    fn closed(&mut self, code: Option<u16>, reason: &str) {
        if !self.over {
            self.fail(closed(code, reason));
        }
    }

    fn obey(&mut self, command: EarCommand) {
        if self.over {
            return;
        }
        match command {
            EarCommand::Hear(audio) => {
                self.chunks.push(&audio, PIECE, |frame| self.frames.push_back(frame));
            }
            EarCommand::EndTurn => {
                self.chunks.flush(|frame| self.frames.push_back(frame));
                self.frames.push_back(control(&json!({ "type": "ForceEndTurn" })));
            }
            EarCommand::Ping => self.frames.push_back(Frame::Ping),
            EarCommand::Close => {
                self.over = true;
                self.used();
                self.frames.push_back(goodbye("CloseStream"));
            }
            EarCommand::Open => {}
        }
    }

    fn poll_event(&mut self) -> Option<EarEvent> {
        self.events.pop_front()
    }

    fn poll_frame(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }
}

impl Flux {
    fn turn(&mut self, message: &Message<'_>) {
        let words = message.transcript.0.trim().to_owned();
        let event = match &*message.event.0 {
            "Update" if words.is_empty() => return,
            "Update" => EarEvent::Words(words),
            "StartOfTurn" => {
                self.events.push_back(EarEvent::Started);
                if words.is_empty() {
                    return;
                }
                EarEvent::Words(words)
            }
            "EagerEndOfTurn" => EarEvent::Perhaps(words),
            "TurnResumed" => EarEvent::Resumed,
            "EndOfTurn" => {
                self.used();
                EarEvent::Ended(words)
            }
            _ => EarEvent::Odd(Oddity::UnknownEvent),
        };
        self.events.push_back(event);
    }

    fn used(&mut self) {
        let transcription_seconds = self.chunks.take_seconds();
        self.events.push_back(EarEvent::Used(Usage { transcription_seconds, ..Usage::default() }));
    }

    fn nonsense(&mut self) {
        self.malformed += 1;
        if self.malformed > MOST_MALFORMED {
            return self.fail(failure(FailureKind::Nonsense, "messages that cannot be read"));
        }
        self.events.push_back(EarEvent::Odd(Oddity::Malformed));
    }

    fn fail(&mut self, failure: call::Failure) {
        self.over = true;
        self.events.push_back(EarEvent::Failed(failure));
    }
}

/// 80 ms.
const PIECE: usize = 640;

const MOST_MALFORMED: u32 = 10;

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
