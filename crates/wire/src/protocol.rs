//! What every vendor's protocol on a WebSocket has in common.
//!
//! A [`Protocol`] is one side of a conversation as a machine without a socket. Whoever has the socket brings
//! what arrives, and after each call takes events and frames until there are none. Pings of the other side are
//! answered by the socket itself.

use std::{fmt, time::Duration};

use bytes::Bytes;

pub trait Protocol {
    type Event;
    type Command;

    /// Takes one text message.
    fn read(&mut self, text: &Bytes);
    /// Takes one binary message.
    fn read_binary(&mut self, bytes: &Bytes);
    /// A ping of ours was answered.
    fn pong(&mut self);
    /// The other side closed the socket, or without a code: it broke.
    fn closed(&mut self, code: Option<u16>, reason: &str);
    /// Takes one command of the call.
    fn obey(&mut self, command: Self::Command);
    fn poll_event(&mut self) -> Option<Self::Event>;
    fn poll_frame(&mut self) -> Option<Frame>;
}

/// One thing to send, in order.
#[derive(Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text message that must arrive, as soon as can be.
    Control(Bytes),
    /// A text message that must arrive, behind the sound before it.
    InOrder(Bytes),
    /// A text message with so much of the caller's voice, which is useless when it is late.
    Audio {
        text: Bytes,
        time: Duration,
    },
    /// The same as a binary message.
    Sound {
        bytes: Bytes,
        time: Duration,
    },
    Ping,
    /// The protocol's own goodbye: a text message after which nothing is sent, not even sound that waits.
    Goodbye(Bytes),
    /// Close with 1000.
    Close,
}

/// Without the words: instructions and voices stay out of logs.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control(text) => write!(f, "Control({} bytes)", text.len()),
            Self::InOrder(text) => write!(f, "InOrder({} bytes)", text.len()),
            Self::Audio { time, .. } => write!(f, "Audio({time:?})"),
            Self::Sound { time, .. } => write!(f, "Sound({time:?})"),
            Self::Ping => f.write_str("Ping"),
            Self::Goodbye(text) => write!(f, "Goodbye({} bytes)", text.len()),
            Self::Close => f.write_str("Close"),
        }
    }
}
