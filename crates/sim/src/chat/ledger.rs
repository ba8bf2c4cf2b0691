//! What has this client asked, and what did it get? Written down for tests, one ledger a request.

use super::{Shared, pick};
use crate::{Headers, Waited, waited};
use serde_json::Value;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// Requests remembered, finished ones included; the oldest are forgotten.
const MAX_REMEMBERED: usize = 4096;
const MAX_VIOLATIONS: usize = 16;

#[derive(Clone)]
pub struct Ledger {
    /// When its head had been read.
    pub began: Instant,
    /// On which connection, counted from 1 over all clients: equal numbers mean that one was reused.
    pub connection: u64,
    pub method: String,
    pub path: String,
    /// Without credentials.
    pub headers: Headers,
    /// Null when it was not JSON.
    pub body: Value,
    /// What it was answered with.
    pub status: Option<u16>,
    pub violations: Vec<String>,
    pub first_token_at: Option<Instant>,
    /// Sent so far: pieces of text and of tool calls.
    pub tokens: usize,
    /// Text sent so far.
    pub sent: String,
    /// What it said that this answer took.
    pub usage: Option<Value>,
    pub end: Option<End>,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything that was to be sent was sent.
    Finished,
    /// Not with 200; see [`Ledger::status`].
    Refused,
    /// The client closed the connection before.
    Cancelled { after_tokens: usize },
    /// A fault ended it.
    Failed,
    /// The service was stopped.
    Cut,
}

/// One request, running or over.
#[derive(Clone)]
pub struct Request {
    key: String,
    for_models: bool,
    ledger: watch::Receiver<Ledger>,
}

impl Ledger {
    /// Role and text of each message.
    pub fn messages(&self) -> Vec<(String, String)> {
        let messages = self.body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let role = |message: &Value| message["role"].as_str().unwrap_or("").to_owned();
        messages.iter().map(|message| (role(message), pick::text_of(message))).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// From the question to the first word, as it was and not as it was told to be.
    pub fn first_token_after(&self) -> Option<Duration> {
        Some(self.first_token_at? - self.began)
    }

    pub fn is_finished(&self) -> bool {
        self.end == Some(End::Finished)
    }

    /// After how many tokens the client closed the connection, if it did.
    pub fn cancelled_after(&self) -> Option<usize> {
        match self.end {
            Some(End::Cancelled { after_tokens }) => Some(after_tokens),
            _ => None,
        }
    }
}

impl Request {
    /// Looks at the ledger as it is now.
    pub fn look<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.ledger.borrow())
    }

    pub fn messages(&self) -> Vec<(String, String)> {
        self.look(Ledger::messages)
    }

    pub fn body(&self) -> Value {
        self.look(|ledger| ledger.body.clone())
    }

    pub async fn until(&self, is_so: impl Fn(&Ledger) -> bool, limit: Duration) -> Result<(), Waited> {
        self.when(|ledger| is_so(ledger).then_some(()), limit).await
    }

    pub async fn when<T>(&self, ask: impl FnMut(&Ledger) -> Option<T>, limit: Duration) -> Result<T, Waited> {
        waited::wait_until(&self.ledger, limit, ask).await
    }

    pub async fn ended(&self, limit: Duration) -> Result<End, Waited> {
        self.when(|ledger| ledger.end.clone(), limit).await
    }
}

/// All that are remembered, oldest first.
#[derive(Default)]
pub(super) struct Requests(VecDeque<Request>);

impl Requests {
    pub fn of(&self, key: &str, for_models: bool) -> Vec<Request> {
        self.0.iter().filter(|one| one.key == key && one.for_models == for_models).cloned().collect()
    }
}

/// Writes one ledger; whoever waits for a change of it or of any is woken.
pub(super) struct Note {
    ledger: watch::Sender<Ledger>,
    shared: Arc<Shared>,
}

impl Note {
    pub fn open(shared: Arc<Shared>, key: &str, for_models: bool, ledger: Ledger) -> Self {
        let (ledger, seen) = watch::channel(ledger);
        let request = Request { key: key.to_owned(), for_models, ledger: seen };
        shared.requests.send_modify(|all| {
            if all.0.len() >= MAX_REMEMBERED {
                all.0.pop_front();
            }
            all.0.push_back(request);
        });
        Self { ledger, shared }
    }

    pub fn change(&self, change: impl FnOnce(&mut Ledger)) {
        self.ledger.send_modify(change);
        self.shared.requests.send_modify(|_| ());
    }

    pub fn body(&self) -> Value {
        self.ledger.borrow().body.clone()
    }

    pub fn violation(&self, what: &str) {
        let path = self.ledger.borrow().path.clone();
        self.shared.violation(format!("{path}: {what}"));
        self.change(|ledger| {
            if ledger.violations.len() < MAX_VIOLATIONS {
                ledger.violations.push(what.to_owned());
            }
        });
    }

    pub fn end(&self, end: End) {
        self.change(|ledger| ledger.end = Some(end));
    }

    pub fn cancelled(&self) {
        self.change(|ledger| ledger.end = Some(End::Cancelled { after_tokens: ledger.tokens }));
    }
}

impl Drop for Note {
    /// Nobody wrote how it ended: the service was stopped in the middle.
    fn drop(&mut self) {
        if self.ledger.borrow().end.is_none() {
            self.end(End::Cut);
        }
    }
}

impl std::fmt::Debug for Ledger {
    /// What a person needs who reads why a test waited in vain: the last words of it only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let messages = self.messages();
        f.debug_struct("Ledger")
            .field("age", &self.began.elapsed())
            .field("connection", &self.connection)
            .field("path", &self.path)
            .field("status", &self.status)
            .field("messages", &messages.len())
            .field("last", &messages.last())
            .field("tokens", &self.tokens)
            .field("sent", &self.sent)
            .field("violations", &self.violations)
            .field("end", &self.end)
            .finish()
    }
}

impl std::fmt::Debug for Request {
    /// Without the key: somebody may have used a real one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("ledger", &*self.ledger.borrow()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let last: Vec<_> = self.0.iter().rev().take(8).collect();
        f.debug_struct("Requests").field("count", &self.0.len()).field("last_newest_first", &last).finish()
    }
}
