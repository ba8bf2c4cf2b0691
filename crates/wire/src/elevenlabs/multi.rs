//! Text to speech on one socket for the call, one context for each reply.
//!
//! Nothing stops a context; closing it only ends its text, and the sound that still comes is dropped by its
//! name. A socket has five contexts at most, and each counts until its last message.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use call::{
    Audio, FailureKind, Oddity, ReplyId,
    cascade::{MouthCommand, MouthEvent},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{PROVIDER, closed, failure, kind_by_name};
use crate::{
    loose::Text,
    protocol::{Frame, Protocol},
    query::{Query, escaped},
    talk::{Talk, talk},
};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct MultiSetup {
    pub voice: String,
    /// Such as `eleven_flash_v2_5`. Models of the families v3 and v4 speak another protocol.
    pub model: String,
    /// For models that speak several; without it they guess.
    pub language: Option<String>,
    /// 0.7 to 1.2.
    pub speed: Option<f64>,
}

impl MultiSetup {
    /// Path and query, to be appended to a base path such as `/v1`.
    pub fn path_and_query(&self) -> String {
        Query::of(&format!("/text-to-speech/{}/multi-stream-input", escaped(&self.voice)))
            .with("model_id", &self.model)
            .with("output_format", "ulaw_8000")
            .with("auto_mode", "true")
            .with("inactivity_timeout", "180")
            .with_some("language_code", self.language.as_deref())
            .end()
    }
}

/// A voice on a socket with many contexts.
#[derive(Debug)]
pub struct Multi {
    speed: Option<f64>,
    talk: Talk<MouthEvent>,
    /// Contexts that have not said their last word.
    open: BTreeMap<u32, Context>,
    /// What had to wait for a place.
    waiting: VecDeque<Value>,
    /// The context that waits, if one does.
    parked: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Context {
    /// More text may come.
    Speaking,
    /// All its text is there.
    Finishing,
    /// Nobody wants to hear the rest.
    Dead,
}

impl Multi {
    pub fn new(setup: &MultiSetup) -> Self {
        Self {
            speed: setup.speed,
            talk: Talk::with(PROVIDER, Some(MouthEvent::Ready)),
            open: BTreeMap::new(),
            waiting: VecDeque::new(),
            parked: None,
        }
    }
}

impl Protocol for Multi {
    type Event = MouthEvent;
    type Command = MouthCommand;

    talk!(MouthEvent);

    fn read(&mut self, text: &Bytes) {
        if self.talk.over {
            return;
        }
        let Ok(message) = serde_json::from_slice::<Message<'_>>(text) else { return self.talk.nonsense() };
        if let Some(name) = message.error.some() {
            let kind = kind_by_name(name).unwrap_or(FailureKind::Provider);
            let words =
                message.message.some().map_or_else(|| name.to_owned(), |words| format!("{name}: {words}"));
            return self.talk.fail(failure(kind, &words));
        }
        let name = message.context_id.some().or(message.context_id_too.some());
        let Some(context) = name.and_then(number) else {
            return self.talk.odd(Oddity::UnknownEvent);
        };
        let reply = ReplyId(context);
        let wanted = self.open.get(&context).is_some_and(|context| *context != Context::Dead);
        let is_final = message.is_final.unwrap_or(false) || message.is_final_too.unwrap_or(false);
        if message.audio.some().is_some() && wanted {
            match Audio::base64(message.audio.bytes(text)) {
                Ok(audio) => self.talk.tell(MouthEvent::Speech { reply, audio }),
                Err(_) => self.talk.nonsense(),
            }
        }
        if is_final {
            if self.open.remove(&context) == Some(Context::Finishing) {
                self.talk.tell(MouthEvent::Done(reply));
            }
            self.let_in();
        }
    }

    fn read_binary(&mut self, _: &Bytes) {
        self.talk.nonsense();
    }

    fn obey(&mut self, command: MouthCommand) {
        if self.talk.over {
            return;
        }
        match command {
            MouthCommand::Say { reply: ReplyId(context), words } => {
                if !self.open.contains_key(&context) && self.parked != Some(context) {
                    self.begin(context);
                }
                let text = format!("{words} ");
                self.send(context, json!({ "text": text, "context_id": name(context), "flush": true }));
            }
            MouthCommand::Finish(ReplyId(context)) => {
                if let Some(state) = self.open.get_mut(&context) {
                    *state = Context::Finishing;
                }
                self.send(context, json!({ "context_id": name(context), "close_context": true }));
            }
            MouthCommand::Stop { reply: ReplyId(context), .. } => {
                if self.parked == Some(context) {
                    self.parked = None;
                    self.waiting.clear();
                } else if let Some(state) = self.open.get_mut(&context) {
                    let closed = std::mem::replace(state, Context::Dead) != Context::Speaking;
                    if !closed {
                        self.talk.send(&json!({ "context_id": name(context), "close_context": true }));
                    }
                }
                self.talk.tell(MouthEvent::Stopped); // what still comes is known by its name
            }
            MouthCommand::KeepAlive => self.talk.frames.push_back(Frame::Ping),
            MouthCommand::Close => self.talk.goodbye(&json!({ "close_socket": true })),
            MouthCommand::Open => {}
        }
    }
}

impl Multi {
    /// A new context, or one that waits until there is a place for it.
    fn begin(&mut self, context: u32) {
        let mut first = json!({ "text": " ", "context_id": name(context) });
        if let Some(speed) = self.speed {
            first["voice_settings"] = json!({ "speed": speed });
        }
        if self.open.len() >= MOST_CONTEXTS {
            self.parked = Some(context);
            self.waiting.clear();
            self.waiting.push_back(first);
        } else {
            self.open.insert(context, Context::Speaking);
            self.talk.send(&first);
        }
    }

    fn send(&mut self, context: u32, message: Value) {
        if self.parked == Some(context) { self.waiting.push_back(message) } else { self.talk.send(&message) }
    }

    /// A place is free.
    fn let_in(&mut self) {
        let Some(context) = self.parked.take_if(|_| self.open.len() < MOST_CONTEXTS) else { return };
        let finished = self.waiting.back().is_some_and(|last| last.get("close_context").is_some());
        self.open.insert(context, if finished { Context::Finishing } else { Context::Speaking });
        std::mem::take(&mut self.waiting).iter().for_each(|message| self.talk.send(message));
    }
}

fn name(context: u32) -> String {
    format!("r{context}")
}

fn number(name: &str) -> Option<u32> {
    name.strip_prefix('r')?.parse().ok()
}

/// A sixth would end the socket.
const MOST_CONTEXTS: usize = 5;

/// Both spellings are in use.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    audio: Text<'a>,
    #[serde(borrow, default, rename = "contextId")]
    context_id: Text<'a>,
    #[serde(borrow, default, rename = "context_id")]
    context_id_too: Text<'a>,
    #[serde(default, rename = "isFinal")]
    is_final: Option<bool>,
    #[serde(default, rename = "is_final")]
    is_final_too: Option<bool>,
    #[serde(borrow, default)]
    error: Text<'a>,
    #[serde(borrow, default)]
    message: Text<'a>,
}
