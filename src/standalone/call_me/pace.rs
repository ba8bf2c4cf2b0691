//! How often may a telephone be made to ring? Seldom, whoever asks: a link that got around must not wear anybody out.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The attempts of the last hour, the oldest first. Never more than [`IN_AN_HOUR`].
#[derive(Debug, Default)]
pub(super) struct Pace(VecDeque<(Instant, String)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slower {
    pub wait: Duration,
    pub why: &'static str,
}

impl Pace {
    /// Counts an attempt, or says how long to wait.
    pub fn take(&mut self, number: &str, now: Instant) -> Result<(), Slower> {
        let age = |at: &Instant| now.saturating_duration_since(*at);
        while self.0.front().is_some_and(|(at, _)| age(at) >= HOUR) {
            self.0.pop_front();
        }
        let slower =
            |of: &Instant, within: Duration, why| Err(Slower { wait: within.saturating_sub(age(of)), why });
        let same: Vec<&Instant> =
            self.0.iter().rev().filter(|(_, other)| other == number).map(|(at, _)| at).collect();
        if let Some(last) = same.first().filter(|last| age(last) < GAP) {
            return slower(last, GAP, "this number was called just now");
        }
        if let Some(oldest) = same.get(OF_ONE - 1).filter(|oldest| age(oldest) < WHILE) {
            return slower(oldest, WHILE, "this number was called several times");
        }
        if let Some((oldest, _)) = self.0.front().filter(|_| self.0.len() >= IN_AN_HOUR) {
            return slower(oldest, HOUR, "this relay has placed many calls in the last hour");
        }
        self.0.push_back((now, number.to_owned()));
        Ok(())
    }
}

/// A button that is pressed twice.
const GAP: Duration = Duration::from_secs(15);

/// One number: three calls in ten minutes.
const WHILE: Duration = Duration::from_secs(600);
const OF_ONE: usize = 3;

const HOUR: Duration = Duration::from_secs(3_600);
/// All numbers together.
const IN_AN_HOUR: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_rings_three_times_in_ten_minutes() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let mut take = |after| pace.take("+1", start + Duration::from_secs(after));
        assert_eq!(take(0), Ok(()));
        assert_eq!(take(5).unwrap_err().wait, Duration::from_secs(10));
        assert_eq!(take(15), Ok(()));
        assert_eq!(take(30), Ok(()));
        assert_eq!(take(60).unwrap_err().wait, Duration::from_secs(540));
        assert_eq!(take(599).unwrap_err().wait, Duration::from_secs(1));
        assert_eq!(take(600), Ok(()));
        assert_eq!(take(616), Ok(()), "the first two are over ten minutes old");
    }

    #[test]
    fn all_together_are_few_an_hour_and_no_more_are_remembered() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for n in 0..IN_AN_HOUR {
            assert_eq!(pace.take(&format!("+{n}"), start + Duration::from_secs(n as u64)), Ok(()));
        }
        let told = pace.take("+x", start + Duration::from_secs(100)).unwrap_err();
        assert_eq!(told.wait, Duration::from_secs(3_500));
        assert_eq!(pace.0.len(), IN_AN_HOUR);
        assert_eq!(pace.take("+x", start + HOUR), Ok(()));
        assert_eq!(pace.0.len(), IN_AN_HOUR);
    }

    #[test]
    fn a_refused_attempt_does_not_count() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.take("+1", start).unwrap();
        for second in 1..15 {
            assert!(pace.take("+1", start + Duration::from_secs(second)).is_err());
        }
        assert_eq!(pace.take("+1", start + GAP), Ok(()));
    }
}
