//! What does a client event do? One function per event, after its shape has been checked.
//!
//! The audio path comes first and parses once; everything else is rare and goes through the strict shapes.

use super::{
    connection::Connection,
    ledger::{ItemNote, ResponseNote, StartedBy, Truncation},
    shapes,
    strict::Refusal,
};
use crate::ulaw;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{borrow::Cow, time::Duration};
use tokio::time::Instant;

/// One append may carry 15 MiB.
const MAX_APPEND: usize = 15 * 1024 * 1024;
/// Two messages this close together may have crossed; a client that is later has not looked.
const CROSSING: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Append<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    audio: Cow<'a, str>,
    #[serde(borrow, default)]
    event_id: Option<Cow<'a, str>>,
}

impl Connection {
    pub(super) fn take_text(&mut self, text: &str) {
        if let Ok(append) = serde_json::from_str::<Append>(text)
            && append.kind == "input_audio_buffer.append"
        {
            let event_id = append.event_id.as_deref().map(|id| json!({"event_id": id}));
            return self.append(&append.audio, event_id.as_ref());
        }
        let event: Value = match serde_json::from_str(text) {
            Ok(event) => event,
            Err(error) => {
                let refusal =
                    Refusal::new("invalid_json", format!("We could not parse the JSON: {error}."), None);
                return self.refuse(refusal, None, "broken JSON");
            }
        };
        self.ledger.send_modify(|ledger| ledger.event(Instant::now(), event.clone()));
        let kind = event["type"].as_str().unwrap_or("").to_owned();
        if let Err(refusal) = shapes::check(&event, self.modern) {
            return self.refuse(
                refusal,
                Some(&event),
                if kind.is_empty() { "an event without a type" } else { &kind },
            );
        }
        match kind.as_str() {
            "session.update" => self.plan_update(event),
            "input_audio_buffer.append" => self.append(event["audio"].as_str().unwrap_or(""), Some(&event)),
            "input_audio_buffer.commit" => self.commit_by_hand(&event),
            "input_audio_buffer.clear" => {
                self.ear.take_pending_ms();
                self.ear.forget_turn();
                self.send(json!({"type": "input_audio_buffer.cleared"}));
            }
            "conversation.item.create" => self.create_item(&event),
            "conversation.item.truncate" => self.truncate(&event),
            "conversation.item.delete" => self.delete(&event),
            "conversation.item.retrieve" => self.retrieve(&event),
            "response.create" => self.create_response(&event),
            "response.cancel" => self.cancel_response(&event),
            // The shapes know no other event.
            _ => {}
        }
    }

    fn append(&mut self, audio: &str, event: Option<&Value>) {
        let now = Instant::now();
        if audio.len() > MAX_APPEND / 3 * 4 {
            let refusal =
                Refusal::new("invalid_value", "Invalid 'audio': too large, at most 15 MiB.", Some("audio"));
            return self.refuse(refusal, event, "input_audio_buffer.append");
        }
        let bytes = match STANDARD.decode(audio) {
            Ok(bytes) if !bytes.is_empty() => bytes,
            Ok(_) | Err(_) => {
                let message = "Invalid 'audio'. Expected base64-encoded audio bytes, but got invalid bytes.";
                let refusal = Refusal::new("invalid_value", message, Some("audio"));
                return self.refuse(refusal, event, "input_audio_buffer.append");
            }
        };
        let is_ulaw = self.session.is_ulaw();
        self.ledger.send_modify(|ledger| {
            ledger.appends += 1;
            ledger.appended += ulaw::length_of(bytes.len() as u64);
            ledger.first_append_at.get_or_insert(now);
            ledger.last_append_at = Some(now);
            if !is_ulaw {
                // The service would not complain: it would hear static.
                ledger.violation(
                    "audio was appended before the session was set to audio/pcmu both ways".to_owned(),
                );
            }
        });
        if self.behaviour.echo {
            self.echo(audio, &bytes);
        } else {
            self.hear(&bytes);
        }
    }

