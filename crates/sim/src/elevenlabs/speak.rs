//! What does a socket with many contexts send, and when? Each context's sound in turn, faster than it is spoken.
//!
//! Closing a context does not stop it: what was asked for is still made and sent, then its last message.

use super::{Behaviour, VoiceLedger};
use crate::{
    deepgram::{PartEnd, SpeakWhen, Trouble, Utterance, audio_of},
    line::Line,
    ulaw,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tokio_util::sync::CancellationToken;

const MOST_CONTEXTS: usize = 5;
const MOST_WAITING: usize = 1_000;
const IDLE: Duration = Duration::from_secs(60);

pub(super) struct Speaker {
    line: Line,
    behaviour: Behaviour,
    ledger: watch::Sender<VoiceLedger>,
    /// Open contexts, and whether their text has ended.
    contexts: BTreeMap<String, bool>,
    jobs: VecDeque<Job>,
    sent: Duration,
    stalled: bool,
    closing: bool,
    end: Option<PartEnd>,
}

struct Job {
    context: String,
    utterance: usize,
    rest: Bytes,
    due: Instant,
}

impl Speaker {
    pub fn new(line: Line, behaviour: Behaviour, ledger: watch::Sender<VoiceLedger>) -> Self {
        Self {
            line,
            behaviour,
            ledger,
            contexts: BTreeMap::new(),
            jobs: VecDeque::new(),
            sent: Duration::ZERO,
            stalled: false,
            closing: false,
            end: None,
        }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        if let Some((name, words)) = self.behaviour.error.clone() {
            self.say(json!({ "message": words, "error": name, "code": 1008 }));
            self.close(CloseCode::Policy, &name);
        }
        let alarm = sleep_until(Instant::now());
        tokio::pin!(alarm);
        while self.end.is_none() {
            let due = self.work();
            if self.end.is_some() {
                break;
            }
            if self.closing && self.jobs.is_empty() {
                self.close(CloseCode::Normal, "");
            }
            alarm.as_mut().reset(due.unwrap_or_else(|| Instant::now() + IDLE));
            let message = tokio::select! {
                () = stop.cancelled() => break,
                message = self.line.receive(true) => message,
                () = alarm.as_mut() => continue,
            };
            match message {
                Some(Ok(Message::Text(text))) => self.obey(&text),
                Some(Ok(Message::Binary(_))) => self.violation("a binary message"),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None | Some(Err(_)) => {
                    self.end = Some(if self.closing { PartEnd::Closed } else { PartEnd::Vanished });
                }
            }
        }
        let end = self.end.take().unwrap_or(PartEnd::Ours);
        self.ledger.send_modify(|ledger| ledger.end = Some(end));
    }

    /// Sends what is due, and says when the next is.
    fn work(&mut self) -> Option<Instant> {
        while let Some(job) = self.jobs.front_mut() {
            if job.due > Instant::now() {
                return Some(job.due);
            }
            let piece = job.rest.split_to(job.rest.len().min(ulaw::bytes_of(self.behaviour.speak.piece)));
            let length = ulaw::length_of(piece.len() as u64);
            job.due += length.div_f64(self.behaviour.speak.pace);
            let (context, utterance, over) = (job.context.clone(), job.utterance, job.rest.is_empty());
            if over {
                self.jobs.pop_front();
            }
            self.send(&context, utterance, &piece, length);
            self.finish(&context);
            if self.end.is_some() {
                return None;
            }
        }
        None
    }

    fn send(&mut self, context: &str, utterance: usize, piece: &[u8], length: Duration) {
        // Half of the servers spell it so, the other half otherwise.
        let name = if self.sent.as_millis() % 400 < 200 { "contextId" } else { "context_id" };
        self.say(json!({ "audio": STANDARD.encode(piece), "alignment": null, "normalizedAlignment": null, name: context }));
        self.sent += length;
        let sent = self.sent;
        self.ledger.send_modify(|ledger| {
            if let Some(utterance) = ledger.utterances.get_mut(utterance) {
                utterance.sent += length;
            }
        });
        let due =
            |(when, _): &(SpeakWhen, Trouble)| matches!(when, SpeakWhen::SoundSent(after) if *after <= sent);
        while let Some(at) = self.behaviour.speak.troubles.iter().position(due) {
            match self.behaviour.speak.troubles.remove(at).1 {
                Trouble::Cut => self.end = Some(PartEnd::Ours),
                Trouble::Stall => {
                    self.stalled = true;
                    self.line.mute();
                }
                Trouble::Close(code, reason) => self.close(code.into(), &reason),
                Trouble::SendText(text) => self.line.text(text),
            }
        }
    }

    /// The last message of a context whose text has ended and whose sound is out.
    fn finish(&mut self, context: &str) {
        let ended = self.contexts.get(context) == Some(&true);
        if ended && !self.jobs.iter().any(|job| job.context == context) {
            self.contexts.remove(context);
            self.say(json!({ "isFinal": true, "contextId": context }));
        }
    }

    fn say(&mut self, message: Value) {
        if !self.stalled {
            self.line.text(message.to_string());
        }
    }

    fn close(&mut self, code: CloseCode, reason: &str) {
        self.line.post(Message::Close(Some(CloseFrame { code, reason: reason.to_owned().into() })));
    }

    fn violation(&self, what: impl Into<String>) {
        self.ledger.send_modify(|ledger| ledger.violation(what));
    }

    fn obey(&mut self, text: &str) {
        let Ok(Value::Object(message)) = serde_json::from_str::<Value>(text) else {
            return self.violation("not a JSON object");
        };
        const KNOWN: &[&str] = &[
            "text",
            "context_id",
            "flush",
            "close_context",
            "close_socket",
            "voice_settings",
            "generation_config",
        ];
        if let Some(name) = message.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            self.violation(format!("unknown field {name}"));
        }
        if self.closing {
            return self.violation("a message after close_socket");
        }
        if message.get("close_socket") == Some(&true.into()) {
            self.closing = true;
            return;
        }
        let Some(context) = message.get("context_id").and_then(Value::as_str).map(str::to_owned) else {
            return self.violation("a message without a context");
        };
        if message.get("close_context") == Some(&true.into()) {
            match self.contexts.get_mut(&context) {
                Some(ended) if !*ended => *ended = true,
                _ => self.violation(format!("closed {context}, which is not open")),
            }
            return self.finish(&context);
        }
        let words = message.get("text").and_then(Value::as_str).unwrap_or("");
        if !self.contexts.contains_key(&context) {
            if words != " " {
                self.violation(format!("{context} does not begin with a single space"));
            }
            self.contexts.insert(context.clone(), false);
            let open = self.contexts.len();
            self.ledger.send_modify(|ledger| ledger.most_open = ledger.most_open.max(open));
            if open > MOST_CONTEXTS {
                self.violation("more than five contexts");
                self.close(CloseCode::Policy, "too many contexts");
            }
            return;
        }
        if self.contexts[&context] {
            return self.violation(format!("text in {context} after its end"));
        }
        if !words.ends_with(' ') {
            self.violation(format!("a text without a space at its end: {words:?}"));
        }
        self.ledger.send_modify(|ledger| ledger.characters += words.chars().count() as u64);
        let words = words.trim();
        if words.is_empty() || self.jobs.len() >= MOST_WAITING {
            return;
        }
        let rest = Bytes::from(audio_of(words, self.behaviour.speak.letter));
        let utterance = self.ledger.borrow().utterances.len();
        self.ledger.send_modify(|ledger| {
            ledger.utterances.push(Utterance {
                text: words.to_owned(),
                first_sound: None,
                sent: Duration::ZERO,
                cleared: false,
            });
        });
        let due = Instant::now() + self.behaviour.speak.first;
        self.jobs.push_back(Job { context, utterance, rest, due });
    }
}
