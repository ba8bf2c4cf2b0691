//! A session without a socket: say what the provider and the call say, read what comes out.

#![allow(dead_code, reason = "each test file uses its part of it")]

use bytes::Bytes;
use call::{Audio, Failure, FailureKind, ItemId, LegCommand, LegEvent, Outcome, ReplyId, Say, Turns};
use serde_json::{Value, json};
use wire::{
    Frame, Protocol,
    openai::{Session, Setup},
};

#[derive(Debug)]
pub struct Scene {
    pub session: Session,
}

impl Scene {
    pub fn new(setup: Setup) -> Self {
        Self { session: Session::new(setup) }
    }

    /// Ready, with nothing left to take.
    pub fn ready(turns: Turns) -> Self {
        let mut scene = Self::new(Setup { turns, ..Setup::default() });
        scene.provider(json!({ "type": "session.created", "session": {} }));
        scene.frames();
        scene.provider(updated(turns));
        assert_eq!(scene.events(), [LegEvent::Ready]);
        scene
    }

    /// Ready, and the first reply is being made.
    pub fn replying(turns: Turns) -> Self {
        let mut scene = Self::ready(turns);
        scene.provider(created("resp_1"));
        assert_eq!(scene.events(), [LegEvent::ReplyStarted { reply: ReplyId(1) }]);
        scene
    }

    /// Ready, and the first reply's first item has so much audio.
    pub fn speaking(turns: Turns, ms: usize) -> Self {
        let mut scene = Self::replying(turns);
        scene.provider(item_added("resp_1", "item_1"));
        scene.provider(speech("resp_1", "item_1", ms));
        scene.events();
        scene
    }

    pub fn provider(&mut self, message: Value) {
        self.text(&message.to_string());
    }

    pub fn text(&mut self, text: &str) {
        self.session.read(&Bytes::copy_from_slice(text.as_bytes()));
    }

    pub fn call(&mut self, command: LegCommand) {
        self.session.obey(command);
    }

    pub fn say(&mut self, text: &str) {
        self.call(LegCommand::Say(Say { text: text.into() }));
    }

    pub fn events(&mut self) -> Vec<LegEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// Messages as they are; pings and closes as a word.
    pub fn frames(&mut self) -> Vec<Value> {
        let value = |frame| match frame {
            Frame::Control(text) | Frame::InOrder(text) | Frame::Audio { text, .. } => {
                serde_json::from_slice(&text).expect("we write JSON")
            }
            Frame::Sound { .. } | Frame::Goodbye(_) => panic!("binary to OpenAI"),
            Frame::Ping => json!("ping"),
            Frame::Close => json!("close"),
        };
        std::iter::from_fn(|| self.session.poll_frame()).map(value).collect()
    }

    /// The one message that is to be sent.
    #[track_caller]
    pub fn frame(&mut self) -> Value {
        let frames = self.frames();
        match <[Value; 1]>::try_from(frames) {
            Ok([frame]) => frame,
            Err(frames) => panic!("not one frame: {frames:?}"),
        }
    }

    /// The types of what is to be sent.
    pub fn sent(&mut self) -> Vec<String> {
        self.frames().iter().map(|frame| frame["type"].as_str().unwrap_or("no type").to_owned()).collect()
    }

    /// Why it failed; nothing may have come after that.
    #[track_caller]
    pub fn failure(&mut self) -> Failure {
        match self.events().pop() {
            Some(LegEvent::Failed(failure)) => failure,
            other => panic!("it has not failed: {other:?}"),
        }
    }
}

pub fn updated(turns: Turns) -> Value {
    let live = turns == Turns::Live;
    json!({ "type": "session.updated", "event_id": "event_2", "session": { "type": "realtime", "audio": {
        "input": { "format": { "type": "audio/pcmu" }, "transcription": null,
            "turn_detection": { "type": "server_vad", "create_response": live, "interrupt_response": live } },
        "output": { "format": { "type": "audio/pcmu" }, "voice": "marin" } } } })
}

pub fn created(response: &str) -> Value {
    json!({ "type": "response.created", "response": { "id": response, "status": "in_progress", "metadata": null } })
}

pub fn created_to_say(response: &str) -> Value {
    json!({ "type": "response.created", "response": { "id": response, "metadata": { "purpose": "say" } } })
}

pub fn item_added(response: &str, item: &str) -> Value {
    json!({ "type": "response.output_item.added", "response_id": response, "output_index": 0,
        "item": { "id": item, "type": "message", "status": "in_progress", "role": "assistant", "content": [] } })
}

pub fn speech(response: &str, item: &str, ms: usize) -> Value {
    json!({ "type": "response.output_audio.delta", "response_id": response, "item_id": item, "content_index": 0,
        "delta": Audio::ulaw(&vec![7; ms * 8]).text(), "obfuscation": "xY" })
}

pub fn done(response: &str, status: &str) -> Value {
    json!({ "type": "response.done", "response": { "id": response, "status": status, "status_details": null,
        "output": [], "usage": null } })
}

pub fn failed(response: &str, kind: &str, code: Value) -> Value {
    json!({ "type": "response.done", "response": { "id": response, "status": "failed", "output": [],
        "status_details": { "type": "failed", "error": { "type": kind, "code": code, "message": "text" } } } })
}

pub fn error(kind: &str, code: Value, message: &str, about: Value) -> Value {
    json!({ "type": "error", "event_id": null,
        "error": { "type": kind, "code": code, "message": message, "param": null, "event_id": about } })
}

pub fn already_active(about: Value) -> Value {
    let code = json!("conversation_already_has_active_response");
    error("invalid_request_error", code, "Conversation already has an active response", about)
}

pub fn speech_started(item: &str) -> Value {
    json!({ "type": "input_audio_buffer.speech_started", "audio_start_ms": 3120, "item_id": item })
}

pub fn committed(item: &str) -> Value {
    json!({ "type": "input_audio_buffer.committed", "item_id": item, "previous_item_id": null })
}

pub fn started(reply: u32) -> LegEvent {
    LegEvent::ReplyStarted { reply: ReplyId(reply) }
}

/// By a server that does not say what it took. What failed took nothing.
pub fn finished(reply: u32, outcome: Outcome) -> LegEvent {
    let untold_answers = u64::from(!matches!(outcome, Outcome::FailedForNow(_)));
    let usage = call::Usage { untold_answers, ..call::Usage::default() };
    LegEvent::ReplyDone { reply: ReplyId(reply), outcome, usage }
}

pub fn cut(item: u32, heard_ms: u64) -> LegCommand {
    LegCommand::Truncate { item: ItemId(item), heard: std::time::Duration::from_millis(heard_ms) }
}

pub fn failure(kind: FailureKind, detail: &str) -> Failure {
    Failure { provider: "openai", kind, detail: detail.to_owned().into() }
}