    /// Says back what was appended, within one response that never ends.
    fn echo(&mut self, audio: &str, bytes: &[u8]) {
        if let Some(probe) = &self.probe {
            probe.arrives_at_provider(bytes);
        }
        let head = match &self.echoing {
            Some(head) => head,
            None => &self.begin_echo(),
        };
        let text = format!(r#"{head}"{audio}"}}"#);
        if let Some(probe) = &self.probe {
            probe.leaves_provider(bytes);
        }
        self.line.text(text);
    }

    /// The events before the first delta; gives a delta's text up to its audio.
    fn begin_echo(&mut self) -> String {
        let (response_id, item_id) = (self.new_id("resp"), self.new_id("item"));
        let now = Instant::now();
        let asked = Value::Null;
        let by = StartedBy::TurnEnd;
        let note = ResponseNote {
            id: response_id.clone(),
            by,
            created_at: now,
            done_at: None,
            status: None,
            reason: None,
            asked,
        };
        self.ledger.send_modify(|ledger| ledger.note_response(note));
        let item = json!({"id": item_id, "object": "realtime.item", "type": "message", "status": "in_progress",
            "role": "assistant", "content": []});
        self.send(
            json!({"type": "response.created", "response": {"id": response_id, "object": "realtime.response",
            "status": "in_progress", "status_details": null, "output": [], "conversation_id": "conv_1",
            "output_modalities": ["audio"], "usage": null, "metadata": null}}),
        );
        self.send(
            json!({"type": "response.output_item.added", "response_id": response_id, "output_index": 0,
            "item": item}),
        );
        self.send(json!({"type": "conversation.item.added", "previous_item_id": null, "item": item}));
        self.send(
            json!({"type": "response.content_part.added", "response_id": response_id, "item_id": item_id,
            "output_index": 0, "content_index": 0, "part": {"type": "audio", "transcript": ""}}),
        );
        let head = format!(
            r#"{{"type":"response.output_audio.delta","event_id":"event_echo","response_id":"{response_id}","item_id":"{item_id}","output_index":0,"content_index":0,"delta":"#
        );
        self.echoing = Some(head.clone());
        head
    }

    fn commit_by_hand(&mut self, event: &Value) {
        if self.session.turn_detection().is_some() {
            self.ledger.send_modify(|ledger| {
                ledger.violation("input_audio_buffer.commit while turn detection is on".to_owned());
            });
        }
        let pending_ms = self.ear.pending_ms();
        if pending_ms < 100 {
            let message = format!(
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has {pending_ms}.00ms of audio."
            );
            let refusal = Refusal::new("input_audio_buffer_commit_empty", message, None);
            return match self.last_turn_committed {
                Some(at) if at.elapsed() < CROSSING => self.refuse_as_race(refusal, Some(event), "commit"),
                Some(_) | None => self.refuse(refusal, Some(event), "commit"),
            };
        }
        let item_id = self.new_id("item");
        self.commit(item_id);
    }

    fn create_item(&mut self, event: &Value) {
        let mut item = event["item"].clone();
        let id = match item["id"].as_str() {
            Some(id) => id.to_owned(),
            None => self.new_id("item"),
        };
        if item["type"] == "function_call_output" {
            let call_id = item["call_id"].as_str().unwrap_or("");
            if !self.conversation.awaits_output_of(call_id) {
                let message =
                    format!("Tool call ID '{call_id}' not found in conversation, or answered before.");
                let refusal = Refusal::new("invalid_tool_call_id", message, Some("item.call_id"));
                return self.refuse(refusal, Some(event), "conversation.item.create");
            }
        }
        item["id"] = json!(id);
        item["object"] = json!("realtime.item");
        item["status"] = json!("completed");
        let role = match item["role"].as_str() {
            Some("user") => "user",
            Some("system") => "system",
            Some("assistant") => "assistant",
            Some(_) | None => "tool",
        };
        self.add_item(event["previous_item_id"].as_str(), &id, item, role, Some(event));
    }

    fn truncate(&mut self, event: &Value) {
        let id = event["item_id"].as_str().unwrap_or("").to_owned();
        let (content_index, audio_end_ms) =
            (event["content_index"].as_u64().unwrap_or(0), event["audio_end_ms"].as_u64().unwrap_or(0));
        let sent = self.ledger.borrow().item(&id).map_or(Duration::ZERO, |item: &ItemNote| item.sent);
        let result = self.conversation.truncate(&id, content_index, audio_end_ms);
        let note = Truncation {
            at: Instant::now(),
            item_id: id.clone(),
            audio_end_ms,
            sent,
            accepted: result.is_ok(),
        };
        self.ledger.send_modify(|ledger| {
            ledger.note_truncation(note);
            if result.is_ok() && audio_end_ms == 0 {
                // Whether the service takes this is not known, so nobody may rely on it: delete the item.
                ledger.violation(
                    "conversation.item.truncate at 0 ms: what nobody heard is to be deleted".to_owned(),
                );
            }
        });
        match result {
            Ok(()) => self.send(json!({"type": "conversation.item.truncated", "item_id": id,
                "content_index": content_index, "audio_end_ms": audio_end_ms})),
            Err(refusal) => self.refuse(refusal, Some(event), "conversation.item.truncate"),
        }
    }

    fn delete(&mut self, event: &Value) {
        let id = event["item_id"].as_str().unwrap_or("").to_owned();
        match self.conversation.delete(&id) {
            Ok(()) => {
                self.ledger.send_modify(|ledger| ledger.note_deletion(Instant::now(), &id));
                self.send(json!({"type": "conversation.item.deleted", "item_id": id}));
            }
            Err(refusal) => self.refuse(refusal, Some(event), "conversation.item.delete"),
        }
    }

    fn retrieve(&mut self, event: &Value) {
        let id = event["item_id"].as_str().unwrap_or("");
        match self.conversation.find(id).map(|item| item.value.clone()) {
            Some(item) => self.send(json!({"type": "conversation.item.retrieved", "item": item})),
            None => {
                let message = format!("Error retrieving item: no item with id '{id}'.");
                let refusal = Refusal::new("item_retrieve_invalid_item_id", message, Some("item_id"));
                self.refuse(refusal, Some(event), "conversation.item.retrieve");
            }
        }
    }

    fn create_response(&mut self, event: &Value) {
        let asked = event.get("response").cloned().unwrap_or(Value::Null);
        let out_of_band = asked["conversation"] == "none";
        if let Some(active) = self.active().filter(|_| !out_of_band) {
            let crossed = active.by != StartedBy::Client && active.created.elapsed() < CROSSING;
            let message = format!(
                "Conversation already has an active response in progress: {}. Wait until the response is finished before creating a new one.",
                active.id
            );
            let refusal = Refusal::new("conversation_already_has_active_response", message, None);
            return if crossed {
                self.refuse_as_race(refusal, Some(event), "response.create")
            } else {
                self.refuse(refusal, Some(event), "response.create")
            };
        }
        if !self.session.is_ulaw() {
            self.ledger.send_modify(|ledger| {
                ledger.violation(
                    "response.create before the session was set to audio/pcmu both ways".to_owned(),
                );
            });
        }
        self.respond(StartedBy::Client, asked);
    }

    fn cancel_response(&mut self, event: &Value) {
        let reason = "client_cancelled";
        let cancelled = match event["response_id"].as_str() {
            None => self.cancel_all(reason),
            Some(id) => match self.responses.iter().position(|response| response.id == id) {
                Some(at) => {
                    self.cancel(at, reason);
                    true
                }
                None => false,
            },
        };
        if cancelled {
            return;
        }
        let message = "Cancellation failed: no active response found";
        let refusal = Refusal::new("response_cancel_not_active", message, None);
        match self.last_response_ended {
            Some(at) if at.elapsed() < CROSSING => {
                self.refuse_as_race(refusal, Some(event), "response.cancel")
            }
            Some(_) | None => self.refuse(refusal, Some(event), "response.cancel"),
        }
    }
}
