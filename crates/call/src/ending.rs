//! How a call ends: with a reason, once, and if it can be helped not in the middle of a word.

use std::time::Duration;

use crate::{
    Call, CarrierCommand, Closing, Command, EndReason, Failure, FailureKind, LegCommand, RefusalCode,
    Summary, Timer, call::Phase, floor::Answer, hold::Hold, playout::Cut,
};

impl Call {
    pub(crate) fn leg_failed(&mut self, kind: FailureKind, detail: &'static str) {
        let provider = self.rules().name;
        self.leg_lost(Failure { provider, kind, detail: detail.into() });
    }

    /// Ends the call as soon as what the caller is hearing has been said, and at once when that is nothing.
    pub(crate) fn finish(&mut self, reason: EndReason) {
        if matches!(self.phase, Phase::Closing(_) | Phase::Over) {
            return;
        }
        if let (Answer::Making { reply, .. }, Phase::Live) = (&self.floor.answer, &self.phase) {
            let reply = *reply;
            self.leg(LegCommand::Cancel);
            self.finish_items(reply);
        }
        self.floor.silence();
        self.feed_tape(true);
        if !self.has_audio() {
            return self.end(reason);
        }
        self.phase = Phase::Closing(reason);
        self.timers.clear_all();
        self.watch_tape();
        self.timers.set(Timer::Closing, self.now + LAST_WORDS);
    }

    /// In `Closing` the tape has been played, or has had its time.
    pub(crate) fn close_now(&mut self) {
        if let Phase::Closing(reason) = &self.phase {
            let reason = reason.clone();
            self.end(reason);
        }
    }

    pub(crate) fn end(&mut self, reason: EndReason) {
        let closing = match &reason {
            EndReason::CallerHungUp
            | EndReason::AgentHungUp
            | EndReason::Transferred
            | EndReason::Idle
            | EndReason::MaxDuration => Closing::Done,
            EndReason::CarrierLost => Closing::Malformed,
            EndReason::LegFailed(_) | EndReason::Internal => Closing::Failed,
            EndReason::Drained => Closing::GoingAway,
            EndReason::Refused(code) => Closing::Refused(*code),
            EndReason::NeverStarted => Closing::Refused(RefusalCode("start_timeout")),
        };
        self.end_with(reason, closing);
    }

    /// The caller hears no more. What was still to be played was said, and not heard.
    fn stop_listening(&mut self) {
        self.last_turn_ends();
        let hung_up = self.playout.tape.hung_up_at(self.now);
        for Cut { item, heard, sent } in self.cut_tape(hung_up) {
            self.transcript.cut(item, heard, sent);
            self.last_turn_was_cut(item);
        }
        self.tell_all_turns();
    }

    pub(crate) fn end_with(&mut self, reason: EndReason, closing: Closing) {
        if self.phase == Phase::Over {
            return;
        }
        self.push(Command::Carrier(CarrierCommand::Close(closing)));
        if !matches!(self.phase, Phase::Lobby { .. }) {
            self.leg(LegCommand::Close);
        }
        self.finish_recording();
        self.phase = Phase::Over;
        self.stop_listening();
        self.timers.clear_all();
        self.hold = Hold::default();
        self.tally.gaps = self.gaps.filled();
        let heard_by = self.playout.tape.witness.heard_by();
        let (transcript, tools) = std::mem::take(&mut self.transcript).into_lines();
        let summary = Summary {
            reason,
            lasted: self.now - self.born,
            was_live: self.was_live,
            tally: self.tally,
            usage: std::mem::take(&mut self.usage),
            transcript,
            turns: std::mem::take(&mut self.book).into_turns(),
            tools,
            legs: std::mem::take(&mut self.legs),
            recorded_from: self.recorded_from,
            heard_by,
        };
        self.push(Command::End(Box::new(summary)));
    }
}

/// So long a sentence may go on after the call's end was decided.
const LAST_WORDS: Duration = Duration::from_secs(3);
