//! What has a client done, and what did it do wrong?

use crate::Headers;
use std::time::Duration;
use tokio::time::Instant;

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartEnd {
    /// The client said goodbye as the protocol wants it.
    Closed,
    /// The client was gone without a word.
    Vanished,
    /// We ended it.
    Ours,
}

#[derive(Clone, Debug, Default)]
pub struct ListenLedger {
    /// 1 is Nova, 2 is Flux.
    pub version: u8,
    pub query: Vec<(String, String)>,
    pub headers: Headers,
    /// Sound that was heard.
    pub heard: Duration,
    /// The turns that were ended, with their words.
    pub turns: Vec<String>,
    /// How often a guess was sent, and how often it was taken back.
    pub guesses: usize,
    pub resumed: usize,
    pub messages: Vec<String>,
    pub violations: Vec<String>,
    pub end: Option<PartEnd>,
}

#[derive(Clone, Debug, Default)]
pub struct SpeakLedger {
    pub query: Vec<(String, String)>,
    pub headers: Headers,
    /// Everything that was to be said, oldest first.
    pub utterances: Vec<Utterance>,
    /// All that it was given to say, and is paid for.
    pub characters: u64,
    pub flushes: usize,
    pub clears: usize,
    /// A Flux voice's.
    pub interruptions: Vec<Interruption>,
    pub violations: Vec<String>,
    pub end: Option<PartEnd>,
}

/// Where a client said that it was interrupted, and what it was told was spoken by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    pub offset: Option<Duration>,
    pub spoken: String,
}

/// What was synthesised in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utterance {
    pub text: String,
    /// When its first sound was sent, and how long after the text: as it was, not as it was told to be.
    pub first_sound: Option<(Instant, Duration)>,
    /// Sound that was sent of it.
    pub sent: Duration,
    /// A `Clear` came before its end.
    pub cleared: bool,
}

macro_rules! violations {
    ($ledger:ty) => {
        impl $ledger {
            pub(super) fn violation(&mut self, what: impl Into<String>) {
                if self.violations.len() < MOST {
                    self.violations.push(what.into());
                }
            }
        }
    };
}

violations!(ListenLedger);
violations!(SpeakLedger);

/// More tell nothing new.
const MOST: usize = 100;
