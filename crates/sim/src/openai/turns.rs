//! When does the caller's turn begin and end, and what becomes of it?
//!
//! The detector decides, unless the client has switched it off and commits by hand. A turn that ends becomes an item,
//! gets a transcript a little later, and is answered by itself if the session says so.

use super::{
    behaviour::When,
    connection::{Connection, Later, MAX_PLANNED},
    ear::Heard,
    ledger::{ItemNote, StartedBy},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

impl Connection {
    pub(super) fn hear(&mut self, audio: &[u8]) {
        let turn = self.session.turn_detection();
        for heard in self.ear.hear(audio, turn.as_ref()) {
            match heard {
                Heard::Started { audio_start_ms } => self.speech_started(audio_start_ms),
                Heard::Stopped { audio_end_ms } => self.speech_stopped(audio_end_ms),
            }
        }
        let appended = Duration::from_millis(self.ear.appended_ms());
        self.reach(|when| matches!(when, When::Appended(length) if *length <= appended));
    }

    fn speech_started(&mut self, audio_start_ms: u64) {
        let now = Instant::now();
        let item_id = self.new_id("item");
        self.turn_item = Some(item_id.clone());
        self.idle_due = None;
        self.ledger.send_modify(|ledger| ledger.speech_started(now));
        self.send(json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": audio_start_ms,
            "item_id": item_id}));
        self.counts.speech += 1;
        if self.session.turn_detection().is_some_and(|turn| turn.interrupt_response) {
            self.cancel_all("turn_detected");
        }
        let count = self.counts.speech;
        self.reach(|when| *when == When::SpeechStarted(count));
    }

    fn speech_stopped(&mut self, audio_end_ms: u64) {
        let now = Instant::now();
        let item_id = match self.turn_item.take() {
            Some(id) => id,
            None => self.new_id("item"),
        };
        self.ledger.send_modify(|ledger| {
            if let Some((_, end)) = ledger.speech.last_mut() {
                *end = Some(now);
            }
        });
        self.send(json!({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": audio_end_ms,
            "item_id": item_id}));
        self.commit(item_id);
        if self.session.turn_detection().is_some_and(|turn| turn.create_response) {
            self.respond(StartedBy::TurnEnd, Value::Null);
        }
    }

    /// The pending audio becomes an item of the caller.
    pub(super) fn commit(&mut self, item_id: String) {
        let previous = self.conversation.last_id();
        let audio_ms = self.ear.take_pending_ms();
        self.last_turn_committed = Some(Instant::now());
        self.send(
            json!({"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": previous}),
        );
        let item = json!({"id": item_id, "object": "realtime.item", "type": "message", "status": "completed",
            "role": "user", "content": [{"type": "input_audio", "transcript": null}]});
        self.add_item(None, &item_id, item, "user", None);
        self.counts.turns += 1;
        if self.session.transcribes() && self.planned.len() < MAX_PLANNED {
            let made_up = format!("This is what the caller said in turn {}.", self.counts.turns);
            let text = self.caller_says.pop_front().unwrap_or(made_up);
            let due = Instant::now() + self.behaviour.transcript_after;
            self.planned.push((due, Later::Transcript { item_id, text, audio_ms }));
        }
    }

    /// Adds a complete item and announces it; `false` when it was refused.
    pub(super) fn add_item(
        &mut self,
        previous: Option<&str>,
        id: &str,
        item: Value,
        role: &'static str,
        cause: Option<&Value>,
    ) -> bool {
        let before = match self.conversation.insert(previous, id, item.clone()) {
            Ok(before) => before,
            Err(refusal) => {
                self.refuse(refusal, cause, "conversation.item.create");
                return false;
            }
        };
        let kind = match item["type"].as_str() {
            Some("function_call_output") => "function_call_output",
            Some("function_call") => "function_call",
            Some(_) | None => "message",
        };
        let text = item["content"][0]["text"].as_str().or(item["output"].as_str()).unwrap_or("").to_owned();
        let call_id = item["call_id"].as_str().map(str::to_owned);
        let note = ItemNote {
            id: id.to_owned(),
            kind,
            role,
            response_id: None,
            text,
            audio: bytes::Bytes::new(),
            sent: Duration::ZERO,
            first_audio_at: None,
            call_id,
        };
        self.ledger.send_modify(|ledger| ledger.note_item(note));
        for kind in ["conversation.item.added", "conversation.item.done"] {
            self.send(json!({"type": kind, "previous_item_id": before, "item": item}));
        }
        true
    }

    pub(super) fn transcribe(&mut self, item_id: &str, text: &str, audio_ms: u64) {
        let delta: String = text.split_inclusive(' ').take(2).collect();
        self.send(json!({"type": "conversation.item.input_audio_transcription.delta", "item_id": item_id,
            "content_index": 0, "delta": delta}));
        let audio = audio_ms.div_ceil(100);
        let words = text.len() as u64 / 4 + 1;
        let usage = json!({"type": "tokens", "total_tokens": audio + words, "input_tokens": audio,
            "output_tokens": words, "input_token_details": {"text_tokens": 0, "audio_tokens": audio}});
        self.send(
            json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": item_id,
            "content_index": 0, "transcript": text, "usage": usage}),
        );
        let said = !self.stalled;
        self.ledger.send_modify(|ledger| {
            if said {
                ledger.note_usage(&usage);
            }
            if let Some(item) = ledger.items.iter_mut().find(|item| item.id == item_id) {
                item.text = text.to_owned();
            }
        });
    }

    /// Nobody has spoken for a while.
    pub(super) fn time_out(&mut self) {
        let item_id = self.new_id("item");
        let end_ms = self.ear.appended_ms();
        let start_ms = end_ms - self.ear.pending_ms().min(end_ms);
        self.send(json!({"type": "input_audio_buffer.timeout_triggered", "item_id": item_id,
            "audio_start_ms": start_ms, "audio_end_ms": end_ms}));
        self.commit(item_id);
        self.respond(StartedBy::IdleTimeout, Value::Null);
    }
}
