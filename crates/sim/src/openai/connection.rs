//! What does one connection to the pretend service do from `session.created` to its end?
//!
//! One task: it reads, keeps its plan of what is to be sent when, and never waits for the client. What a client does
//! wrong is answered as the service would and written into the ledger.

use super::{
    behaviour::{Behaviour, Ending, Part, Reply, What, When},
    conversation::Conversation,
    ear::{Ear, Heard},
    ledger::{ItemNote, Ledger, LegEnd, ResponseNote, StartedBy},
    reply::{Response, Spoken, Step},
    session::Session,
    strict::Refusal,
};
use crate::{dice::Dice, line::Line, probe::Probe, ulaw};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use tokio_util::sync::CancellationToken;

/// How long a client may take to answer our close.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// Things planned besides responses; more means a client that floods us.
const MAX_PLANNED: usize = 4096;

/// Told by a test while the connection lives.
#[derive(Clone, Debug)]
pub(super) enum Order {
    Do(What),
    /// Said as the next reply.
    Reply(Reply),
}

/// Planned for later.
#[derive(Debug)]
enum Later {
    Created,
    Update { event: Value },
    Transcript { item_id: String, text: String, audio_ms: u64 },
}

pub(super) struct Connection {
    pub(super) line: Line,
    pub(super) behaviour: Behaviour,
    pub(super) ledger: watch::Sender<Ledger>,
    pub(super) session: Session,
    pub(super) conversation: Conversation,
    pub(super) ear: Ear,
    pub(super) responses: Vec<Response>,
    pub(super) last_response_ended: Option<Instant>,
    pub(super) last_turn_committed: Option<Instant>,
    pub(super) dice: Dice,
    pub(super) modern: bool,
    pub(super) probe: Option<Arc<Probe>>,
    pub(super) echoing: Option<String>,
    replies: VecDeque<Reply>,
    caller_says: VecDeque<String>,
    planned: Vec<(Instant, Later)>,
    troubles: Vec<(When, What)>,
    turn_item: Option<String>,
    idle_due: Option<Instant>,
    next_ping: Instant,
    audio_sent: Duration,
    counts: Counts,
    stalled: bool,
    reading: bool,
    closing: Option<(Instant, LegEnd)>,
    end: Option<LegEnd>,
}

#[derive(Debug, Default)]
struct Counts {
    speech: u32,
    created: u32,
    done: u32,
    turns: u32,
}

