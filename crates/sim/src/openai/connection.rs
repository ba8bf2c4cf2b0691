//! What does one connection to the pretend service do from `session.created` to its end?
//!
//! One task: it reads, keeps its plan of what is to be sent when, and never waits for the client. What a client does
//! wrong is answered as the service would and written into the ledger.

use super::{
    behaviour::{Behaviour, Reply, What, When},
    conversation::Conversation,
    ear::Ear,
    ledger::{Ledger, LegEnd},
    reply::{Response, Step},
    session::Session,
    strict::Refusal,
};
use crate::{dice::Dice, line::Line, probe::Probe};
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
pub(super) const MAX_PLANNED: usize = 4096;

/// Told by a test while the connection lives.
#[derive(Clone, Debug)]
pub(super) enum Order {
    Do(What),
    /// Said as the next reply.
    Reply(Reply),
}

/// Planned for later.
#[derive(Debug)]
pub(super) enum Later {
    Created,
    Update {
        event: Value,
    },
    Transcript {
        item_id: String,
        text: String,
        audio_ms: u64,
    },
    /// A tool that this service runs by itself was run.
    Ran(Vec<Value>),
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
    pub(super) replies: VecDeque<Reply>,
    pub(super) caller_says: VecDeque<String>,
    pub(super) planned: Vec<(Instant, Later)>,
    pub(super) troubles: Vec<(When, What)>,
    pub(super) turn_item: Option<String>,
    pub(super) idle_due: Option<Instant>,
    pub(super) next_ping: Instant,
    pub(super) audio_sent: Duration,
    pub(super) counts: Counts,
    pub(super) stalled: bool,
    pub(super) reading: bool,
    pub(super) closing: Option<(Instant, LegEnd)>,
    pub(super) end: Option<LegEnd>,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) speech: u32,
    pub(super) created: u32,
    pub(super) done: u32,
    pub(super) turns: u32,
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
        let stopped = stop.cancelled_owned();
        tokio::pin!(alarm, stopped);
        loop {
            self.run_due(Instant::now());
            if self.end.is_some() {
                break;
            }
            let wake = self.wake();
            if alarm.deadline() != wake {
                alarm.as_mut().reset(wake);
            }
            tokio::select! {
                biased;
                () = &mut stopped => self.end = Some(LegEnd::Cut),
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
            Later::Ran(events) => events.into_iter().for_each(|event| self.send(event)),
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

    pub(super) fn error(
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

    // Trouble.

    /// Does what was to be done at a moment that has now come; each only once.
    pub(super) fn reach(&mut self, is_now: impl Fn(&When) -> bool) {
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
