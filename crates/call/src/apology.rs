//! Nobody can answer the caller any more, but somebody can still speak: what is the last thing the caller hears?
//!
//! The agent's own sentence for that, and then the call ends. The call is closing from the moment the sentence is
//! asked for, so nothing else begins; only the voice still has its way.

use std::time::Duration;

use crate::{
    Call, EndReason, Failure, LegCommand, Say, Timer,
    call::Phase,
    floor::{Answer, Ask},
    summary::LegEnd,
};

impl Call {
    /// The leg cannot answer any more; it can still say words of ours.
    pub(crate) fn leg_only_speaks(&mut self, failure: Failure) {
        let nobody_else = self.phase == Phase::Live && self.switch.is_none() && self.is_last_leg();
        match self.config.error_message.clone() {
            Some(words) if nobody_else && !self.is_hanging_up() => self.apologise(words, failure),
            Some(_) | None => self.leg_lost(failure),
        }
    }

    fn apologise(&mut self, text: String, failure: Failure) {
        self.leg_ends(LegEnd::Failed(failure.clone()));
        self.stop_at_what_was_sent();
        self.phase = Phase::Closing(EndReason::LegFailed(failure));
        self.timers.clear_all();
        self.timers.set(Timer::Closing, self.now + LONGEST_APOLOGY);
        self.watch_tape();
        self.leg(LegCommand::Say(Say { text: text.clone() }));
        self.floor.answer = Answer::Owed { to: Ask::Say(text), nudged: true };
        self.apologises = true;
    }

    /// Whether what the leg says is to be heard.
    pub(crate) fn has_a_voice(&self) -> bool {
        self.phase == Phase::Live || self.apologises
    }

    /// The sentence is said, or never will be. What of it was sent is still heard.
    pub(crate) fn apology_is_over(&mut self) {
        if std::mem::take(&mut self.apologises) && !self.has_audio() {
            self.close_now();
        }
    }
}

/// The longest sentence that a token may ask for takes about as long. A voice that does not speak by then never will.
const LONGEST_APOLOGY: Duration = Duration::from_secs(15);
