//! What has happened on this phone so far? Everything a test may wait for, each with its moment.

use bytes::Bytes;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// Events kept; older ones are dropped, the counters go on.
const MAX_EVENTS: usize = 16_384;
/// The same for a phone that does not record: thousands of them share one process.
const MAX_EVENTS_UNRECORDED: usize = 32;
const MAX_CLEARS: usize = 1024;
const MAX_VIOLATIONS: usize = 64;
const MAX_DIGITS: usize = 256;

/// The phone as of its last tick or message.
pub struct PhoneState {
    /// When the stream began; positions in the recording count from here.
    pub began: Instant,
    pub ids: super::Ids,
    pub frames_sent: u64,
    /// Frames not sent on purpose, and frames dropped because the relay did not read.
    pub frames_withheld: u64,
    pub frames_congested: u64,
    /// Keys that the relay had pressed, where its carrier can do that.
    pub digits: String,
    /// µ-law that is still to be said.
    pub to_say: Duration,
    /// When the caller last began and ended saying something that was queued.
    pub speech_began: Option<Instant>,
    pub speech_ended: Option<Instant>,
    pub media_messages: u64,
    /// In µ-law, whatever was on the wire.
    pub media_bytes: u64,
    pub first_media_at: Option<Instant>,
    pub last_media_at: Option<Instant>,
    /// Audio of the agent is being played right now.
    pub playing: bool,
    /// When playback last began, and when it last ran dry or was cleared.
    pub playback_began: Option<Instant>,
    pub quiet_since: Option<Instant>,
    pub runs: u64,
    /// Played since the call began, as of the last tick.
    pub played: Duration,
    pub queued: Duration,
    pub marks_received: u64,
    pub marks_returned: u64,
    pub clears: Vec<Cleared>,
    /// The last few thousand events, oldest first.
    pub events: VecDeque<(Instant, PhoneEvent)>,
    /// So many came before those.
    pub events_before: u64,
    pub violations: Vec<String>,
    pub violation_count: u64,
    /// The carrier has said that the stream is over.
    pub is_closing: bool,
    pub end: Option<PhoneEnd>,
    max_events: usize,
}

/// A `clear`, and what it cut.
#[derive(Clone)]
pub struct Cleared {
    pub at: Instant,
    /// Played of the run that was cut; zero when nothing was playing.
    pub played: Duration,
    /// Played since the call began.
    pub played_in_all: Duration,
    pub thrown_away: Duration,
    /// The bytes thrown away (empty unless recording).
    pub unheard: Bytes,
    pub marks_returned: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PhoneEvent {
    Media { bytes: usize },
    Mark { name: String },
    MarkReturned { name: String },
    Clear,
    PlaybackBegan,
    PlaybackRanDry { played: Duration },
    SpeechBegan,
    SpeechEnded,
    Violation,
    Ended,
}

impl std::fmt::Debug for PhoneState {
    /// What a person needs who reads why a test waited in vain: no audio, and the last events only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = |at: &Instant| at.saturating_duration_since(self.began);
        let last: Vec<_> = self.events.iter().rev().take(12).map(|(at, event)| (since(at), event)).collect();
        f.debug_struct("Phone")
            .field("age", &self.began.elapsed())
            .field("frames_sent", &self.frames_sent)
            .field("to_say", &self.to_say)
            .field("media_messages", &self.media_messages)
            .field("playing", &self.playing)
            .field("played", &self.played)
            .field("queued", &self.queued)
            .field("marks", &(self.marks_received, self.marks_returned))
            .field("clears", &self.clears)
            .field("violations", &self.violations)
            .field("end", &self.end)
            .field("last_events_newest_first", &last)
            .finish()
    }
}

impl std::fmt::Debug for Cleared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cleared")
            .field("played", &self.played)
            .field("thrown_away", &self.thrown_away)
            .field("marks_returned", &self.marks_returned)
            .finish()
    }
}

/// How the call ended for the phone.
#[derive(Clone, Debug, PartialEq)]
pub enum PhoneEnd {
    /// We hung up, and the relay closed or was given 5 s to.
    HungUp { answered: bool },
    /// The carrier ended the stream because it was told to over REST; `answered` as above.
    EndedByCarrier { answered: bool },
    /// We dropped the connection without a word.
    Vanished,
    /// The relay closed the stream.
    Closed { code: Option<u16>, reason: String },
    /// The connection broke without a close frame.
    Broken(String),
}

impl PhoneState {
    pub(crate) fn new(began: Instant, ids: super::Ids, records: bool) -> Self {
        Self {
            max_events: if records { MAX_EVENTS } else { MAX_EVENTS_UNRECORDED },
            began,
            ids,
            frames_sent: 0,
            frames_withheld: 0,
            frames_congested: 0,
            digits: String::new(),
            to_say: Duration::ZERO,
            speech_began: None,
            speech_ended: None,
            media_messages: 0,
            media_bytes: 0,
            first_media_at: None,
            last_media_at: None,
            playing: false,
            playback_began: None,
            quiet_since: None,
            runs: 0,
            played: Duration::ZERO,
            queued: Duration::ZERO,
            marks_received: 0,
            marks_returned: 0,
            clears: Vec::new(),
            events: VecDeque::new(),
            events_before: 0,
            violations: Vec::new(),
            violation_count: 0,
            is_closing: false,
            end: None,
        }
    }

    /// How long the agent has been silent; `None` while it speaks or before it ever did.
    pub fn quiet_for(&self) -> Option<Duration> {
        if self.playing { None } else { self.quiet_since.map(|since| since.elapsed()) }
    }

    pub(crate) fn note(&mut self, at: Instant, event: PhoneEvent) {
        if self.events.len() >= self.max_events {
            self.events.pop_front();
            self.events_before += 1;
        }
        self.events.push_back((at, event));
    }

    pub(crate) fn cleared(&mut self, cleared: Cleared) {
        if self.clears.len() < MAX_CLEARS {
            self.clears.push(cleared);
        }
    }

    pub(crate) fn pressed(&mut self, digit: &str) {
        if self.digits.len() < MAX_DIGITS {
            self.digits.push_str(digit);
        }
    }

    pub(crate) fn violation(&mut self, at: Instant, what: String) {
        self.violation_count += 1;
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(what);
        }
        self.note(at, PhoneEvent::Violation);
    }
}
