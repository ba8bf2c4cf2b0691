//! Who says what was played: the carrier with its marks, or our own clock.
//!
//! Not every carrier brings every mark back. One that has never brought any is not waited for; one that has may be held
//! up, and is waited for longer. When a mark is given up the clock speaks for it, and the report says so.

use std::time::Duration;

use crate::{Call, Timer};

/// How it is known what the caller heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeardBy {
    /// The carrier said so each time.
    #[default]
    Marks,
    /// The clock had to say it, at least for a part of the call.
    Clock,
}

impl HeardBy {
    pub fn name(self) -> &'static str {
        match self {
            Self::Marks => "marks",
            Self::Clock => "clock",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// A mark has come back once.
    answers: bool,
    /// The last one that was due did not.
    fails: bool,
    ever_failed: bool,
}

impl Witness {
    /// A mark came back.
    pub fn speaks(&mut self) {
        (self.answers, self.fails) = (true, false);
    }

    /// A mark did not come back in time.
    pub fn is_silent(&mut self) {
        (self.fails, self.ever_failed) = (true, true);
    }

    /// Whether the clock has to say it.
    pub fn fails(&self) -> bool {
        self.fails
    }

    pub fn heard_by(&self) -> HeardBy {
        if self.ever_failed { HeardBy::Clock } else { HeardBy::Marks }
    }

    /// So long after it was to be played a mark may still come back.
    pub fn patience(&self) -> Duration {
        match self {
            Self { fails: true, .. } => Duration::ZERO,
            Self { answers: true, .. } => HELD_UP,
            Self { answers: false, .. } => NEVER_CAME,
        }
    }
}

impl Call {
    /// When the next mark is given up.
    pub(crate) fn watch_tape(&mut self) {
        match self.playout.tape.gives_up_at() {
            Some(at) => self.timers.set(Timer::Mark, at),
            None => self.timers.clear(Timer::Mark),
        }
    }

    /// A mark is overdue.
    pub(crate) fn on_mark_overdue(&mut self) {
        let moved = self.playout.give_up(self.now);
        self.watch_tape();
        if moved {
            self.on_tape_moved();
        }
    }
}

/// A carrier that keeps marks and cannot be reached for so long is soon given up itself.
const HELD_UP: Duration = Duration::from_secs(10);

/// Longer than any line takes to bring a mark back, and shorter than a caller waits for the line to be closed.
const NEVER_CAME: Duration = Duration::from_millis(1_500);
