//! Whether the leg is still there.
//!
//! A dead provider looks like a quiet one: while the caller says nothing it has nothing to say either. So a
//! leg that was quiet for a while is asked, and one that owes us the answer is given up. A server that has
//! never answered such a question is not judged by it: some only pretend to speak WebSocket.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Pulse {
    last_sign: Instant,
    asked: bool,
    answers: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Look again then.
    Fine(Instant),
    /// Ask, and look again then.
    Ask(Instant),
    Dead,
}

impl Pulse {
    /// The leg is ready. The first question goes out with it, to learn whether it answers.
    pub fn new(now: Instant) -> Self {
        Self { last_sign: now, asked: true, answers: false }
    }

    /// Something came from the leg.
    pub fn sign(&mut self, now: Instant) {
        self.last_sign = now;
        self.asked = false;
    }

    /// What came was the answer to a question.
    pub fn answers(&mut self) {
        self.answers = true;
    }

    pub fn check(&mut self, now: Instant) -> Beat {
        let quiet = now.saturating_duration_since(self.last_sign);
        if quiet >= DEAD_AFTER && self.answers {
            Beat::Dead
        } else if quiet >= ASK_AFTER && !self.asked {
            self.asked = true;
            Beat::Ask(self.last_sign + DEAD_AFTER)
        } else {
            Beat::Fine(self.last_sign.max(now) + ASK_AFTER.min(DEAD_AFTER - ASK_AFTER))
        }
    }
}

/// Quiet for so long is worth a question: a ping costs nothing against fifty frames a second.
pub(crate) const ASK_AFTER: Duration = Duration::from_secs(2);

/// The caller has waited long enough. A lost packet on a bad route is repeated within a second or two.
const DEAD_AFTER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a test's clock")]
        Instant::now()
    }

    const fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn a_quiet_leg_is_asked_once_and_given_up_when_it_does_not_answer() {
        let now = start();
        let mut pulse = Pulse::new(now);
        pulse.sign(now);
        pulse.answers();
        assert_eq!(pulse.check(now + s(1)), Beat::Fine(now + s(3)));
        assert_eq!(pulse.check(now + s(3)), Beat::Ask(now + s(5)));
        assert!(matches!(pulse.check(now + s(4)), Beat::Fine(_)));
        assert_eq!(pulse.check(now + s(5)), Beat::Dead);
    }

    #[test]
    fn any_sign_of_life_starts_the_wait_anew() {
        let now = start();
        let mut pulse = Pulse::new(now);
        pulse.sign(now);
        pulse.answers();
        assert_eq!(pulse.check(now + s(2)), Beat::Ask(now + s(5)));
        pulse.sign(now + s(4));
        assert!(matches!(pulse.check(now + s(5)), Beat::Fine(_)));
        assert!(matches!(pulse.check(now + s(6)), Beat::Ask(_)));
        assert_eq!(pulse.check(now + s(9)), Beat::Dead);
    }

    #[test]
    fn a_server_that_never_answers_questions_is_not_judged_by_them() {
        let now = start();
        let mut pulse = Pulse::new(now);
        pulse.sign(now + s(1));
        for i in 2..100 {
            assert_ne!(pulse.check(now + s(i)), Beat::Dead);
        }
    }
}
