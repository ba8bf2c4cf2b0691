//! What the carrier says, and what a call makes of it.

use crate::{
    Audio, Call, CarrierEvent, Closing, EndReason, Gone, LegCommand, Mended, Note, Timer, allowance::Verdict,
    call::Phase, gaps,
};

impl Call {
    pub(crate) fn on_carrier(&mut self, event: CarrierEvent) {
        if self.allowance.message(self.now) == Verdict::Flood {
            return self.end_with(EndReason::CarrierLost, Closing::Malformed);
        }
        self.carrier_pulse.sign(self.now);
        if self.is_stream_over() {
            return; // what it still says is old
        }
        match event {
            CarrierEvent::Audio { at, audio } => self.on_audio(at, audio),
            CarrierEvent::Mark(mark) => {
                self.on_mark(mark);
                self.on_tape_moved();
            }
            CarrierEvent::Started(started) => self.on_started(started),
            CarrierEvent::Unfit(code) => {
                self.note(Note::Unfit(code));
                self.end(EndReason::Refused(code));
            }
            CarrierEvent::Mended(what) => self.on_mended(what),
            CarrierEvent::Complaint(text) => self.on_complaint(text),
            CarrierEvent::Key(key) => self.on_key(key),
            CarrierEvent::Stopped | CarrierEvent::Gone(Gone::Closed) => {
                self.on_stream_over(EndReason::CallerHungUp);
            }
            CarrierEvent::Gone(Gone::Broken) => self.on_stream_over(EndReason::CarrierLost),
            CarrierEvent::Gone(Gone::Stuck) => self.end(EndReason::CarrierLost),
            CarrierEvent::Gone(Gone::TooLarge) => self.end_with(EndReason::CarrierLost, Closing::TooLarge),
            CarrierEvent::Alive => self.carrier_pulse.answers(),
            CarrierEvent::Malformed => self.malformed(),
        }
    }

    fn on_audio(&mut self, at: Option<std::time::Duration>, audio: Audio) {
        self.tally.frames_in += 1;
        if audio.is_empty() {
            return;
        }
        if self.allowance.audio(self.now, audio.duration()) == Verdict::Drop {
            self.tally.frames_dropped += 1;
            return;
        }
        let spoken = self.now.checked_sub(self.caller_lag).unwrap_or(self.now);
        self.hush.hears(spoken, at, &audio);
        self.record_caller(at, &audio);
        let missing = self.gaps.before(self.now, at, audio.duration());
        if !missing.is_zero() {
            self.hear(Audio::silence(missing));
        }
        self.hear(audio);
    }

    /// The caller was speaking and the carrier sends nothing: perhaps it leaves out silence. The leg must
    /// hear it all the same, or the turn never ends.
    pub(crate) fn on_caller_quiet(&mut self) {
        if self.floor.caller_since.is_none() || self.phase != Phase::Live {
            return;
        }
        let (silence, again) = self.gaps.while_quiet(self.now);
        if !silence.is_zero() {
            self.leg(LegCommand::Hear(Audio::silence(silence)));
        }
        self.timers.set(Timer::CallerQuiet, again);
    }

    pub(crate) fn watch_for_quiet(&mut self) {
        if !self.timers.is_set(Timer::CallerQuiet) {
            self.timers.set(Timer::CallerQuiet, self.now + gaps::QUIET);
        }
    }

    /// The wire has put it right already. Said once, counted each time.
    fn on_mended(&mut self, what: Mended) {
        let times = &mut self.tally.mended[what as usize];
        *times += 1;
        if *times == 1 {
            self.note(Note::Mended(what));
        }
    }

    fn on_complaint(&mut self, text: String) {
        self.tally.complaints += 1;
        if self.tally.complaints <= MOST_COMPLAINTS {
            self.note(Note::Complaint(text));
        }
    }

    /// One odd message is a hiccup of the carrier, many are something that is not a carrier.
    pub(crate) fn malformed(&mut self) {
        self.tally.malformed += 1;
        if self.tally.malformed > MOST_MALFORMED {
            self.end_with(EndReason::CarrierLost, Closing::Malformed);
        }
    }
}

/// More would say the same again.
const MOST_COMPLAINTS: u64 = 5;

const MOST_MALFORMED: u64 = 50;
