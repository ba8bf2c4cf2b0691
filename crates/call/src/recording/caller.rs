//! The left track: the caller, as received. Frames that are missing are silence.
//!
//! Where a frame belongs is what the carrier's timestamp says, as long as that makes sense; then what our clock
//! says. Frames that follow one another are never torn apart by a tremble.

use std::{collections::VecDeque, time::Duration};

use crate::{Audio, ulaw};

#[derive(Debug, Default)]
pub(super) struct CallerTrack {
    /// Copied: a slice of a frame would keep the whole buffer that it was read into.
    waiting: VecDeque<u8>,
    end: u64,
    /// The sample where the carrier's clock was zero; before the first one, and without timestamps, nothing.
    zero: Option<i64>,
}

impl CallerTrack {
    /// With what came before; what follows it begins there on the carrier's clock.
    pub fn begin<'a>(held: impl Iterator<Item = &'a Audio>, follows_at: Option<Duration>) -> Self {
        let mut track = Self::default();
        held.for_each(|audio| track.append(audio));
        track.zero =
            follows_at.and_then(samples).zip(i64::try_from(track.end).ok()).map(|(at, end)| end - at);
        track
    }

    /// A frame that came when now was `position`. False when there was no place for it: nobody speaks faster than
    /// time passes.
    pub fn put(&mut self, position: u64, at: Option<Duration>, audio: &Audio) -> bool {
        let length = audio.len() as u64;
        let start = self.start(position, at, length);
        if start + length > position + AHEAD {
            return false;
        }
        self.waiting
            .extend(std::iter::repeat_n(ulaw::SILENCE, usize::try_from(start - self.end).unwrap_or(0)));
        self.end = start;
        self.append(audio);
        true
    }

    fn append(&mut self, audio: &Audio) {
        self.waiting.extend(audio.decode());
        self.end += audio.len() as u64;
    }

    fn start(&mut self, position: u64, at: Option<Duration>, length: u64) -> u64 {
        let makes_sense = |start: &u64| start + length <= position + AHEAD && start + BEHIND >= position;
        let at = at.and_then(samples);
        let told = at.zip(self.zero).and_then(|(at, zero)| u64::try_from(zero.saturating_add(at)).ok());
        let told = told.filter(makes_sense);
        let (start, tremble) = match told {
            Some(start) => (start, FRAME),
            None => (position.saturating_sub(length), JITTER),
        };
        let start = if start < self.end + tremble { self.end } else { start };
        if let (None, Some(at), Ok(start)) = (told, at, i64::try_from(start)) {
            self.zero = Some(start - at);
        }
        start
    }

    pub fn end(&self) -> u64 {
        self.end
    }

    /// These samples, which are certain now.
    pub fn take(&mut self, from: u64, until: u64) -> Vec<u8> {
        let samples = usize::try_from(until - from).unwrap_or(0);
        let mut taken: Vec<u8> = self.waiting.drain(..samples.min(self.waiting.len())).collect();
        taken.resize(samples, ulaw::SILENCE);
        self.end = self.end.max(until);
        taken
    }
}

fn samples(time: Duration) -> Option<i64> {
    i64::try_from(ulaw::bytes(time)).ok()
}

/// A gap is a frame at least: 20 ms.
const FRAME: u64 = 160;

/// Without a timestamp a frame may be late by so much and still follow the one before: 400 ms.
const JITTER: u64 = 3_200;

/// Timestamps that lead so far into the future are wrong: 1 s. What is said faster than time passes finds no
/// place beyond it.
const AHEAD: u64 = 8_000;

/// Nor does a frame come so late: 15 s. The recording waits for less.
const BEHIND: u64 = 120_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of 20 ms: when each came and its timestamp, in ms. Returns where each lies, in ms.
    fn places(frames: &[(u64, Option<u64>)]) -> Vec<Option<u64>> {
        let mut track = CallerTrack::default();
        let frame = Audio::ulaw(&[7; 160]);
        let put = frames.iter().map(|(now, at)| {
            track.put(now * 8, at.map(Duration::from_millis), &frame).then(|| track.end / 8 - 20)
        });
        put.collect()
    }

    #[test]
    fn a_tremble_of_the_timestamps_tears_nothing_apart_and_a_jump_is_silence() {
        let frames = [(20, 134), (42, 154), (60, 178), (95, 194), (180, 294), (200, 314)];
        let frames = frames.map(|(now, at)| (now, Some(at)));
        assert_eq!(places(&frames), [0, 20, 40, 60, 160, 180].map(Some));
    }

    #[test]
    fn frames_that_were_held_up_still_lie_where_they_were_said() {
        let frames = [(20, 0), (40, 20), (9_000, 40), (9_000, 60)].map(|(now, at)| (now, Some(at)));
        assert_eq!(places(&frames), [0, 20, 40, 60].map(Some));
    }

    #[test]
    fn a_timestamp_that_makes_no_sense_is_not_believed_and_the_next_ones_count_from_it() {
        let frames = [(20, 0), (40, 20), (60, 9_000_000), (80, 9_000_020), (180, 9_000_120)];
        assert_eq!(places(&frames.map(|(now, at)| (now, Some(at)))), [0, 20, 40, 60, 160].map(Some));
    }

    #[test]
    fn without_timestamps_our_clock_tells() {
        let frames = [(20, None), (40, None), (300, None), (1_000, None)];
        assert_eq!(places(&frames), [0, 20, 40, 980].map(Some));
    }

    #[test]
    fn nobody_speaks_faster_than_time_passes() {
        let frames = vec![(20, Some(0)); 100];
        let places = places(&frames);
        assert_eq!(places.iter().flatten().count(), 51, "a second, and the frame that it is");
        let none = vec![(20, None); 100];
        assert_eq!(self::places(&none).iter().flatten().count(), 51);
    }
}
