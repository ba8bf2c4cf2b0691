//! Flux as a voice (`/v2/speak`): it knows what was heard of a sentence that was cut.
//!
//! Its clock is the session's: all sound that the client played, from the first turn on. An interruption sets
//! it back to what was really played. Only a turn that is still being made can be interrupted, and only after
//! the session's very first sound; until an interruption is answered, nothing new is said, for it would be
//! taken for more of the old turn.

use std::time::Duration;

use bytes::Bytes;
use call::{
    Audio, Oddity, ReplyId,
    cascade::{MouthCommand, MouthEvent},
    ulaw,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{PROVIDER, closed, error, pieces};
use crate::{
    loose::{Number, Text},
    protocol::{Frame, Protocol},
    query::Query,
    talk::{Talk, talk},
};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct FluxVoiceSetup {
    /// Such as `flux-kit-en`: voice and language in one.
    pub model: String,
    /// 0.5 to 1.5, in steps of 0.05.
    pub speed: Option<f64>,
}

impl FluxVoiceSetup {
    pub fn path_and_query(&self) -> String {
        let speed = self.speed.map(|speed| format!("{:.2}", (speed * 20.0).round() / 20.0));
        let query = Query::of("/v2/speak").with("model", &self.model);
        query.with("encoding", "mulaw").with("sample_rate", "8000").with_some("speed", speed).end()
    }
}

#[derive(Debug)]
pub struct FluxVoice {
    /// The reply that is being said.
    reply: Option<ReplyId>,
    /// It has all its text.
    finished: bool,
    /// Where this turn's sound begins on the session's clock, and how much of it has come.
    begins: Duration,
    come: Duration,
    /// How far the last interruption set the clock. The next must be beyond.
    cut_at: Duration,
    stopping: Option<Stopping>,
    /// What is to be said after that.
    waiting: Vec<Value>,
    talk: Talk<MouthEvent>,
}

/// An interruption that was not answered.
#[derive(Debug)]
struct Stopping {
    reply: ReplyId,
    /// It was refused because there had been no sound at all: again, when there is.
    again: bool,
    message: Value,
    offset: Option<Duration>,
}

impl Default for FluxVoice {
    fn default() -> Self {
        Self {
            reply: None,
            finished: false,
            begins: Duration::ZERO,
            come: Duration::ZERO,
            cut_at: Duration::ZERO,
            stopping: None,
            waiting: Vec::new(),
            talk: Talk::with(PROVIDER, None),
        }
    }
}

impl Protocol for FluxVoice {
    type Event = MouthEvent;
    type Command = MouthCommand;

    talk!(MouthEvent);

    fn read(&mut self, text: &Bytes) {
        if self.talk.over {
            return;
        }
        let Ok(message) = serde_json::from_slice::<Message<'_>>(text) else { return self.talk.nonsense() };
        match &*message.kind.0 {
            "Connected" => self.talk.tell(MouthEvent::Ready),
            "SpeechMetadata" => self.turn_ended(),
            "SpeechInterrupted" => self.interrupted(&message),
            "Warning" => self.warned(&message.code.0),
            "SpeechStarted" | "Flushed" | "ConfigureSuccess" | "SessionMetadata" => {}
            "ConfigureFailure" => self.talk.odd(Oddity::OwnError),
            "Error" => self.talk.fail(error(&[&message.code, &message.description])),
            "" => self.talk.nonsense(),
            _ => self.talk.odd(Oddity::UnknownEvent),
        }
    }

    fn read_binary(&mut self, bytes: &Bytes) {
        if self.talk.over || bytes.is_empty() {
            return;
        }
        self.come += ulaw::duration(bytes.len() as u64);
        match (&mut self.stopping, self.reply) {
            (Some(stopping), _) => {
                if std::mem::take(&mut stopping.again) {
                    self.talk.send(&stopping.message);
                } // else it is stale
            }
            (None, Some(reply)) => self.talk.tell(MouthEvent::Speech { reply, audio: Audio::ulaw(bytes) }),
            (None, None) => {}
        }
    }

    fn obey(&mut self, command: MouthCommand) {
        if self.talk.over {
            return;
        }
        match command {
            MouthCommand::Say { reply, words } => {
                self.reply = Some(reply);
                self.finished = false;
                for piece in pieces(&words) {
                    self.send(json!({ "type": "Speak", "text": format!("{piece} ") }));
                }
            }
            MouthCommand::Finish(_) => {
                self.finished = true;
                self.send(json!({ "type": "Flush" }));
            }
            MouthCommand::Stop { reply, heard } => self.stop(reply, heard),
            MouthCommand::KeepAlive => self.talk.frames.push_back(Frame::Ping),
            MouthCommand::Close => self.talk.goodbye(&json!({ "type": "Close" })),
            MouthCommand::Open => {}
        }
    }
}

impl FluxVoice {
    fn send(&mut self, message: Value) {
        if self.stopping.is_some() { self.waiting.push(message) } else { self.talk.send(&message) }
    }

    fn stop(&mut self, reply: ReplyId, heard: Option<Duration>) {
        self.reply = None;
        self.waiting.clear(); // of the reply that came after the last stop and is stopped itself
        if self.stopping.is_some() {
            return;
        }
        // An offset that is not beyond the last one is refused, and nothing would stop.
        let offset = heard.map(|heard| (self.begins + heard).max(self.cut_at + TICK));
        let mut message = json!({ "type": "Interrupt" });
        if let Some(offset) = offset {
            message["playback_offset"] = json!({ "type": "time_ms", "value": millis(offset) });
        }
        self.talk.send(&message);
        self.stopping = Some(Stopping { reply, again: false, message, offset });
    }

    /// All sound of a turn has come, in spite of an interruption that is still on its way.
    fn turn_ended(&mut self) {
        self.begins += std::mem::take(&mut self.come);
        if self.stopping.is_none()
            && let Some(reply) = self.reply.take_if(|_| std::mem::take(&mut self.finished))
        {
            self.talk.tell(MouthEvent::Done(reply));
        }
    }

    fn interrupted(&mut self, message: &Message<'_>) {
        let Some(stopping) = &self.stopping else { return self.talk.odd(Oddity::UnknownEvent) };
        let theirs = message.audio_played_ms.whole().map(|ms| Duration::from_millis(ms.into()));
        self.cut_at = stopping.offset.or(theirs).unwrap_or(self.begins + self.come);
        self.begins = self.cut_at;
        self.come = Duration::ZERO;
        if stopping.offset.is_some()
            && let Some(words) = &message.text_spoken
        {
            let (reply, words) = (stopping.reply, words.0.trim().to_owned());
            self.talk.tell(MouthEvent::Heard { reply, words });
        }
        self.go_on();
    }

    fn warned(&mut self, code: &str) {
        match (code, &mut self.stopping) {
            ("NO_AUDIO_GENERATED", Some(stopping)) => stopping.again = true,
            // The turn had ended before the interruption arrived.
            ("NO_ACTIVE_SPEECH", Some(_)) => self.go_on(),
            ("INPUT_MARKUP_STRIPPED" | "SYNTHESIS_RETRYING" | "NO_SYNTHESIZABLE_TEXT", _) => {
                self.talk.odd(Oddity::BenignError);
            }
            _ => self.talk.odd(Oddity::OwnError),
        }
    }

    /// Nothing stale comes any more.
    fn go_on(&mut self) {
        self.stopping = None;
        self.talk.tell(MouthEvent::Stopped);
        std::mem::take(&mut self.waiting).iter().for_each(|message| self.talk.send(message));
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The clock's finest step. No word is so short.
const TICK: Duration = Duration::from_millis(1);

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    code: Text<'a>,
    #[serde(borrow, default)]
    description: Text<'a>,
    #[serde(default)]
    audio_played_ms: Number,
    #[serde(borrow, default)]
    text_spoken: Option<Text<'a>>,
}