impl Connection {
    pub fn new(
        line: Line,
        behaviour: Behaviour,
        ledger: watch::Sender<Ledger>,
        probe: Option<Arc<Probe>>,
    ) -> Self {
        let model = ledger.borrow().model.clone();
        let mut dice = Dice::new(behaviour.seed);
        let session = Session::new(&model, &format!("sess_{}", dice.hex(20)));
        let now = Instant::now();
        Self {
            line,
            ledger,
            session,
            conversation: Conversation::default(),
            ear: Ear::default(),
            responses: Vec::new(),
            last_response_ended: None,
            last_turn_committed: None,
            dice,
            // Azure deployments may be called anything; only the known older models lack reasoning.
            modern: !["gpt-realtime", "gpt-realtime-mini", "gpt-realtime-1.5"].contains(&model.as_str())
                && !model.starts_with("gpt-realtime-2025"),
            probe,
            echoing: None,
            replies: behaviour.replies.iter().cloned().collect(),
            caller_says: behaviour.caller_says.iter().cloned().collect(),
            planned: vec![(now + behaviour.faults.session_created_after, Later::Created)],
            troubles: behaviour.faults.troubles.clone(),
            turn_item: None,
            idle_due: None,
            next_ping: now + behaviour.ping_every,
            audio_sent: Duration::ZERO,
            counts: Counts::default(),
            stalled: false,
            reading: true,
            closing: None,
            end: None,
            behaviour,
        }
    }

    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>, stop: CancellationToken) {
        if let Some(error) = self.behaviour.faults.error_at_connect.clone() {
            self.planned.clear();
            self.error(error.kind, Some(error.code), &error.message, None, None);
            self.close(error.close, format!("{}.{}", error.kind, error.code));
        }
        let alarm = sleep_until(Instant::now());
        tokio::pin!(alarm);
        loop {
            self.run_due(Instant::now());
            if self.end.is_some() {
                break;
            }
            alarm.as_mut().reset(self.wake());
            tokio::select! {
                biased;
                () = stop.cancelled() => self.end = Some(LegEnd::Cut),
                Some(order) = orders.recv() => match order {
                    Order::Do(what) => self.trouble(what),
                    Order::Reply(reply) => self.replies.push_back(reply),
                },
                message = self.line.receive(self.reading) => self.take(message),
                () = alarm.as_mut() => {}
            }
        }
        let end = self.end.take();
        let now = Instant::now();
        self.ledger.send_modify(|ledger| {
            // What was never finished is over now.
            ledger.responses.iter_mut().for_each(|response| _ = response.done_at.get_or_insert(now));
            ledger.end = end.clone();
        });
        if matches!(end, Some(LegEnd::ClosedByClient { .. })) {
            let rest = async { while self.line.receive(true).await.is_some() {} };
            let _ = tokio::time::timeout(CLOSE_LIMIT, rest).await;
        }
    }

    fn wake(&self) -> Instant {
        let planned = self.planned.iter().map(|(due, _)| *due);
        let steps = self.responses.iter().filter_map(|response| response.steps.front()).map(|(due, _)| *due);
        let others = [self.idle_due, self.closing.as_ref().map(|(limit, _)| *limit)];
        let all = planned.chain(steps).chain(others.into_iter().flatten());
        if self.stalled { self.next_ping } else { all.fold(self.next_ping, Instant::min) }
    }

    fn run_due(&mut self, now: Instant) {
        if let Some((_, end)) = self.closing.take_if(|(limit, _)| *limit <= now) {
            self.end = Some(end);
        }
        if self.next_ping <= now {
            self.next_ping = now + self.behaviour.ping_every;
            self.line.post(Message::Ping("still there".into()));
        }
        while let Some(at) = self.planned.iter().position(|(due, _)| *due <= now) {
            let (_, later) = self.planned.remove(at);
            self.happen(later);
        }
        if self.idle_due.is_some_and(|due| due <= now) {
            self.idle_due = None;
            self.time_out();
        }
        while let Some((at, step)) = self.next_step(now) {
            self.step(at, step);
        }
    }

    fn next_step(&mut self, now: Instant) -> Option<(usize, Step)> {
        if self.stalled || self.end.is_some() || self.closing.is_some() {
            return None;
        }
        let due = |response: &Response| response.steps.front().is_some_and(|(due, _)| *due <= now);
        let at = self.responses.iter().position(due)?;
        let (_, step) = self.responses.get_mut(at)?.steps.pop_front()?;
        Some((at, step))
    }

    fn happen(&mut self, later: Later) {
        match later {
            Later::Created => {
                if !self.behaviour.faults.no_session_created {
                    self.send(json!({"type": "session.created", "session": self.session.value()}));
                    self.extra(json!({"type": "conversation.created", "conversation": {"id": "conv_1"}}));
                }
                self.reach(|when| *when == When::Connected);
            }
            Later::Update { event } => self.update(&event),
            Later::Transcript { item_id, text, audio_ms } => self.transcribe(&item_id, &text, audio_ms),
        }
    }

    fn take(&mut self, message: Option<Result<Message, String>>) {
        match message {
            Some(Ok(Message::Text(text))) => self.take_text(text.as_str()),
            Some(Ok(Message::Binary(_))) => {
                let message = "Binary messages are not supported.";
                self.refuse(Refusal::new("invalid_event", message, None), None, "a binary message");
            }
            Some(Ok(Message::Close(frame))) => {
                let code = frame.as_ref().map(|frame| u16::from(frame.code));
                let reason = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                let by_us = self.closing.take().map(|(_, end)| end);
                self.end = Some(by_us.unwrap_or(LegEnd::ClosedByClient { code, reason }));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            None | Some(Err(_)) if self.closing.is_some() => {
                self.end = self.closing.take().map(|(_, end)| end)
            }
            None => self.end = Some(LegEnd::Broken("ended without a close frame".to_owned())),
            Some(Err(error)) => self.end = Some(LegEnd::Broken(error)),
        }
    }

    // What goes out.

    pub(super) fn send(&mut self, mut event: Value) {
        if self.stalled || self.closing.is_some() {
            return;
        }
        event["event_id"] = json!(format!("event_{}", self.dice.hex(16)));
        if self.behaviour.extras {
            if event.get("delta").is_some() {
                event["obfuscation"] = json!(self.dice.hex(7));
            } else if self.dice.between(1, 4) == 1 {
                event["not_in_any_document"] = json!({"since": "tomorrow", "list": [1, null, "three"]});
            }
        }
        self.line.text(event.to_string());
        if self.dice.between(1, 12) == 1 {
            self.extra(
                json!({"type": "session.weather.updated", "event_id": "event_w", "weather": {"sky": null}}),
            );
        }
    }

    /// Sends what no document mentions, if that is wanted.
    fn extra(&mut self, event: Value) {
        if self.behaviour.extras && !self.stalled && self.closing.is_none() {
            self.line.text(event.to_string());
        }
    }

    fn error(
        &mut self,
        kind: &str,
        code: Option<&str>,
        message: &str,
        param: Option<&str>,
        event_id: Option<Value>,
    ) {
        self.send(
            json!({"type": "error", "error": {"type": kind, "code": code, "message": message, "param": param,
            "event_id": event_id.unwrap_or(Value::Null)}}),
        );
    }

    /// A client's mistake: answered, and written down.
    pub(super) fn refuse(&mut self, refusal: Refusal, event: Option<&Value>, what: &str) {
        let line = format!("{what}: {}", refusal.message);
        self.ledger.send_modify(|ledger| ledger.violation(line));
        self.answer_refusal(refusal, event);
    }

    /// Two messages crossed: answered alike, but nobody's fault.
    pub(super) fn refuse_as_race(&mut self, refusal: Refusal, event: Option<&Value>, what: &str) {
        let line = format!("{what}: {}", refusal.message);
        self.ledger.send_modify(|ledger| ledger.race(line));
        self.answer_refusal(refusal, event);
    }

    fn answer_refusal(&mut self, refusal: Refusal, event: Option<&Value>) {
        let event_id = event.and_then(|event| event.get("event_id")).cloned();
        let param = refusal.param.as_deref();
        self.error("invalid_request_error", refusal.code, &refusal.message, param, event_id);
    }

    pub(super) fn new_id(&mut self, prefix: &str) -> String {
        format!("{prefix}_{}", self.dice.hex(21))
    }

    // The configuration.

    /// A checked update takes effect now or, when that is the fault to show, later or never.
    pub(super) fn plan_update(&mut self, event: Value) {
        let faults = &self.behaviour.faults;
        if faults.no_session_updated || self.planned.len() >= MAX_PLANNED {
            return;
        }
        if let Some(code) = faults.refuse_update {
            let refusal = Refusal::new(code, format!("Refused with {code}."), Some("session"));
            return self.answer_refusal(refusal, Some(&event));
        }
        if faults.session_updated_after.is_zero() {
            return self.update(&event);
        }
        self.planned.push((Instant::now() + faults.session_updated_after, Later::Update { event }));
    }

    fn update(&mut self, event: &Value) {
        let turn = self.session.turn_detection();
        if let Err(refusal) = self.session.update(&event["session"]) {
            return self.refuse(refusal, Some(event), "session.update");
        }
        if self.behaviour.faults.wrong_formats {
            let pcm = json!({"type": "audio/pcm", "rate": 24000});
            let wrong = json!({"audio": {"input": {"format": pcm}, "output": {"format": pcm}}});
            let _ = self.session.update(&wrong);
        }
        if self.session.turn_detection() != turn {
            self.ear.forget_turn();
            self.turn_item = None;
        }
        let (is_ulaw, value) = (self.session.is_ulaw(), self.session.value().clone());
        self.ledger.send_modify(|ledger| {
            ledger.session = value.clone();
            ledger.configured_at = ledger.configured_at.or(is_ulaw.then(Instant::now));
        });
        self.send(json!({"type": "session.updated", "session": value}));
        self.reach(|when| *when == When::Updated);
    }

    // The caller's turns.

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

    fn transcribe(&mut self, item_id: &str, text: &str, audio_ms: u64) {
        let delta: String = text.split_inclusive(' ').take(2).collect();
        self.send(json!({"type": "conversation.item.input_audio_transcription.delta", "item_id": item_id,
            "content_index": 0, "delta": delta}));
        let audio = audio_ms.div_ceil(100);
        let words = text.len() as u64 / 4 + 1;
        self.send(
            json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": item_id,
            "content_index": 0, "transcript": text, "usage": {"type": "tokens", "total_tokens": audio + words,
            "input_tokens": audio, "output_tokens": words,
            "input_token_details": {"text_tokens": 0, "audio_tokens": audio}}}),
        );
        self.ledger.send_modify(|ledger| {
            if let Some(item) = ledger.items.iter_mut().find(|item| item.id == item_id) {
                item.text = text.to_owned();
            }
        });
    }

    /// Nobody has spoken for a while.
    fn time_out(&mut self) {
        let item_id = self.new_id("item");
        let end_ms = self.ear.appended_ms();
        let start_ms = end_ms - self.ear.pending_ms().min(end_ms);
        self.send(json!({"type": "input_audio_buffer.timeout_triggered", "item_id": item_id,
            "audio_start_ms": start_ms, "audio_end_ms": end_ms}));
        self.commit(item_id);
        self.respond(StartedBy::IdleTimeout, Value::Null);
    }

    // Responses.

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

    fn step(&mut self, at: usize, step: Step) {
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

    pub(super) fn note_sound(&mut self, item_id: &str, length: Duration) {
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

    fn finish(&mut self, at: usize) {
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

    /// Made-up but consistent: everything is read again, and most of the text from the cache.
    fn usage(&self, response: &Response) -> Value {
        let text_in = 120 + self.conversation.characters() as u64 / 4;
        let audio_in = self.ear.appended_ms() / 100;
        let cached = text_in / 64 * 64;
        let audio_out = response.audio_sent() as u64 / ulaw::BYTES_PER_MS / 50;
        let text_out = response.parts.iter().map(|spoken| spoken.words.len() as u64 / 4).sum::<u64>();
        json!({"total_tokens": text_in + audio_in + audio_out + text_out, "input_tokens": text_in + audio_in,
            "output_tokens": audio_out + text_out,
            "input_token_details": {"text_tokens": text_in, "audio_tokens": audio_in, "image_tokens": 0,
                "cached_tokens": cached,
                "cached_tokens_details": {"text_tokens": cached, "audio_tokens": 0, "image_tokens": 0}},
            "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out}})
    }

    // Trouble.

    /// Does what was to be done at a moment that has now come; each only once.
    fn reach(&mut self, is_now: impl Fn(&When) -> bool) {
        while let Some(at) = self.troubles.iter().position(|(when, _)| is_now(when)) {
            let (_, what) = self.troubles.remove(at);
            self.trouble(what);
        }
    }

    fn trouble(&mut self, what: What) {
        match what {
            What::Cut => {
                let _ = self.line.receive(false).now_or_never();
                self.end = Some(LegEnd::Cut);
            }
            What::Close(code, reason) => self.close(code, reason),
            What::Stall => {
                let _ = self.line.receive(false).now_or_never();
                self.line.mute();
                self.stalled = true;
            }
            What::StopReading => self.reading = false,
            What::SendText(text) => self.line.text(text),
            What::SendBinary(bytes) => self.line.post(Message::Binary(bytes.into())),
            What::Wait(length) => {
                self.planned.iter_mut().for_each(|(due, _)| *due += length);
                self.responses.iter_mut().for_each(|response| response.postpone(length));
            }
            What::Error(kind, code, message) => self.error(kind, Some(code), message, None, None),
        }
    }

    pub(super) fn close(&mut self, code: u16, reason: String) {
        self.line
            .post(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.as_str().into() })));
        self.closing = Some((Instant::now() + CLOSE_LIMIT, LegEnd::ClosedByService { code, reason }));
        self.reading = true;
        self.planned.clear();
        self.responses.iter_mut().for_each(|response| response.steps.clear());
    }
}

fn item_note(spoken: &Spoken, response_id: &str) -> ItemNote {
    let (kind, text, audio, call_id) = match &spoken.part {
        Part::Speech { transcript, audio, .. } => ("message", transcript.clone(), audio.clone(), None),
        Part::Call { arguments, call_id, .. } => {
            ("function_call", arguments.clone(), bytes::Bytes::new(), Some(call_id.clone()))
        }
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
