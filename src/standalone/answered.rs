//! Which calls have been answered, so that a webhook that was overheard is of no use later?
//!
//! Twilio's signature has no time in it: who recorded a webhook could send it again for ever. Each call gets one token;
//! a repeated webhook gets the same one, for Twilio asks again when an answer was lost, and that only for a moment.
//! Only this machine remembers. That a token is for one call holds everywhere.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

#[derive(Debug, Default)]
pub(super) struct Answered(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    /// Seconds since 1970 at which the call was answered first.
    since: HashMap<String, u64>,
    in_order: VecDeque<(u64, String)>,
}

impl Answered {
    /// When this call's token was made, which is now if it is the first time; `None` when it is too late to ask again.
    pub fn first(&self, call: &str, now: u64) -> Option<u64> {
        // A thread that panicked in here left nothing half done that would matter.
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.forget(now);
        match calls.since.get(call) {
            Some(first) if now < first.saturating_add(AGAIN.as_secs()) => Some(*first),
            Some(_) => None,
            None => {
                calls.since.insert(call.to_owned(), now);
                calls.in_order.push_back((now, call.to_owned()));
                Some(now)
            }
        }
    }
}

impl Calls {
    fn forget(&mut self, now: u64) {
        let too_old = |since: u64| now >= since.saturating_add(REMEMBERED.as_secs());
        while self.in_order.len() >= MOST || self.in_order.front().is_some_and(|(since, _)| too_old(*since)) {
            let Some((_, call)) = self.in_order.pop_front() else { return };
            self.since.remove(&call);
        }
    }
}

/// Twilio gives up on an answer after 15 seconds, and asks its second address then.
const AGAIN: Duration = Duration::from_secs(45);

/// No call of Twilio's lasts longer.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// Only signed webhooks are remembered. A call every six seconds for a day; about 3 MB.
const MOST: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_keeps_its_time_for_a_moment_and_then_gets_none() {
        let answered = Answered::default();
        assert_eq!(answered.first("CA1", 1_000), Some(1_000));
        assert_eq!(answered.first("CA1", 1_044), Some(1_000));
        assert_eq!(answered.first("CA1", 1_045), None);
        assert_eq!(answered.first("CA2", 1_045), Some(1_045));
        assert_eq!(answered.first("CA1", 1_000 + 86_399), None);
        assert_eq!(answered.first("CA1", 1_000 + 86_400), Some(87_400));
    }

    #[test]
    fn a_clock_that_is_set_back_harms_nobody() {
        let answered = Answered::default();
        answered.first("CA1", 1_000);
        assert_eq!(answered.first("CA1", 500), Some(1_000));
        assert_eq!(answered.first("CA2", 0), Some(0));
        assert_eq!(answered.first("CA3", u64::MAX), Some(u64::MAX));
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_are_too_many() {
        let answered = Answered::default();
        for call in 0..MOST {
            answered.first(&call.to_string(), 1_000);
        }
        assert_eq!(answered.first("1", 1_100), None);
        answered.first("new", 1_100);
        assert_eq!(answered.first("0", 1_100), Some(1_100));
        let calls = answered.0.lock().unwrap();
        assert_eq!((calls.since.len(), calls.in_order.len()), (MOST, MOST));
    }
}
