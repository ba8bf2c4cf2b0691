//! How does a response run, step by step, and how is it cut?
//!
//! Whatever happens to it, what was opened is closed and `response.done` is sent, as the service does.

use super::{
    behaviour::{Ending, Part, Reply, When},
    connection::Connection,
    ledger::{ItemNote, ResponseNote, StartedBy},
    reply::{Response, Spoken, Step},
};
use crate::ulaw;
use serde_json::{Value, json};
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

impl Connection {
    /// The response that writes to the conversation.
    pub(super) fn active(&self) -> Option<&Response> {
        self.responses.iter().find(|response| response.writes_to_conversation())
    }

    pub(super) fn respond(&mut self, by: StartedBy, asked: Value) {
        if by != StartedBy::Client && self.active().is_some() {
            // Observed by nobody: we take the harsher reading, that this turn gets no automatic reply.
            let what = "a turn ended while a response was running: no automatic reply".to_owned();
            return self.ledger.send_modify(|ledger| ledger.race(what));
        }
        self.idle_due = None;
        let in_text = match asked["output_modalities"][0].as_str() {
            Some(modality) => modality == "text",
            None => self.session.value()["output_modalities"][0] == "text",
        };
        let (parts, ending) = match self.failure() {
            Some(failed) => (Vec::new(), failed),
            None => self.next_reply(&asked),
        };
        let parts = parts.into_iter().map(|part| Spoken::new(self.new_id("item"), part)).collect();
        let now = Instant::now();
        let id = self.new_id("resp");
        let mut response =
            Response { id, by, created: now, asked, parts, steps: VecDeque::new(), ending, in_text };
        response.plan(&self.behaviour, &mut self.dice);
        let note = ResponseNote {
            id: response.id.clone(),
            by,
            created_at: now,
            done_at: None,
            status: None,
            reason: None,
            asked: response.asked.clone(),
        };
        self.ledger.send_modify(|ledger| ledger.note_response(note));
        let value = response.value("in_progress", Value::Null, Value::Null, self.session.value());
        self.send(json!({"type": "response.created", "response": value}));
        self.responses.push(response);
        self.counts.created += 1;
        let count = self.counts.created;
        self.reach(|when| *when == When::ResponseCreated(count));
    }

    fn failure(&mut self) -> Option<Ending> {
        let faults = &mut self.behaviour.faults;
        if faults.out_of_quota {
            return Some(Ending::Failed("insufficient_quota", "insufficient_quota"));
        }
        faults.failing_responses = faults.failing_responses.checked_sub(1)?;
        let (kind, code) = faults.failure.unwrap_or(("server_error", "server_error"));
        Some(Ending::Failed(kind, code))
    }

    fn next_reply(&mut self, asked: &Value) -> (Vec<Part>, Ending) {
        let Reply { mut parts, ending } = match asked["instructions"].as_str() {
            Some(instructions) => Reply::say(wanted_words(instructions)),
            None => self.replies.pop_front().unwrap_or_else(|| self.behaviour.fallback.clone()),
        };
        if asked["tool_choice"] == "none" {
            parts.retain(|part| matches!(part, Part::Speech { .. }));
        }
        (parts, ending)
    }

    pub(super) fn step(&mut self, at: usize, step: Step) {
        let Some(response) = self.responses.get_mut(at) else { return };
        match step {
            Step::Open(part) => {
                let lasting = response.writes_to_conversation();
                let events = response.open(part);
                let (id, spoken) = (response.id.clone(), response.parts.get(part));
                let Some(spoken) = spoken else { return };
                let note = item_note(spoken, &id);
                let (item_id, item) = (spoken.item_id.clone(), spoken.item(response.in_text));
                let before = self.conversation.last_id();
                if lasting {
                    // Our own ids are never taken, and a full conversation only loses the oldest bookkeeping.
                    let _ = self.conversation.insert(None, &item_id, item);
                }
                self.ledger.send_modify(|ledger| ledger.note_item(note));
                self.send_all(events, &before);
            }
            Step::Words(part, piece) => {
                if let Some(event) = response.words(part, &piece) {
                    self.send(event);
                }
            }
            Step::Sound(part, range) => self.sound(at, part, range),
            Step::Close(part) => self.close_part(at, part),
            Step::Done => self.finish(at),
        }
    }

