//! Before a call is recorded its caller may have to be told: said first and to the end, and recorded only from then on.
//!
//! Nothing cuts the sentence: neither a voice nor a key. When it could not be said whole the call goes on, and
//! nothing of it is recorded.

use std::time::Duration;

use crate::{
    Call, Note, Outcome, Timer,
    call::Phase,
    floor::{Answer, Ask, Opening},
};

/// What became of the sentence.
#[derive(Debug, Default)]
pub(crate) struct Consent {
    /// So often it was begun.
    begun: u32,
    /// Audio messages that had gone out when it was begun.
    before: u64,
    /// The leg has said it to its end.
    said: bool,
    /// The caller finished a turn meanwhile.
    spoken_into: bool,
}

impl Call {
    pub(crate) fn is_asking_consent(&self) -> bool {
        self.floor.opening == Opening::Consent
    }

    /// What the agent says by itself when a call begins.
    pub(crate) fn open_the_conversation(&mut self) {
        let text = match self.floor.opening {
            Opening::Consent => {
                self.consent.begun += 1;
                self.consent.before = self.tally.frames_out;
                self.config.record.as_ref().and_then(|record| record.say.clone())
            }
            Opening::Greeting => self.config.greeting.clone(),
            Opening::Over => None,
        };
        if let Some(text) = text {
            self.say(text);
        }
    }

    pub(crate) fn consent_spoken_into(&mut self) {
        self.consent.spoken_into = true;
    }

    /// A reply has ended.
    pub(crate) fn consent_may_be_said(&mut self, to: &Ask, outcome: &Outcome) {
        if self.is_asking_consent() && matches!(to, Ask::Say(_)) {
            let sounded = self.tally.frames_out > self.consent.before;
            match outcome {
                Outcome::FailedForNow(_) => return, // it is asked for again
                Outcome::Completed => self.consent.said |= sounded,
                Outcome::Cancelled | Outcome::Incomplete => {}
            }
            // A mark that never comes back must not keep the agent silent.
            self.timers.set(Timer::Consent, self.now + self.left_to_play() + LOST_MARK);
        }
    }

    /// Nothing of it is left to be played.
    pub(crate) fn consent_is_over(&mut self) {
        if self.consent.said {
            return self.go_on_after_consent(true);
        }
        self.timers.clear(Timer::Consent);
        if self.consent.begun < TIMES {
            return self.open_the_conversation();
        }
        self.go_on_after_consent(false);
    }

    /// The carrier did not say that it was played.
    pub(crate) fn on_consent_unheard(&mut self) {
        match self.floor.answer {
            _ if !self.is_asking_consent() || self.phase != Phase::Live => {}
            Answer::None => self.go_on_after_consent(false),
            Answer::Owed { .. } | Answer::Making { .. } | Answer::Failed { .. } => {
                self.timers.set(Timer::Consent, self.now + LOST_MARK);
            }
        }
    }

    fn go_on_after_consent(&mut self, heard: bool) {
        self.timers.clear(Timer::Consent);
        if heard {
            self.begin_recording_now();
        } else {
            self.note(Note::NotRecorded);
        }
        if self.config.greeting.is_some() {
            self.floor.opening = Opening::Greeting;
            return self.open_the_conversation();
        }
        self.floor.opening = Opening::Over;
        if self.floor.caller_since.is_some() {
            return; // the end of this turn takes care of all
        }
        if self.consent.spoken_into {
            self.reply();
        }
        self.take_turns_live();
    }
}

/// A sentence that broke off is said once more, from its beginning.
const TIMES: u32 = 2;

/// Longer than any line takes to bring a mark back.
const LOST_MARK: Duration = Duration::from_secs(2);
