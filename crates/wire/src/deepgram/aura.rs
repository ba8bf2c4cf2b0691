//! Aura, the voice (`/v1/speak`).
//!
//! Its sound has no name on it: what belongs to which reply is known by counting flushes, and after a `Clear`
//! everything until `Cleared` is stale. More than 20 flushes a minute are ignored, so there are two for a reply
//! at most: one after a first clause that ends without a full stop, for the voice begins by itself at the ends
//! of sentences, and one after the last word.

use std::collections::VecDeque;

use bytes::Bytes;
use call::{
    Audio, Oddity, ReplyId,
    cascade::{MouthCommand, MouthEvent},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{PROVIDER, closed, error, pieces};
use crate::{
    loose::Text,
    protocol::{Frame, Protocol},
    query::Query,
    talk::{Talk, talk},
};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuraSetup {
    /// Such as `aura-2-thalia-en`: voice and language in one.
    pub model: String,
    /// 0.7 to 1.5.
    pub speed: Option<f64>,
}

impl AuraSetup {
    pub fn path_and_query(&self) -> String {
        let query = Query::of("/v1/speak").with("model", &self.model);
        query.with("encoding", "mulaw").with("sample_rate", "8000").with_some("speed", self.speed).end()
    }
}

#[derive(Debug)]
pub struct Aura {
    /// The reply whose sound comes now.
    reply: Option<ReplyId>,
    /// Flushes that were not confirmed; a reply's last one says whose.
    flushes: VecDeque<Option<ReplyId>>,
    /// A `Clear` is out: what comes is stale, and what is to be said waits.
    clearing: bool,
    waiting: Vec<Value>,
    talk: Talk<MouthEvent>,
}

impl Default for Aura {
    /// The socket is open, and that is all it says about being ready.
    fn default() -> Self {
        Self {
            reply: None,
            flushes: VecDeque::new(),
            clearing: false,
            waiting: Vec::new(),
            talk: Talk::with(PROVIDER, Some(MouthEvent::Ready)),
        }
    }
}

impl Protocol for Aura {
    type Event = MouthEvent;
    type Command = MouthCommand;

    talk!(MouthEvent);

    fn read(&mut self, text: &Bytes) {
        if self.talk.over {
            return;
        }
        let Ok(message) = serde_json::from_slice::<Message<'_>>(text) else { return self.talk.nonsense() };
        match &*message.kind.0 {
            "Flushed" if self.clearing => {}
            "Flushed" => {
                if let Some(Some(reply)) = self.flushes.pop_front() {
                    self.talk.tell(MouthEvent::Done(reply));
                }
            }
            "Cleared" => self.cleared(),
            "Metadata" => {}
            "Warning" => self.talk.odd(Oddity::OwnError),
            "Error" => self.talk.fail(error(&[&message.code, &message.description])),
            "" => self.talk.nonsense(),
            _ => self.talk.odd(Oddity::UnknownEvent),
        }
    }

    fn read_binary(&mut self, bytes: &Bytes) {
        if self.talk.over || self.clearing || bytes.is_empty() {
            return;
        }
        if let Some(reply) = self.reply {
            self.talk.tell(MouthEvent::Speech { reply, audio: Audio::ulaw(bytes) });
        }
    }

    fn obey(&mut self, command: MouthCommand) {
        if self.talk.over {
            return;
        }
        match command {
            MouthCommand::Say { reply, words } => {
                let first = self.reply.replace(reply) != Some(reply);
                for piece in pieces(&words) {
                    self.send(json!({ "type": "Speak", "text": format!("{piece} ") }));
                }
                if first && !words.ends_with(['.', '!', '?', '…', '。', '।']) {
                    self.flush(None);
                }
            }
            MouthCommand::Finish(reply) => self.flush(Some(reply)),
            MouthCommand::Stop { .. } => {
                self.reply = None;
                self.waiting.clear();
                self.flushes.clear();
                if !std::mem::replace(&mut self.clearing, true) {
                    self.talk.send(&json!({ "type": "Clear" }));
                }
            }
            MouthCommand::KeepAlive => self.talk.frames.push_back(Frame::Ping),
            MouthCommand::Close => self.talk.goodbye(&json!({ "type": "Close" })),
            MouthCommand::Open => {}
        }
    }
}

impl Aura {
    fn flush(&mut self, last_of: Option<ReplyId>) {
        self.flushes.push_back(last_of);
        self.send(json!({ "type": "Flush" }));
    }

    /// What follows a `Clear` waits for its answer: sound of the old text would be taken for the new one's.
    fn send(&mut self, message: Value) {
        if self.clearing { self.waiting.push(message) } else { self.talk.send(&message) }
    }

    fn cleared(&mut self) {
        if std::mem::take(&mut self.clearing) {
            self.talk.tell(MouthEvent::Stopped);
            std::mem::take(&mut self.waiting).iter().for_each(|message| self.talk.send(message));
        }
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    code: Text<'a>,
    #[serde(borrow, default)]
    description: Text<'a>,
}