    fn sound(&mut self, at: usize, part: usize, range: std::ops::Range<usize>) {
        let length = ulaw::length_of(range.len() as u64);
        let bytes = range.len() as u64;
        let Some(response) = self.responses.get_mut(at) else { return };
        let Some(event) = response.sound(part, range) else { return };
        let item_id = response.parts.get(part).map(|spoken| spoken.item_id.clone()).unwrap_or_default();
        self.session.has_spoken = true;
        if let Some(item) = self.conversation.find_mut(&item_id) {
            item.audio += bytes;
        }
        self.send(event);
        self.note_sound(&item_id, length);
        let sent = self.audio_sent;
        self.reach(|when| matches!(when, When::AudioSent(wanted) if *wanted <= sent));
    }

    fn note_sound(&mut self, item_id: &str, length: Duration) {
        self.audio_sent += length;
        let (now, sent) = (Instant::now(), self.audio_sent);
        self.ledger.send_modify(|ledger| {
            ledger.audio_sent = sent;
            if let Some(item) = ledger.items.iter_mut().rev().find(|item| item.id == item_id) {
                item.sent += length;
                item.first_audio_at.get_or_insert(now);
            }
        });
    }

    fn close_part(&mut self, at: usize, part: usize) {
        let Some(response) = self.responses.get_mut(at) else { return };
        let events = response.close(part);
        let run = response.parts.get(part).and_then(|spoken| spoken.run(&response.id, part));
        self.planned.extend(run);
        let Some(response) = self.responses.get_mut(at) else { return };
        if let Some(spoken) = response.parts.get(part) {
            let value = spoken.item(response.in_text);
            if let Some(item) = self.conversation.find_mut(&spoken.item_id) {
                item.value = value;
            }
        }
        let before = self.conversation.last_id();
        self.send_all(events, &before);
    }

    fn send_all(&mut self, events: Vec<Value>, previous: &Value) {
        for mut event in events {
            if event["type"] == "conversation.item.added" || event["type"] == "conversation.item.done" {
                event["previous_item_id"] = previous.clone();
            }
            self.send(event);
        }
    }

    /// Cancels what writes to the conversation; `false` when nothing does.
    pub(super) fn cancel_all(&mut self, reason: &'static str) -> bool {
        let mut any = false;
        while let Some(at) = self.responses.iter().position(Response::writes_to_conversation) {
            self.cancel(at, reason);
            any = true;
        }
        any
    }

    pub(super) fn cancel(&mut self, at: usize, reason: &'static str) {
        let (late, very_late) = (self.behaviour.faults.late_audio, self.behaviour.faults.very_late_audio);
        self.more_sound(at, late);
        let Some(response) = self.responses.get(at) else { return };
        for part in 0..response.parts.len() {
            self.close_part(at, part);
        }
        let left: Vec<Value> = self.sound_left(at, very_late);
        let details = json!({"type": "cancelled", "reason": reason});
        self.done(at, "cancelled", Some(reason), details);
        // Nothing of this is in the item any more, so it must not count as sent.
        left.into_iter().for_each(|event| self.send(event));
    }

    /// Sends up to `length` of what a cancelled response still had to say.
    fn more_sound(&mut self, at: usize, length: Duration) {
        let mut sent = Duration::ZERO;
        while sent < length {
            let Some(response) = self.responses.get_mut(at) else { return };
            let Some((_, step)) = response.steps.pop_front() else { return };
            match step {
                Step::Sound(part, range) => {
                    sent += ulaw::length_of(range.len() as u64);
                    self.sound(at, part, range);
                }
                Step::Open(_) | Step::Words(..) | Step::Close(_) => self.step(at, step),
                Step::Done => return,
            }
        }
    }

    fn sound_left(&mut self, at: usize, length: Duration) -> Vec<Value> {
        let (mut events, mut so_far) = (Vec::new(), Duration::ZERO);
        let Some(response) = self.responses.get_mut(at) else { return events };
        while let (Some((_, step)), true) = (response.steps.pop_front(), so_far < length) {
            if let Step::Sound(part, range) = step {
                so_far += ulaw::length_of(range.len() as u64);
                events.extend(response.sound(part, range));
            }
        }
        events
    }

    pub(super) fn finish(&mut self, at: usize) {
        let ending = self.responses.get(at).map(|response| response.ending.clone()).unwrap_or_default();
        match ending {
            Ending::Completed => self.done(at, "completed", None, Value::Null),
            Ending::Incomplete(reason) => {
                self.done(at, "incomplete", Some(reason), json!({"type": "incomplete", "reason": reason}));
            }
            Ending::Failed(kind, code) => {
                let message = format!("The pretend service failed this response: {code}.");
                let error = json!({"type": kind, "code": code, "message": message});
                self.done(at, "failed", Some(code), json!({"type": "failed", "error": error}));
                if self.behaviour.faults.out_of_quota {
                    self.error(kind, Some(code), &message, None, None);
                    self.close(4000, format!("{kind}.{code}"));
                }
            }
        }
    }

