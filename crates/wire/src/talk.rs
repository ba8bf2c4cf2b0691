//! What every conversation of a cascade's part keeps: what was understood, what is to be sent, whether it is over.

use std::collections::VecDeque;

use bytes::Bytes;
use call::{
    Failure, FailureKind, Oddity,
    cascade::{EarEvent, MouthEvent},
};
use serde_json::Value;

use crate::protocol::Frame;

#[derive(Debug)]
pub(crate) struct Talk<E> {
    provider: &'static str,
    /// It failed, or we said goodbye: nothing more is said or heard.
    pub over: bool,
    malformed: u32,
    pub events: VecDeque<E>,
    pub frames: VecDeque<Frame>,
}

/// What an ear and a mouth have to tell alike.
pub(crate) trait Event {
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

impl<E: Event> Talk<E> {
    /// `first`: what is known as soon as the socket is open.
    pub fn with(provider: &'static str, first: Option<E>) -> Self {
        let (events, frames) = (first.into_iter().collect(), VecDeque::new());
        Self { provider, over: false, malformed: 0, events, frames }
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

    /// Behind the sound that was sent before it.
    pub fn send_in_order(&mut self, message: &Value) {
        self.frames.push_back(Frame::InOrder(Bytes::from(message.to_string())));
    }

    /// The protocol's own last word, after which the other side closes.
    pub fn goodbye(&mut self, message: &Value) {
        self.over = true;
        self.frames.push_back(Frame::Goodbye(Bytes::from(message.to_string())));
    }

    /// A message that cannot be read, or should not be there.
    pub fn nonsense(&mut self) {
        if self.over {
            return;
        }
        self.malformed += 1;
        if self.malformed > MOST_MALFORMED {
            let (kind, detail) = (FailureKind::Nonsense, "messages that cannot be read".into());
            return self.fail(Failure { provider: self.provider, kind, detail });
        }
        self.odd(Oddity::Malformed);
    }

    /// The last thing that it says.
    pub fn fail(&mut self, failure: Failure) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        self.tell(E::failed(failure));
    }
}

/// The parts of [`crate::Protocol`] that are the same for all who keep a [`Talk`] in a field of this name.
macro_rules! talk {
    ($event:ident) => {
        fn pong(&mut self) {
            if !self.talk.over {
                self.talk.tell($event::Alive);
            }
        }

        fn closed(&mut self, code: Option<u16>, reason: &str) {
            self.talk.fail(closed(code, reason));
        }

        fn poll_event(&mut self) -> Option<$event> {
            self.talk.events.pop_front()
        }

        fn poll_frame(&mut self) -> Option<Frame> {
            self.talk.frames.pop_front()
        }
    };
}

pub(crate) use talk;

const MOST_MALFORMED: u32 = 10;
