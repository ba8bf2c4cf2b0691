//! What a call is waiting for, and until when.
//!
//! One table, one row a reason. A row that is set again is moved; a row that fires is gone.

use std::time::Instant;

/// What happens when the time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The carrier's stream must have started, with a good token.
    Start,
    /// The leg must be ready.
    LegReady,
    /// A sign of life from the leg is due.
    LegQuiet,
    /// A sign of life from the carrier is due.
    CarrierQuiet,
    /// The answer that was promised is due.
    ReplyDue,
    /// Ask again for the answer that failed.
    RetryReply,
    /// The caller has talked over the greeting long enough to mean it.
    TalkedOver,
    /// The carrier should have said that the consent sentence was played.
    Consent,
    /// The carrier has sent nothing while the caller was speaking: fill with silence.
    CallerQuiet,
    /// A tool that runs must be done.
    ToolDue,
    /// The caller waits for a tool: say something.
    Filler,
    /// The caller stopped and said nothing: the agent may go on with what its tools brought.
    GoOn,
    /// The goodbye has had its time.
    Leaving,
    /// Nobody has spoken for a while.
    Idle,
    /// No more keys come.
    Keys,
    /// The leg's session is soon over.
    Renew,
    /// The words of a turn that is over have had their time.
    TurnTold,
    /// Tell the caller that the time is nearly over.
    Warning,
    /// The longest time for this call is over.
    MaxDuration,
    /// What is still playing has had its time.
    Closing,
    /// The carrier may take more speech, or what waits for more must go.
    Feed,
    /// A mark should have come back.
    Mark,
}

impl Timer {
    /// Whether somebody out there may be given up when the time is over.
    pub(crate) fn judges_a_peer(self) -> bool {
        matches!(self, Self::LegReady | Self::LegQuiet | Self::CarrierQuiet | Self::ReplyDue | Self::Mark)
    }
}

const TIMERS: [Timer; 22] = [
    Timer::Start,
    Timer::LegReady,
    Timer::LegQuiet,
    Timer::CarrierQuiet,
    Timer::ReplyDue,
    Timer::RetryReply,
    Timer::TalkedOver,
    Timer::Consent,
    Timer::CallerQuiet,
    Timer::ToolDue,
    Timer::Filler,
    Timer::GoOn,
    Timer::Leaving,
    Timer::Idle,
    Timer::Keys,
    Timer::Renew,
    Timer::TurnTold,
    Timer::Warning,
    Timer::MaxDuration,
    Timer::Closing,
    Timer::Feed,
    Timer::Mark,
];

#[derive(Debug, Default)]
pub(crate) struct Timers {
    at: [Option<Instant>; TIMERS.len()],
    /// The one that is due first. Looked at with each frame, changed far less often.
    first: Option<(Instant, Timer)>,
}

impl Timers {
    pub fn set(&mut self, timer: Timer, at: Instant) {
        self.at[timer as usize] = Some(at);
        match self.first {
            Some((_, first)) if first == timer => self.look(),
            Some((before, _)) if before <= at => {}
            Some(_) | None => self.first = Some((at, timer)),
        }
    }

    pub fn clear(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
        if self.first.is_some_and(|(_, first)| first == timer) {
            self.look();
        }
    }

    pub fn clear_all(&mut self) {
        *self = Self::default();
    }

    pub fn is_set(&self, timer: Timer) -> bool {
        self.at[timer as usize].is_some()
    }

    /// The one that is due first.
    pub fn next(&self) -> Option<(Instant, Timer)> {
        self.first
    }

    /// Takes the one that was due first, if it is due, and when it was.
    pub fn pop_expired(&mut self, now: Instant) -> Option<(Instant, Timer)> {
        let due = self.first.filter(|(at, _)| *at <= now)?;
        self.clear(due.1);
        Some(due)
    }

    fn look(&mut self) {
        let set = TIMERS.into_iter().filter_map(|timer| Some((self.at[timer as usize]?, timer)));
        self.first = set.min_by_key(|(at, _)| *at);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_fire_in_the_order_of_their_deadlines_and_only_once() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a test's clock")]
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set(Timer::MaxDuration, at(30));
        timers.set(Timer::Start, at(10));
        timers.set(Timer::Start, at(20));
        assert_eq!(timers.next(), Some((at(20), Timer::Start)));
        assert_eq!(timers.pop_expired(at(19)), None);
        assert_eq!(timers.pop_expired(at(40)), Some((at(20), Timer::Start)));
        assert_eq!(timers.pop_expired(at(40)), Some((at(30), Timer::MaxDuration)));
        assert_eq!(timers.pop_expired(at(40)), None);
    }

    #[test]
    fn the_first_is_known_whatever_was_set_moved_and_cleared() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a test's clock")]
        let start = Instant::now();
        let (mut timers, mut seed) = (Timers::default(), 1_u64);
        for _ in 0..10_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let timer = TIMERS[(seed >> 33) as usize % TIMERS.len()];
            match seed >> 61 {
                0 => timers.clear(timer),
                1 => drop(timers.pop_expired(start + Duration::from_millis(500))),
                _ => timers.set(timer, start + Duration::from_millis(seed >> 40 & 1_023)),
            }
            let first = timers.at.iter().flatten().min().copied();
            assert_eq!(timers.next().map(|(at, _)| at), first);
        }
    }

    #[test]
    fn every_timer_has_its_own_row() {
        for (row, timer) in TIMERS.into_iter().enumerate() {
            assert_eq!(timer as usize, row);
        }
    }
}
