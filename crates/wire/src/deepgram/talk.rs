//! What every conversation with Deepgram keeps: what was understood, what is to be sent, whether it is over.

use std::collections::VecDeque;

use bytes::Bytes;
use call::{
    Failure, FailureKind, Oddity,
    cascade::{EarEvent, MouthEvent},
};
use serde_json::{Value, json};

use super::{closed, failure};
use crate::{loose::Text, protocol::Frame};

#[derive(Debug)]
pub(super) struct Talk<E> {
    /// It failed, or we said goodbye: nothing more is said or heard.
    pub over: bool,
    malformed: u32,
    pub events: VecDeque<E>,
    pub frames: VecDeque<Frame>,
}

/// What an ear and a mouth have to tell alike.
pub(super) trait Event {
    fn odd(oddity: Oddity) -> Self;
    fn failed(failure: Failure) -> Self;
}

impl Event for EarEvent {
    fn odd(oddity: Oddity) -> Self {
        Self::Odd(oddity)
    }

    fn failed(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Event for MouthEvent {
    fn odd(oddity: Oddity) -> Self {
        Self::Odd(oddity)
    }

    fn failed(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl<E> Default for Talk<E> {
    fn default() -> Self {
        Self { over: false, malformed: 0, events: VecDeque::new(), frames: VecDeque::new() }
    }
}

impl<E: Event> Talk<E> {
    /// The open socket is all that this service says about being ready.
    pub fn ready(event: E) -> Self {
        Self { events: VecDeque::from([event]), ..Self::default() }
    }

    pub fn tell(&mut self, event: E) {
        self.events.push_back(event);
    }

    pub fn odd(&mut self, oddity: Oddity) {
        self.tell(E::odd(oddity));
    }

    pub fn send(&mut self, message: &Value) {
        self.frames.push_back(Frame::Control(Bytes::from(message.to_string())));
    }

    /// `CloseStream` or `Close`, after which they close.
    pub fn goodbye(&mut self, kind: &str) {
        self.over = true;
        self.frames.push_back(Frame::Goodbye(Bytes::from(json!({ "type": kind }).to_string())));
    }

    /// Their own error, after which they close.
    pub fn error(&mut self, words: &[&Text<'_>]) {
        let words: Vec<&str> = words.iter().filter_map(|text| text.some()).collect();
        self.fail(failure(FailureKind::Provider, &words.join(": ")));
    }

    /// A message that cannot be read, or should not be there.
    pub fn nonsense(&mut self) {
        if self.over {
            return;
        }
        self.malformed += 1;
        if self.malformed > MOST_MALFORMED {
            return self.fail(failure(FailureKind::Nonsense, "messages that cannot be read"));
        }
        self.odd(Oddity::Malformed);
    }

    pub fn closed(&mut self, code: Option<u16>, reason: &str) {
        if !self.over {
            self.fail(closed(code, reason));
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.over = true;
        self.tell(E::failed(failure));
    }
}

const MOST_MALFORMED: u32 = 10;
