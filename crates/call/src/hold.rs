//! What the caller says while no leg can hear it.
//!
//! Kept up to three seconds, or as long as is asked for; of more, the newest part. Somebody who says "Hello?" into a connecting line is
//! heard, somebody who waits in silence does not push seconds of it in front of the first word.

use std::{collections::VecDeque, time::Duration};

use crate::Audio;

#[derive(Debug)]
pub(crate) struct Hold {
    frames: VecDeque<Audio>,
    time: Duration,
    longest: Duration,
}

impl Default for Hold {
    fn default() -> Self {
        Self::of(LONGEST)
    }
}

impl Hold {
    pub fn of(longest: Duration) -> Self {
        Self { frames: VecDeque::new(), time: Duration::ZERO, longest }
    }

    /// From now on so much is kept.
    pub fn keep(&mut self, longest: Duration) {
        self.longest = longest;
        self.shorten();
    }

    /// Returns how many older frames had to go.
    pub fn push(&mut self, audio: Audio) -> u64 {
        self.time += audio.duration();
        self.frames.push_back(audio);
        self.shorten()
    }

    fn shorten(&mut self) -> u64 {
        let mut dropped = 0;
        while self.time > self.longest || self.frames.len() > MOST_FRAMES {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.time -= oldest.duration();
            dropped += 1;
        }
        dropped
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Audio> {
        self.frames.iter()
    }

    pub fn pop(&mut self) -> Option<Audio> {
        let audio = self.frames.pop_front()?;
        self.time -= audio.duration();
        Some(audio)
    }
}

const LONGEST: Duration = Duration::from_secs(3);

/// Twelve seconds are 600 frames of 20 ms; a carrier that sends crumbs must not make a long list of them.
const MOST_FRAMES: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_three_seconds_are_kept() {
        let mut hold = Hold::default();
        let dropped: u64 = (0..200u8).map(|i| hold.push(Audio::ulaw(&[i; 160]))).sum();
        assert_eq!(dropped, 50);
        assert_eq!(hold.pop(), Some(Audio::ulaw(&[50; 160])));
        let rest = std::iter::from_fn(|| hold.pop()).count();
        assert_eq!(rest, 149);
        assert_eq!(hold.time, Duration::ZERO);
    }

    #[test]
    fn crumbs_cannot_make_a_long_list() {
        let mut hold = Hold::default();
        let dropped: u64 = (0..10_000).map(|_| hold.push(Audio::ulaw(&[0xff]))).sum();
        assert_eq!(dropped, 10_000 - MOST_FRAMES as u64);
    }
}