    fn done(&mut self, at: usize, status: &'static str, reason: Option<&'static str>, details: Value) {
        if at >= self.responses.len() {
            return;
        }
        // Gone from here on, even if the trouble that comes now keeps its `response.done` from being sent.
        let response = self.responses.remove(at);
        let count = self.counts.done + 1;
        self.reach(|when| *when == When::BeforeDone(count));
        if self.end.is_some() || self.stalled {
            return;
        }
        self.counts.done = count;
        let now = Instant::now();
        let usage = self.usage(&response);
        self.ledger.send_modify(|ledger| ledger.note_usage(&usage));
        let value = response.value(status, details, usage, self.session.value());
        self.last_response_ended = Some(now);
        self.ledger.send_modify(|ledger| {
            if let Some(note) = ledger.responses.iter_mut().find(|note| note.id == response.id) {
                note.done_at = Some(now);
                note.status = Some(status);
                note.reason = reason;
            }
        });
        self.send(json!({"type": "response.done", "response": value}));
        self.send(json!({"type": "rate_limits.updated", "rate_limits": [
            {"name": "tokens", "limit": 800_000, "remaining": 795_000, "reset_seconds": 0.4}]}));
        if let Some(idle) = self.session.turn_detection().and_then(|turn| turn.idle_timeout) {
            // The service guesses when playback ends: when this response began, plus its audio.
            let plays_until = response.created + ulaw::length_of(response.audio_sent() as u64);
            self.idle_due = (!self.ear.is_speaking()).then(|| plays_until.max(now) + idle);
        }
        self.reach(|when| *when == When::Done(count));
    }

    /// Made-up but consistent: everything is read again, and most of it from the cache.
    fn usage(&self, response: &Response) -> Value {
        let text_in = 120 + self.conversation.characters() as u64 / 4;
        let audio_in = self.ear.appended_ms() / 100;
        let (cached, cached_audio) = (text_in / 64 * 64, audio_in / 16 * 16);
        let audio_out = response.audio_sent() as u64 / ulaw::BYTES_PER_MS / 50;
        let text_out = response.parts.iter().map(|spoken| spoken.words.len() as u64 / 4).sum::<u64>();
        json!({"total_tokens": text_in + audio_in + audio_out + text_out, "input_tokens": text_in + audio_in,
            "output_tokens": audio_out + text_out,
            "input_token_details": {"text_tokens": text_in, "audio_tokens": audio_in, "image_tokens": 0,
                "cached_tokens": cached + cached_audio,
                "cached_tokens_details": {"text_tokens": cached, "audio_tokens": cached_audio, "image_tokens": 0}},
            "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out}})
    }
}

fn item_note(spoken: &Spoken, response_id: &str) -> ItemNote {
    let (kind, text, audio, call_id) = match &spoken.part {
        Part::Speech { transcript, audio, .. } => ("message", transcript.clone(), audio.clone(), None),
        Part::Call { arguments, call_id, .. } => {
            ("function_call", arguments.clone(), bytes::Bytes::new(), Some(call_id.clone()))
        }
        Part::Elsewhere { arguments, .. } => ("mcp_call", arguments.clone(), bytes::Bytes::new(), None),
    };
    ItemNote {
        id: spoken.item_id.clone(),
        kind,
        role: "assistant",
        response_id: Some(response_id.to_owned()),
        text,
        audio,
        sent: Duration::ZERO,
        first_audio_at: None,
        call_id,
    }
}

/// The words that instructions such as `Say exactly: Good morning` ask for: what is quoted, or what follows the first
/// colon, or everything.
fn wanted_words(instructions: &str) -> &str {
    for (open, close) in [('“', '”'), ('"', '"'), ('«', '»')] {
        let quoted = instructions.split_once(open).and_then(|(_, rest)| rest.rsplit_once(close));
        if let Some((words, _)) = quoted.filter(|(words, _)| !words.trim().is_empty()) {
            return words.trim();
        }
    }
    match instructions.split_once(':') {
        Some((_, words)) if !words.trim().is_empty() => words.trim(),
        Some(_) | None => instructions.trim(),
    }
}
