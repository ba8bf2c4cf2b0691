//! What has this client done, and what did it get? Written down for tests.
//!
//! A violation is a client's mistake. A race is not: two messages crossed, the service refused one of them, and every
//! client has to live with that.

use crate::Headers;
use serde_json::Value;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// Kept of each list; counters go on.
const MAX_LISTED: usize = 2048;

pub struct Ledger {
    pub opened: Instant,
    pub model: String,
    /// Without credentials.
    pub headers: Headers,
    pub violations: Vec<String>,
    pub violation_count: u64,
    pub races: Vec<String>,
    /// Client events but appends, in order of arrival.
    pub events: VecDeque<(Instant, Value)>,
    pub appends: u64,
    pub appended: Duration,
    pub first_append_at: Option<Instant>,
    pub last_append_at: Option<Instant>,
    /// `session.updated` was sent, with µ-law both ways.
    pub configured_at: Option<Instant>,
    /// The effective configuration.
    pub session: Value,
    /// What it said that was used: of each response, and of each transcription.
    pub usages: Vec<Value>,
    pub items: Vec<ItemNote>,
    pub responses: Vec<ResponseNote>,
    pub truncations: Vec<Truncation>,
    pub deletions: Vec<(Instant, String)>,
    /// Speech that the detector found: from and, when over, to.
    pub speech: Vec<(Instant, Option<Instant>)>,
    pub audio_sent: Duration,
    pub end: Option<LegEnd>,
}

#[derive(Clone, Debug)]
pub struct ItemNote {
    pub id: String,
    pub kind: &'static str,
    pub role: &'static str,
    pub response_id: Option<String>,
    /// What an assistant says, or what a client wrote.
    pub text: String,
    /// The whole audio, including what was not sent.
    pub audio: bytes::Bytes,
    pub sent: Duration,
    pub first_audio_at: Option<Instant>,
    pub call_id: Option<String>,
}

#[derive(Clone, Debug)]
pub struct ResponseNote {
    pub id: String,
    pub by: StartedBy,
    pub created_at: Instant,
    pub done_at: Option<Instant>,
    /// `completed`, `cancelled`, `failed` or `incomplete`, once done.
    pub status: Option<&'static str>,
    pub reason: Option<&'static str>,
    /// The `response` of the client's `response.create`.
    pub asked: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartedBy {
    Client,
    TurnEnd,
    IdleTimeout,
}

#[derive(Clone, Debug)]
pub struct Truncation {
    pub at: Instant,
    pub item_id: String,
    pub audio_end_ms: u64,
    /// How much of the item's audio had been sent.
    pub sent: Duration,
    pub accepted: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum LegEnd {
    ClosedByClient {
        code: Option<u16>,
        reason: String,
    },
    ClosedByService {
        code: u16,
        reason: String,
    },
    /// We dropped the connection.
    Cut,
    /// The connection broke without a close frame.
    Broken(String),
}

impl Ledger {
    pub(super) fn new(model: &str, headers: Headers) -> Self {
        Self {
            opened: Instant::now(),
            model: model.to_owned(),
            headers,
            violations: Vec::new(),
            violation_count: 0,
            races: Vec::new(),
            events: VecDeque::new(),
            appends: 0,
            appended: Duration::ZERO,
            first_append_at: None,
            last_append_at: None,
            configured_at: None,
            session: Value::Null,
            usages: Vec::new(),
            items: Vec::new(),
            responses: Vec::new(),
            truncations: Vec::new(),
            deletions: Vec::new(),
            speech: Vec::new(),
            audio_sent: Duration::ZERO,
            end: None,
        }
    }

    pub fn item(&self, id: &str) -> Option<&ItemNote> {
        self.items.iter().find(|item| item.id == id)
    }

    pub fn response(&self, id: &str) -> Option<&ResponseNote> {
        self.responses.iter().find(|response| response.id == id)
    }

    /// Client events of one type.
    pub fn events_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().map(|(_, event)| event).filter(move |event| event["type"] == kind)
    }

    /// Is a response being generated?
    pub fn is_responding(&self) -> bool {
        self.responses.iter().any(|response| response.done_at.is_none())
    }

    pub fn responses_done(&self) -> usize {
        self.responses.iter().filter(|response| response.done_at.is_some()).count()
    }

    pub(super) fn violation(&mut self, what: String) {
        self.violation_count += 1;
        if self.violations.len() < MAX_LISTED {
            self.violations.push(what);
        }
    }

    pub(super) fn race(&mut self, what: String) {
        if self.races.len() < MAX_LISTED {
            self.races.push(what);
        }
    }

    pub(super) fn event(&mut self, at: Instant, event: Value) {
        if self.events.len() >= MAX_LISTED {
            self.events.pop_front();
        }
        self.events.push_back((at, event));
    }

    pub(super) fn note_usage(&mut self, usage: &Value) {
        if self.usages.len() < MAX_LISTED {
            self.usages.push(usage.clone());
        }
    }

    pub(super) fn note_item(&mut self, item: ItemNote) {
        if self.items.len() >= MAX_LISTED {
            self.items.remove(0);
        }
        self.items.push(item);
    }

    pub(super) fn note_response(&mut self, response: ResponseNote) {
        if self.responses.len() >= MAX_LISTED {
            self.responses.remove(0);
        }
        self.responses.push(response);
    }

    pub(super) fn note_truncation(&mut self, truncation: Truncation) {
        if self.truncations.len() < MAX_LISTED {
            self.truncations.push(truncation);
        }
    }

    pub(super) fn note_deletion(&mut self, at: Instant, id: &str) {
        if self.deletions.len() < MAX_LISTED {
            self.deletions.push((at, id.to_owned()));
        }
    }

    pub(super) fn speech_started(&mut self, at: Instant) {
        if self.speech.len() < MAX_LISTED {
            self.speech.push((at, None));
        }
    }
}

impl std::fmt::Debug for Ledger {
    /// What a person needs who reads why a test waited in vain: no audio, and the last events only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = |at: &Instant| at.saturating_duration_since(self.opened);
        let last: Vec<_> =
            self.events.iter().rev().take(12).map(|(at, event)| (since(at), &event["type"])).collect();
        let responses: Vec<_> = self.responses.iter().map(|r| (&r.id, r.by, r.status, r.reason)).collect();
        let items: Vec<_> = self.items.iter().map(|i| (&i.id, i.kind, i.role, i.sent)).collect();
        f.debug_struct("Ledger")
            .field("age", &self.opened.elapsed())
            .field("configured", &self.configured_at.is_some())
            .field("appends", &self.appends)
            .field("appended", &self.appended)
            .field("audio_sent", &self.audio_sent)
            .field("speech", &self.speech.len())
            .field("responses", &responses)
            .field("items", &items)
            .field("truncations", &self.truncations)
            .field("deletions", &self.deletions.len())
            .field("violations", &self.violations)
            .field("races", &self.races)
            .field("end", &self.end)
            .field("last_events_newest_first", &last)
            .finish()
    }
}
