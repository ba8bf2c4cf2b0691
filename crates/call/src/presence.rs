//! Is anybody there? After a while without a word from either side the agent asks, and in the end it may hang up.
//!
//! A noise is no word: only what the caller has said or pressed starts the questions anew.

use std::time::{Duration, Instant};

use crate::{Call, EndReason, Note, Timer, call::Phase, floor::Answer, transcript::Speaker};

/// What to do when nobody speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Idle {
    pub after: Duration,
    /// Said one after the other.
    pub say: Vec<String>,
    /// When all is said and still nobody speaks.
    pub then_hang_up: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Presence {
    /// Nothing was heard of either side since then.
    quiet_since: Option<Instant>,
    /// Sentences that were said for nothing.
    asked: usize,
}

impl Call {
    /// Caller and agent talk from now on.
    pub(crate) fn watch_presence(&mut self) {
        self.somebody_is_heard();
        if let Some(idle) = &self.config.idle {
            self.timers.set(Timer::Idle, self.now + idle.after);
        }
    }

    /// The caller makes a sound, or the agent has been heard.
    pub(crate) fn somebody_is_heard(&mut self) {
        self.presence.quiet_since = Some(self.now);
    }

    /// The caller has said or pressed something that means something.
    pub(crate) fn caller_is_there(&mut self, speaker: Speaker, words: &str) {
        if speaker == Speaker::Caller && !words.trim().is_empty() {
            self.presence.asked = 0;
            if let (Some(idle), false) = (&self.config.idle, self.timers.is_set(Timer::Idle)) {
                self.timers.set(Timer::Idle, self.now + idle.after);
            }
        }
    }

    pub(crate) fn on_idle(&mut self) {
        let Some(Idle { after, say, then_hang_up }) = self.config.idle.clone() else { return };
        if self.phase != Phase::Live {
            return;
        }
        let busy = self.floor.caller_since.is_some()
            || self.floor.answer != Answer::None
            || self.playout.is_busy()
            || self.tools.is_running();
        let since = self.presence.quiet_since.unwrap_or(self.now);
        if busy || self.now < since + after {
            let from = if busy { self.now } else { since };
            return self.timers.set(Timer::Idle, from + after);
        }
        self.note(Note::Idle { asked: self.presence.asked });
        match say.get(self.presence.asked) {
            Some(text) => {
                self.presence.asked += 1;
                self.somebody_is_heard();
                self.timers.set(Timer::Idle, self.now + after);
                self.say(text.clone());
            }
            None if then_hang_up => self.end(EndReason::Idle),
            None => {} // until the caller says something
        }
    }
}
