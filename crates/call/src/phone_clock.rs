//! When did a frame leave the phone, as seen from here?
//!
//! A frame comes when its last sample was spoken, and the network may hold it up on its way. The carrier's
//! timestamps say how far apart two frames were spoken, so the frame that came soonest tells about all the
//! others: each is taken to have come as soon as that one. What every frame's way takes is not seen from
//! here; it is a part of the way there and back, which marks measure.

use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(crate) struct PhoneClock {
    /// The stream's beginning by the soonest frame of this window, and of the one before.
    lately: Option<Instant>,
    before: Option<Instant>,
    /// When this window began.
    since: Option<Instant>,
}

impl PhoneClock {
    /// A frame came that begins at this place of the stream. When its last sample was spoken.
    pub fn end_of(&mut self, now: Instant, at: Option<Duration>, frame: Duration) -> Instant {
        // Without timestamps a frame that was held up cannot be told from a pause.
        let end = at.and_then(|at| at.checked_add(frame));
        let Some((end, began)) = end.and_then(|end| Some((end, now.checked_sub(end)?))) else { return now };
        if self.since.is_none_or(|since| now >= since + WINDOW) {
            self.before = self.lately.take();
            self.since = Some(now);
        }
        self.lately = Some(self.lately.map_or(began, |lately| lately.min(began)));
        let began = self.before.into_iter().chain(self.lately).min().unwrap_or(began);
        let soonest = began + end;
        if now.saturating_duration_since(soonest) > HELD_UP { now } else { soonest.min(now) }
    }
}

/// Two clocks of crystals drift apart by less than a millisecond in ten seconds, and in five seconds some
/// frame comes without being held up.
const WINDOW: Duration = Duration::from_secs(5);

/// A timestamp that says more than this is wrong, or the stream stood still.
const HELD_UP: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = ms(20);

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Some time after the machine began, so that there is a past.
    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a test's clock")]
        let now = Instant::now();
        now + Duration::from_secs(1_000)
    }

    #[test]
    fn a_frame_that_was_held_up_was_spoken_in_its_turn() {
        let (mut clock, start) = (PhoneClock::default(), start());
        let mut came = |at, after| clock.end_of(start + ms(after), Some(ms(at)), FRAME) - start;
        assert_eq!(came(100, 0), ms(0));
        assert_eq!(came(120, 20), ms(20));
        assert_eq!(came(140, 95), ms(40), "55 ms late");
        assert_eq!(came(160, 95), ms(60));
        assert_eq!(came(180, 80), ms(80), "and this one in time");
    }

    #[test]
    fn a_first_frame_that_came_late_is_put_right_by_those_behind_it() {
        let (mut clock, start) = (PhoneClock::default(), start());
        let mut came = |at, after| clock.end_of(start + ms(after), Some(ms(at)), FRAME) - start;
        assert_eq!(came(0, 150), ms(150));
        assert_eq!(came(20, 150), ms(150));
        assert_eq!(came(40, 160), ms(160));
        assert_eq!(came(60, 180), ms(180));
        assert_eq!(came(80, 230), ms(200), "30 ms late");
    }

    #[test]
    fn the_first_frame_of_a_window_is_judged_by_those_before_it() {
        let (mut clock, start) = (PhoneClock::default(), start());
        let mut came = |at, after| clock.end_of(start + ms(after), Some(ms(at)), FRAME) - start;
        assert_eq!(came(0, 20), ms(20));
        assert_eq!(came(4_960, 4_980), ms(4_980));
        assert_eq!(came(5_000, 5_090), ms(5_020));
    }

    #[test]
    fn a_way_that_became_longer_is_known_after_two_windows() {
        let (mut clock, start) = (PhoneClock::default(), start());
        let late = |clock: &mut PhoneClock, at: u64, by: u64| {
            let now = start + ms(at + by);
            now - clock.end_of(now, Some(ms(at)), FRAME)
        };
        for at in (0..4_000).step_by(20) {
            assert_eq!(late(&mut clock, at, 0), ms(0));
        }
        assert_eq!(late(&mut clock, 4_000, 80), ms(80));
        for at in (4_020..16_000).step_by(20) {
            late(&mut clock, at, 80);
        }
        assert_eq!(late(&mut clock, 16_000, 80), ms(0));
    }

    #[test]
    fn nonsense_is_not_believed_and_harms_nothing() {
        let (mut clock, start) = (PhoneClock::default(), start());
        assert_eq!(clock.end_of(start, None, FRAME), start);
        assert_eq!(clock.end_of(start, Some(Duration::MAX), FRAME), start);
        assert_eq!(clock.end_of(start, Some(ms(60_000)), FRAME), start);
        assert_eq!(clock.end_of(start + ms(20), Some(ms(20)), FRAME), start + ms(20));
    }
}
