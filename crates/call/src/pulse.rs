//! Whether the other side is still there.
//!
//! A dead provider looks like a quiet one: while the caller says nothing it has nothing to say either. A
//! carrier whose machine froze keeps its socket open and is as quiet. So a peer that was quiet for a while is
//! asked, and one that owes us the answer is given up. A peer that has never answered such a question is not
//! judged by it: some only pretend to speak WebSocket.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Pulse {
    patience: &'static Patience,
    last_sign: Instant,
    /// A question is out since then.
    asked: Option<Instant>,
    answers: bool,
}

#[derive(Debug)]
struct Patience {
    /// Quiet for so long is worth a question.
    ask_after: Duration,
    /// For one that has answered before.
    answer_within: Duration,
    /// For one that never has: so long without any word, and it is given up all the same.
    silent: Duration,
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
    pub fn of_leg(now: Instant) -> Self {
        Self::new(now, &LEG)
    }

    /// The stream has begun, and the first question goes out.
    pub fn of_carrier(now: Instant) -> Self {
        Self::new(now, &CARRIER)
    }

    fn new(now: Instant, patience: &'static Patience) -> Self {
        Self { patience, last_sign: now, asked: Some(now), answers: false }
    }

    /// When to check first.
    pub fn next_look(&self) -> Instant {
        self.last_sign + self.patience.ask_after
    }

    /// Something came.
    pub fn sign(&mut self, now: Instant) {
        self.last_sign = now;
        self.asked = None;
    }

    /// What came was the answer to a question.
    pub fn answers(&mut self) {
        self.answers = true;
    }

    pub fn check(&mut self, now: Instant) -> Beat {
        let Patience { ask_after, answer_within, silent } = *self.patience;
        match self.asked {
            // We may come late ourselves: what counts is how long the peer had for its answer.
            Some(asked) if now < asked + answer_within => Beat::Fine(asked + answer_within),
            Some(_) if self.answers => Beat::Dead,
            Some(_) if now >= self.last_sign + silent => Beat::Dead,
            Some(_) => Beat::Fine(self.last_sign + silent),
            None if now >= self.last_sign + ask_after => {
                self.asked = Some(now);
                Beat::Ask(now + answer_within)
            }
            None => Beat::Fine(self.last_sign + ask_after),
        }
    }
}

/// A lost packet on a bad route is repeated within a second or two: five seconds of silence are enough. A
/// server that answers no pings may be quiet for as long as the caller is, and no call lasts a day.
const LEG: Patience = Patience {
    ask_after: Duration::from_secs(2),
    answer_within: Duration::from_secs(3),
    silent: Duration::from_secs(24 * 3600),
};

/// Carriers send 50 frames a second, but some leave out silence. Nobody knows of each whether it answers
/// pings; one that does not may be quiet for as long as a muted caller listens.
const CARRIER: Patience = Patience {
    ask_after: Duration::from_secs(5),
    answer_within: Duration::from_secs(10),
    silent: Duration::from_secs(120),
};

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
        let mut pulse = Pulse::of_leg(now);
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
        let mut pulse = Pulse::of_leg(now);
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
        let mut pulse = Pulse::of_leg(now);
        pulse.sign(now);
        pulse.answers();
        assert_eq!(pulse.check(now + s(60)), Beat::Ask(now + s(63)));
    }

    #[test]
    fn a_server_that_never_answers_questions_is_not_judged_by_them() {
        let now = start();
        let mut pulse = Pulse::of_leg(now);
        pulse.sign(now + s(1));
        for i in 2..100 {
            assert_ne!(pulse.check(now + s(i)), Beat::Dead);
        }
    }

    #[test]
    fn a_carrier_that_answers_no_pings_may_be_quiet_for_two_minutes_and_no_longer() {
        let now = start();
        let mut pulse = Pulse::of_carrier(now);
        pulse.sign(now + s(60));
        assert_eq!(pulse.check(now + s(65)), Beat::Ask(now + s(75)));
        assert_eq!(pulse.check(now + s(75)), Beat::Fine(now + s(180)));
        assert_eq!(pulse.check(now + s(180)), Beat::Dead);
    }
}
