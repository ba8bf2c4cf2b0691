//! Which sample of the recording is now.
//!
//! The carrier's clock and ours run apart, some tenths of a second in an hour, and its frames come late by a
//! time that trembles. So now is where a frame would end that was on its way for no longer than the quickest
//! ones lately.

use std::time::{Duration, Instant};

use crate::ulaw;

#[derive(Debug)]
pub(super) struct Clock {
    began: Instant,
    /// How many samples the quickest frames end behind our own clock.
    behind: i64,
    frames: u32,
}

impl Clock {
    /// Now is this sample.
    pub fn new(now: Instant, position: u64) -> Self {
        let behind = -i64::try_from(position).unwrap_or(0);
        Self { began: now, behind, frames: 0 }
    }

    pub fn position(&self, now: Instant) -> u64 {
        u64::try_from(self.ours(now) - self.behind).unwrap_or(0)
    }

    /// A frame came that ends here.
    pub fn saw(&mut self, now: Instant, end: u64) {
        let late = self.ours(now) - i64::try_from(end).unwrap_or(i64::MAX);
        self.frames = self.frames.wrapping_add(1);
        if late < self.behind {
            self.behind = late;
        } else if late > self.behind && self.frames.is_multiple_of(CREEP) {
            self.behind += 1;
        }
        self.behind = self.behind.clamp(-FARTHEST, FARTHEST);
    }

    fn ours(&self, now: Instant) -> i64 {
        let passed: Duration = now.saturating_duration_since(self.began);
        i64::try_from(ulaw::bytes(passed)).unwrap_or(i64::MAX)
    }
}

/// Every so many frames a clock that falls behind may do so by one more sample: 0.8 ms a second, ten times what
/// any clock needs, and far less than could be heard.
const CREEP: u32 = 8;

/// Ten seconds: clocks that are so far apart after a day are none.
const FARTHEST: i64 = 10 * ulaw::RATE as i64;

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a test's clock")]
        Instant::now()
    }

    #[test]
    fn the_quickest_frames_tell_and_late_ones_do_not() {
        let (start, ms) = (start(), Duration::from_millis);
        let mut clock = Clock::new(start, 0);
        clock.saw(start + ms(1), 160); // sent 19 ms before the clock began
        assert_eq!(clock.position(start + ms(1)), 160);
        clock.saw(start + ms(120), 320); // held up for 99 ms
        assert_eq!(clock.position(start + ms(121)), 160 + 120 * 8);
    }

    #[test]
    fn an_hour_of_a_clock_that_is_slow_by_a_tenth_of_a_thousandth() {
        let start = start();
        let mut clock = Clock::new(start, 0);
        let frame = Duration::from_nanos(20_002_000);
        for number in 1..=180_000_u32 {
            let tremble = Duration::from_millis(u64::from(number * 7 % 13));
            clock.saw(start + frame * number + tremble, u64::from(number) * 160);
        }
        let off = clock.position(start + frame * 180_000).abs_diff(180_000 * 160);
        assert!(off <= 80, "{off} samples");
    }

    #[test]
    fn a_clock_that_races_is_not_followed_for_ever() {
        let start = start();
        let mut clock = Clock::new(start, 0);
        for number in 1..1_000 {
            clock.saw(start, number * 8_000);
        }
        assert_eq!(clock.position(start), 80_000);
    }
}
