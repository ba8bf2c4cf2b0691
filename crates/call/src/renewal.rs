//! What happens when a provider ends its sessions after an hour, and the call goes on?
//!
//! The same leg is opened anew before that: at a pause, when nobody speaks or waits for anything. If none comes, just
//! before the end. From there on it is like any other change of legs, see `failover`.

use std::time::Duration;

use crate::{Call, Note, Timer, call::Phase, failover::Recent, floor::Answer, summary::LegEnd};

impl Call {
    /// A session has begun.
    pub(crate) fn look_for_its_end(&mut self) {
        match self.rules().longest {
            Some(longest) => self.timers.set(Timer::Renew, self.dialled + longest.mul_f64(EARLY)),
            None => self.timers.clear(Timer::Renew),
        }
    }

    /// The session has not long to live.
    pub(crate) fn on_renew(&mut self) {
        let (Some(longest), Phase::Live, None) = (self.rules().longest, &self.phase, &self.switch) else {
            return;
        };
        let last_moment = self.dialled + longest.mul_f64(LATE);
        if self.is_a_pause() || self.now >= last_moment {
            self.note(Note::LegRenewed);
            return self.replace_leg(LegEnd::Renewed);
        }
        // Should it be in the middle of a sentence after all, the new session hears it from its beginning.
        if self.recent.is_none() {
            let recent = self.recent.insert(Recent::default());
            if self.floor.caller_since.is_some() {
                recent.begins();
            }
        }
        self.timers.set(Timer::Renew, last_moment.min(self.now + LOOK_AGAIN));
    }

    /// Nobody speaks, and nobody waits for anything.
    fn is_a_pause(&self) -> bool {
        let known = self.recent.as_ref().is_none_or(|recent| !recent.is_open());
        let quiet = self.floor.caller_since.is_none() && known && !self.playout.is_busy();
        let nothing_owed = self.floor.answer == Answer::None && !self.tools.is_running();
        quiet && nothing_owed && self.leaving.is_none()
    }
}

/// 55 minutes of an hour.
const EARLY: f64 = 55.0 / 60.0;

/// 59 minutes of an hour: time enough to be ready before the old session ends by itself.
const LATE: f64 = 59.0 / 60.0;

/// A pause between two sentences is longer than this.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
