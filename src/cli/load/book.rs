//! What is counted while calls go on. It only grows; what belongs to a step is the difference of two readings.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::Value;
use sim::{
    phone::{DialError, PhoneEnd},
    probe::{Counted, Histogram, Probe},
};

use super::leaving::Way;

#[derive(Debug)]
pub struct Book {
    /// Of agents whose frames are timed; all of them together.
    pub probe: Arc<Probe>,
    /// The silence before each answer, by agent.
    pub silences: Vec<Histogram>,
    /// Calls that stand at this moment, and those that began.
    up: AtomicU64,
    begun: AtomicU64,
    /// Answers that did not come.
    unanswered: AtomicU64,
    left: [AtomicU64; Way::ALL.len()],
    refused: Mutex<Tally>,
    lost: Mutex<Tally>,
    wrong: Mutex<Tally>,
}

/// How often what happened, and the first words about it.
pub type Tally = BTreeMap<String, (u64, String)>;

/// Different codes are few. More means that somebody answers with random ones.
const MOST_CODES: usize = 50;

/// The book at a moment, or what came into it between two.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub to_provider: Counted,
    pub to_carrier: Counted,
    pub silences: Vec<Counted>,
    pub begun: u64,
    pub unanswered: u64,
    pub left: [u64; Way::ALL.len()],
    pub refused: Tally,
    pub lost: Tally,
    pub wrong: Tally,
}

/// A call that stands for as long as this does.
#[derive(Debug)]
pub struct Up<'a>(&'a Book);

impl Drop for Up<'_> {
    fn drop(&mut self) {
        self.0.up.fetch_sub(1, Relaxed);
    }
}

impl Book {
    pub fn new(lines: u32, agents: usize) -> Self {
        Self {
            probe: Arc::new(Probe::new(lines as usize)),
            silences: (0..agents).map(|_| Histogram::default()).collect(),
            up: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            left: Default::default(),
            refused: Mutex::default(),
            lost: Mutex::default(),
            wrong: Mutex::default(),
        }
    }

    pub fn begins(&self) -> Up<'_> {
        self.begun.fetch_add(1, Relaxed);
        self.up.fetch_add(1, Relaxed);
        Up(self)
    }

    pub fn up(&self) -> u64 {
        self.up.load(Relaxed)
    }

    pub fn unanswered(&self) {
        self.unanswered.fetch_add(1, Relaxed);
        note(&self.lost, "no_answer", "the agent said nothing within 20 s");
    }

    pub fn left(&self, way: Way) {
        self.left[way.place()].fetch_add(1, Relaxed);
    }

    pub fn refused(&self, error: &DialError) {
        let (code, words) = refusal(error);
        note(&self.refused, &code, &words);
    }

    /// A call that should have gone on.
    pub fn lost(&self, end: &PhoneEnd) {
        let (code, words) = match end {
            PhoneEnd::Closed { code, reason } => {
                let code = code.map_or("none".to_owned(), |code| code.to_string());
                (format!("closed_{code}"), format!("the relay closed the stream: code {code} {reason}"))
            }
            PhoneEnd::Broken(reason) => ("broken".to_owned(), reason.clone()),
            PhoneEnd::HungUp { .. } | PhoneEnd::EndedByCarrier { .. } | PhoneEnd::Vanished => {
                ("ended".to_owned(), "the call ended".to_owned())
            }
        };
        note(&self.lost, &code, words.trim());
    }

    pub fn wrong(&self, code: &str, words: &str) {
        note(&self.wrong, code, words);
    }

    pub fn read(&self) -> Reading {
        Reading {
            to_provider: self.probe.inbound.so_far(),
            to_carrier: self.probe.outbound.so_far(),
            silences: self.silences.iter().map(Histogram::so_far).collect(),
            begun: self.begun.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
            left: self.left.each_ref().map(|left| left.load(Relaxed)),
            refused: lock(&self.refused).clone(),
            lost: lock(&self.lost).clone(),
            wrong: lock(&self.wrong).clone(),
        }
    }
}

