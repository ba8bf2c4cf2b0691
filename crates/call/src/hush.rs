//! When did the caller fall silent?
//!
//! Told from the caller's own sound, because nobody else says it: a leg says that a turn is over a pause later,
//! and where vendors give the place of an end it includes the pause they waited, or is a guess at a word's end.
//! It decides nothing; it is for the books.
//!
//! Nobody knows beforehand how loud a line's noise is. So the same is asked at several levels, and when a turn is
//! over the lowest level counts at which it has been silent since: below it there is noise, above it only the
//! loud parts of words.
//!
//! A frame is not decoded. In its base64 text every fourth character holds the upper bits of one sample in
//! three, sign, exponent and half of the mantissa: enough to know where it is loud.

use std::time::{Duration, Instant};

use crate::{Audio, phone_clock::PhoneClock, ulaw};

#[derive(Debug, Default)]
pub(crate) struct Hush {
    clock: PhoneClock,
    levels: [Level; LEVELS.len()],
    /// The end that was told last.
    told: Option<Instant>,
}

/// What is louder than one level.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// The newest stretch of sound, and the last one before it that was more than a click.
    newest: Option<Stretch>,
    before: Option<Stretch>,
}

/// Sound with no more than a syllable's pause in it.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    end: Instant,
    /// How much of it was loud, in whole frames.
    loud: Duration,
}

impl Hush {
    /// A frame of the caller's, which begins at this place of the stream.
    pub fn hears(&mut self, now: Instant, at: Option<Duration>, audio: &Audio) {
        let frame = audio.duration();
        let frame_end = self.clock.end_of(now, at, frame);
        let loudness = || audio.text_bytes().chunks_exact(4).map(|group| LOUDNESS[usize::from(group[0])]);
        let peak = loudness().max().unwrap_or(0);
        for (level, threshold) in self.levels.iter_mut().zip(LEVELS).filter(|(_, level)| *level <= peak) {
            let groups = loudness().rposition(|loud| loud >= threshold).map_or(0, |last| last + 1);
            let quiet = (audio.len() as u64).saturating_sub(groups as u64 * 3);
            let end = frame_end.checked_sub(ulaw::duration(quiet)).unwrap_or(frame_end);
            level.is_loud(end, frame);
        }
    }

    /// A turn was just found to be over, by somebody who had waited for at least so long a pause. When the
    /// caller fell silent; nothing when no voice was heard here, or one that goes on.
    pub fn fell_silent(&mut self, now: Instant, pause: Duration) -> Option<Instant> {
        let told = self.told;
        let fits = |end: &Instant| *end + LONGEST > now && told.is_none_or(|told| *end > told);
        let end = self.levels.iter().find_map(|level| level.ended(now, pause).filter(fits));
        self.told = end.or(self.told);
        end
    }

    /// What was told counts for nothing: the turn is heard again by somebody else.
    pub fn forget(&mut self) {
        self.told = None;
    }
}

impl Level {
    /// A frame was loud up to this moment.
    fn is_loud(&mut self, end: Instant, frame: Duration) {
        match &mut self.newest {
            Some(newest) if end <= newest.end + APART + frame => {
                newest.end = newest.end.max(end);
                newest.loud += frame;
            }
            newest => {
                if let Some(newest) = newest.take().filter(Stretch::is_a_voice) {
                    self.before = Some(newest);
                }
                self.newest = Some(Stretch { end, loud: frame });
            }
        }
    }

    /// When the last voice ended after which there was at least this pause. One that has begun since then is
    /// the caller's next word, but one that has been there for long is noise.
    fn ended(&self, now: Instant, pause: Duration) -> Option<Instant> {
        let newest = self.newest.filter(Stretch::is_a_voice);
        let before = self.before.filter(|_| newest.is_none_or(|newest| newest.loud < NEXT_WORD));
        newest.into_iter().chain(before).map(|voice| voice.end).find(|end| *end + pause <= now)
    }
}

impl Stretch {
    fn is_a_voice(&self) -> bool {
        self.loud >= CLICK
    }
}

/// How loud a sample is, from the character that holds its upper six bits: four steps for each 6 dB.
const LOUDNESS: [u8; 256] = {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [0; 256];
    let mut bits = 0;
    while bits < letters.len() {
        table[letters[bits] as usize] = !(bits as u8) & 0x1f; // µ-law is stored inverted, the sign on top
        bits += 1;
    }
    table
};

/// From 400 of 32,124, about 1 % of full scale: the hiss of a line stays far below, a voice's last sound above.
/// Then in steps of 6 dB: 900, 2,000, 4,100.
const LEVELS: [u8; 4] = [8, 12, 16, 20];

/// A pause inside a word, before a hard consonant, is shorter.
const APART: Duration = Duration::from_millis(200);

/// Three frames, as for the voice detector. A word is longer.
const CLICK: Duration = Duration::from_millis(60);

/// The news that a turn is over comes sooner.
const NEXT_WORD: Duration = Duration::from_millis(600);

