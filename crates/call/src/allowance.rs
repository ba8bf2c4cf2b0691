//! How much a carrier may send before it is too much.
//!
//! A phone produces one second of audio a second. After a stall the backlog comes at once, so some haste is
//! normal; audio that stays ahead of the clock is a mistake or an attack, and is dropped before it costs
//! anything at the provider. Messages are counted too, for a flood of tiny ones carries little audio.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Allowance {
    since: Instant,
    audio: Duration,
    messages: f64,
    counted_at: Instant,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Take,
    /// More audio than time: leave this frame out.
    Drop,
    /// So many messages that they are no phone's.
    Flood,
}

impl Allowance {
    pub fn new(now: Instant) -> Self {
        Self { since: now, audio: Duration::ZERO, messages: 0.0, counted_at: now }
    }

    pub fn message(&mut self, now: Instant) -> Verdict {
        let passed = now.saturating_duration_since(self.counted_at).as_secs_f64();
        self.counted_at = now;
        self.messages = (self.messages - passed * MESSAGES_A_SECOND).max(0.0) + 1.0;
        if self.messages > MESSAGES_AT_ONCE { Verdict::Flood } else { Verdict::Take }
    }

    pub fn audio(&mut self, now: Instant, time: Duration) -> Verdict {
        let passed = now.saturating_duration_since(self.since);
        if self.audio + time > passed + HASTE {
            return Verdict::Drop;
        }
        // What was not used up cannot be saved for a burst hours later.
        self.audio = (self.audio + time).max(passed.saturating_sub(HASTE));
        Verdict::Take
    }
}

/// Twilio sends 50 media messages a second, and a mark comes back for every 200 ms that we send.
const MESSAGES_A_SECOND: f64 = 200.0;

/// A stall of ten seconds is 500 messages, and a clear can bring back 3,000 marks at once.
const MESSAGES_AT_ONCE: f64 = 5_000.0;

/// So far audio may run ahead of the clock.
const HASTE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a test's clock")]
        Instant::now()
    }

    const FRAME: Duration = Duration::from_millis(20);

    #[test]
    fn a_backlog_after_a_stall_is_taken_and_endless_haste_is_not() {
        let now = start();
        let mut allowance = Allowance::new(now);
        let taken = (0..2_000).filter(|_| allowance.audio(now, FRAME) == Verdict::Take).count();
        assert_eq!(taken, 500);
        assert_eq!(allowance.audio(now + FRAME, FRAME), Verdict::Take);
        assert_eq!(allowance.audio(now + FRAME, FRAME), Verdict::Drop);
    }

    #[test]
    fn an_hour_of_quiet_does_not_buy_an_hour_of_haste() {
        let now = start();
        let mut allowance = Allowance::new(now);
        let later = now + Duration::from_secs(3_600);
        assert_eq!(allowance.audio(later, FRAME), Verdict::Take);
        let taken = (0..200_000).filter(|_| allowance.audio(later, FRAME) == Verdict::Take).count();
        assert_eq!(taken, 1_000); // from ten seconds behind to ten seconds ahead
    }

    #[test]
    fn an_ordinary_phone_never_floods() {
        let mut now = start();
        let mut allowance = Allowance::new(now);
        for _ in 0..100_000 {
            now += Duration::from_millis(17);
            assert_eq!(allowance.message(now), Verdict::Take);
        }
        let flood = (0..6_000).filter(|_| allowance.message(now) == Verdict::Flood).count();
        assert!(flood >= 1_000, "{flood}");
    }
}
