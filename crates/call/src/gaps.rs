//! Where the carrier left out frames, and how much silence stands for them.
//!
//! Carriers do not always send a frame every 20 ms: packets get lost, and quiet stretches may come as
//! nothing at all. A leg that waits for silence would then never notice that the caller has finished. The
//! timestamps tell how much is missing once the next frame comes; until then, while the caller is in the
//! middle of speaking, the clock does.

use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(crate) struct Gaps {
    /// Where the next frame should begin on the carrier's clock.
    expected: Option<Duration>,
    last_frame: Option<Instant>,
    /// Silence that stands for frames since the last one, filled by our own clock.
    ahead: Duration,
    filled: Duration,
}

impl Gaps {
    /// A frame came. Returns the silence that belongs before it.
    pub fn before(&mut self, now: Instant, at: Option<Duration>, frame: Duration) -> Duration {
        self.last_frame = Some(now);
        let ahead = std::mem::take(&mut self.ahead);
        let Some(at) = at else { return Duration::ZERO };
        let missing = self.expected.map_or(Duration::ZERO, |expected| at.saturating_sub(expected));
        self.expected = Some(at + frame);
        let missing = missing.min(LONGEST).saturating_sub(ahead);
        if missing < FRAME {
            return Duration::ZERO; // timestamps shake by some milliseconds
        }
        self.filled += missing;
        missing
    }

    /// How much silence is due by our own clock while nothing comes, in whole frames; when to ask again.
    pub fn while_quiet(&mut self, now: Instant) -> (Duration, Instant) {
        let Some(last) = self.last_frame else { return (Duration::ZERO, now + QUIET) };
        let quiet = now.saturating_duration_since(last);
        if quiet < QUIET {
            return (Duration::ZERO, last + QUIET);
        }
        let due = quiet.min(LONGEST).saturating_sub(self.ahead);
        let due = FRAME * u32::try_from(due.as_millis() / FRAME.as_millis()).unwrap_or(0);
        self.ahead += due;
        self.filled += due;
        (due, now + STEP)
    }

    /// When the last frame came, and where the next one should begin on the carrier's clock.
    pub fn place(&self) -> (Option<Instant>, Option<Duration>) {
        (self.last_frame, self.expected)
    }

    /// All silence that was put in.
    pub fn filled(&self) -> Duration {
        self.filled
    }
}

const FRAME: Duration = Duration::from_millis(20);

/// So long nothing may come before we fill by the clock: longer than the jitter of a bad mobile line.
pub(crate) const QUIET: Duration = Duration::from_millis(400);

/// From then on in steps of this.
const STEP: Duration = Duration::from_millis(200);

/// One gap is filled for at most so long: by then every voice detector has heard enough silence.
const LONGEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a test's clock")]
        Instant::now()
    }

    #[test]
    fn the_first_timestamp_is_not_a_gap() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.before(start(), Some(ms(134)), FRAME), ms(0));
    }

    #[test]
    fn a_jump_of_the_timestamp_is_filled_and_a_tremble_is_not() {
        let (mut gaps, now) = (Gaps::default(), start());
        gaps.before(now, Some(ms(0)), FRAME);
        assert_eq!(gaps.before(now, Some(ms(25)), FRAME), ms(0));
        assert_eq!(gaps.before(now, Some(ms(145)), FRAME), ms(100));
        assert_eq!(gaps.before(now, Some(ms(100)), FRAME), ms(0), "backwards is no gap");
        assert_eq!(gaps.before(now, Some(ms(60_000)), FRAME), LONGEST);
        assert_eq!(gaps.filled(), LONGEST + ms(100));
    }

    #[test]
    fn silence_filled_by_the_clock_is_not_filled_again_by_the_timestamp() {
        let (mut gaps, now) = (Gaps::default(), start());
        gaps.before(now, Some(ms(0)), FRAME);
        assert_eq!(gaps.while_quiet(now + ms(399)).0, ms(0));
        assert_eq!(gaps.while_quiet(now + ms(410)).0, ms(400));
        assert_eq!(gaps.while_quiet(now + ms(610)).0, ms(200));
        assert_eq!(gaps.before(now + ms(700), Some(ms(700)), FRAME), ms(80));
        assert_eq!(gaps.filled(), ms(680));
    }

    #[test]
    fn without_timestamps_only_the_clock_fills() {
        let (mut gaps, now) = (Gaps::default(), start());
        gaps.before(now, None, FRAME);
        assert_eq!(gaps.before(now + ms(300), None, FRAME), ms(0));
        assert_eq!(gaps.while_quiet(now + ms(30_000)).0, LONGEST);
        assert_eq!(gaps.while_quiet(now + ms(60_000)).0, ms(0));
    }
}