/// No leg needs so long to find that a turn is over: then it heard somebody whom we did not.
const LONGEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A line that carries what is played into it, 20 ms at a time.
    struct Line {
        hush: Hush,
        start: Instant,
        at: u64,
    }

    impl Line {
        fn new() -> Self {
            #[expect(
                clippy::disallowed_methods,
                reason = "any instant will do as the start of a test's clock"
            )]
            let start = Instant::now() + Duration::from_secs(1_000);
            Self { hush: Hush::default(), start, at: 0 }
        }

        fn play(&mut self, samples: impl IntoIterator<Item = i16>) {
            let bytes: Vec<u8> = samples.into_iter().map(ulaw::encode).collect();
            for frame in bytes.chunks(160) {
                let now = self.now() + ulaw::duration(frame.len() as u64);
                self.hush.hears(now, Some(ms(self.at)), &Audio::ulaw(frame));
                self.at += 20;
            }
        }

        /// A hum of this loudness.
        fn tone(&mut self, time: u64, size: i16) {
            self.play((0..time * 8).map(|i| if i % 16 < 8 { size } else { -size }));
        }

        fn quiet(&mut self, time: u64) {
            self.tone(time, 0);
        }

        fn now(&self) -> Instant {
            self.start + ms(self.at)
        }

        fn fell_silent(&mut self) -> Option<u64> {
            let now = self.now();
            let end = self.hush.fell_silent(now, ms(200))?;
            Some((end - self.start).as_millis() as u64)
        }
    }

    #[test]
    fn the_end_is_known_to_the_sample() {
        let mut line = Line::new();
        line.quiet(400);
        let voice = |i: u64| if i < 6_037 { 5_000 } else { 0 }; // 754.6 ms
        line.play((0..8_000).map(voice));
        let now = line.now();
        let end = line.hush.fell_silent(now, ms(200)).unwrap() - line.start;
        let expected = ms(400) + ulaw::duration(6_037);
        assert!(end.abs_diff(expected) <= ulaw::duration(3), "{end:?} for {expected:?}");
    }

    #[test]
    fn a_pause_between_two_words_is_no_end_and_a_click_is_no_word() {
        let mut line = Line::new();
        line.tone(300, 4_000);
        line.quiet(180);
        line.tone(300, 4_000);
        line.quiet(300);
        line.tone(20, 9_000);
        line.quiet(300);
        assert_eq!(line.fell_silent(), Some(780));
    }

    #[test]
    fn who_speaks_again_before_the_turn_is_told_had_fallen_silent_before() {
        let mut line = Line::new();
        line.tone(600, 4_000);
        line.quiet(500);
        line.tone(100, 4_000);
        assert_eq!(line.fell_silent(), Some(600));
        line.tone(300, 4_000);
        line.quiet(500);
        assert_eq!(line.fell_silent(), Some(1_500));
    }

    #[test]
    fn an_end_is_told_once_and_not_long_afterwards() {
        let mut line = Line::new();
        line.tone(600, 4_000);
        line.quiet(500);
        assert_eq!(line.fell_silent(), Some(600));
        assert_eq!(line.fell_silent(), None, "another turn, of somebody too quiet to be heard here");
        line.hush.forget();
        assert_eq!(line.fell_silent(), Some(600), "unless it is the same turn, heard by another leg");
        line.tone(600, 4_000);
        line.quiet(10_000);
        assert_eq!(line.fell_silent(), None);
    }

    #[test]
    fn noise_is_not_speech_and_does_not_hide_it_whenever_it_began() {
        for noise in [300, 600, 1_400, 2_900] {
            let mut line = Line::new();
            line.tone(300, 9_000); // no turn, as it seems
            line.quiet(1_700);
            line.tone(500, noise); // a fan, a bus
            line.tone(800, 9_000);
            line.tone(600, noise);
            assert_eq!(line.fell_silent(), Some(3_300), "{noise}");
        }
    }

    #[test]
    fn a_voice_that_goes_on_has_no_end() {
        let mut line = Line::new();
        line.tone(3_000, 9_000); // a television
        assert_eq!(line.fell_silent(), None);
    }

    #[test]
    fn a_soft_end_after_a_loud_beginning_is_a_part_of_it() {
        let mut line = Line::new();
        line.tone(500, 20_000);
        line.tone(400, 500);
        line.quiet(600);
        assert_eq!(line.fell_silent(), Some(900));
    }

    #[test]
    fn who_speaks_from_the_first_moment_on_without_a_breath_is_no_noise() {
        let mut line = Line::new();
        // Syllables that never fall below a third.
        line.play((0..12_000 * 8).map(|i| {
            let swell = 1.0 - 0.66 * (i as f64 / 1_000.0).sin().abs();
            (8_000.0 * swell * (i as f64 / 4.0).sin()) as i16
        }));
        line.quiet(600);
        let end = line.fell_silent().unwrap();
        assert!(end.abs_diff(12_000) <= 5, "{end}");
    }

    #[test]
    fn the_loudness_in_the_text_is_that_of_the_sample() {
        for code in 0..=255_u8 {
            let text = Audio::ulaw(&[code, 0, 0]);
            let loud = LOUDNESS[usize::from(text.text_bytes()[0])];
            let size = ulaw::LINEAR[usize::from(code)].unsigned_abs();
            assert_eq!(loud >= LEVELS[0], size >= 396, "{code:#x}: {size} is {loud}");
        }
    }
}