impl Reading {
    pub fn since(&self, earlier: &Self) -> Self {
        let silences = self.silences.iter().zip(&earlier.silences).map(|(now, before)| now.since(before));
        Self {
            to_provider: self.to_provider.since(&earlier.to_provider),
            to_carrier: self.to_carrier.since(&earlier.to_carrier),
            silences: silences.collect(),
            begun: self.begun - earlier.begun,
            unanswered: self.unanswered - earlier.unanswered,
            left: std::array::from_fn(|at| self.left[at] - earlier.left[at]),
            refused: since(&self.refused, &earlier.refused),
            lost: since(&self.lost, &earlier.lost),
            wrong: since(&self.wrong, &earlier.wrong),
        }
    }
}

pub fn total(tally: &Tally) -> u64 {
    tally.values().map(|(count, _)| count).sum()
}

fn since(now: &Tally, earlier: &Tally) -> Tally {
    now.iter()
        .filter_map(|(code, (count, words))| {
            let before = earlier.get(code).map_or(0, |(count, _)| *count);
            (*count > before).then(|| (code.clone(), (count - before, words.clone())))
        })
        .collect()
}

fn note(tally: &Mutex<Tally>, code: &str, words: &str) {
    let mut tally = lock(tally);
    let known = tally.contains_key(code) || tally.len() < MOST_CODES;
    let entry = tally.entry(if known { code } else { "others" }.to_owned());
    entry.or_insert_with(|| (0, words.chars().take(LONGEST).collect())).0 += 1;
}

/// Of what a stranger's relay says.
const LONGEST: usize = 300;

/// A short name for it, and what was said. Ours has its code in the body: `503 full`.
fn refusal(error: &DialError) -> (String, String) {
    let code = match error {
        DialError::Refused { status, body, .. } => {
            let body: Value = serde_json::from_str(body).unwrap_or_default();
            let code = body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default();
            let words = body.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
            let code: String = code.chars().take(40).collect();
            return (format!("{status} {code}").trim_end().to_owned(), words.to_owned());
        }
        DialError::Address { .. } => "address",
        DialError::Unreachable { .. } => "unreachable",
        DialError::Tls { .. } => "tls",
        DialError::Handshake(_) => "handshake",
        DialError::NotCarried { .. } => "not_carried",
        DialError::Timeout(_) => "timeout",
    };
    (code.to_owned(), error.to_string())
}

/// A panic elsewhere must not hide what was counted.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Percentiles as everything here shows them.
pub fn percentiles(counted: &Counted) -> Value {
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    serde_json::json!({
        "count": counted.count(),
        "p50": ms(counted.percentile(0.5)),
        "p90": ms(counted.percentile(0.9)),
        "p99": ms(counted.percentile(0.99)),
        "max": ms(counted.largest()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_known_by_its_status_and_our_code() {
        let refused = |status, body: &str| {
            refusal(&DialError::Refused { status, headers: Vec::new(), body: body.to_owned() })
        };
        let full = r#"{"error":{"code":"full","message":"this machine is full"}}"#;
        assert_eq!(refused(503, full), ("503 full".to_owned(), "this machine is full".to_owned()));
        assert_eq!(refused(502, "<html>").0, "502");
    }

    #[test]
    fn a_step_has_only_what_was_counted_in_it() {
        let book = Book::new(1, 1);
        let refuse = |status| {
            let body = r#"{"error":{"code":"full","message":"m"}}"#.to_owned();
            book.refused(&DialError::Refused { status, headers: Vec::new(), body });
        };
        refuse(503);
        drop(book.begins());
        let before = book.read();
        refuse(503);
        refuse(401);
        drop(book.begins());
        let step = book.read().since(&before);
        let counts: Vec<_> = step.refused.iter().map(|(code, (count, _))| (code.as_str(), *count)).collect();
        assert_eq!(counts, [("401 full", 1), ("503 full", 1)]);
        assert_eq!((step.begun, book.up(), total(&book.read().refused)), (1, 0, 3));
    }

    #[test]
    fn somebody_who_answers_with_endless_codes_fills_one_line_only() {
        let book = Book::new(1, 0);
        (0..1_000).for_each(|code| book.wrong(&code.to_string(), "x"));
        let read = book.read();
        assert_eq!((read.wrong.len(), total(&read.wrong)), (MOST_CODES + 1, 1_000));
    }
}
