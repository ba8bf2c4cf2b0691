//! Whether the leg is still there.
//!
//! A dead provider looks like a quiet one: while the caller says nothing it has nothing to say either. So a
//! leg that was quiet for a while is asked, and one that owes us the answer is given up. A server that has
//! never answered such a question is not judged by it: some only pretend to speak WebSocket.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Pulse {
    last_sign: Instant,
    /// A question is out since then.
    asked: Option<Instant>,
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
        Self { last_sign: now, asked: Some(now), answers: false }
    }

    /// Something came from the leg.
    pub fn sign(&mut self, now: Instant) {
        self.last_sign = now;
        self.asked = None;
    }

    /// What came was the answer to a question.
    pub fn answers(&mut self) {
        self.answers = true;
    }

    pub fn check(&mut self, now: Instant) -> Beat {
        match self.asked {
            // We may come late ourselves: what counts is how long the leg had for its answer.
            Some(asked) if now >= asked + ANSWER_WITHIN && self.answers => Beat::Dead,
            Some(asked) if now < asked + ANSWER_WITHIN => Beat::Fine(asked + ANSWER_WITHIN),
            Some(_) => Beat::Fine(now + ASK_AFTER),
            None if now >= self.last_sign + ASK_AFTER => {
                self.asked = Some(now);
                Beat::Ask(now + ANSWER_WITHIN)
            }
            None => Beat::Fine(self.last_sign + ASK_AFTER),
        }
    }
}

/// Quiet for so long is worth a question: a ping costs nothing against fifty frames a second.
pub(crate) const ASK_AFTER: Duration = Duration::from_secs(2);

/// A lost packet on a bad route is repeated within a second or two; five seconds of silence are enough.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

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
        assert_eq!(pulse.check(now + s(1)), Beat::Fine(now + s(2)));
        assert_eq!(pulse.check(now + s(2)), Beat::Ask(now + s(5)));
        assert_eq!(pulse.check(now + s(4)), Beat::Fine(now + s(5)));
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
    fn a_machine_that_stood_still_asks_before_it_judges() {
        let now = start();
        let mut pulse = Pulse::new(now);
        pulse.sign(now);
        pulse.answers();
        assert_eq!(pulse.check(now + s(60)), Beat::Ask(now + s(63)));
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
