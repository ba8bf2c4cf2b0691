//! When did the caller fall silent?
//!
//! Told from the caller's own sound, because nobody else says it: a leg says that a turn is over a pause later,
//! and where vendors give the place of an end it includes the pause they waited, or is a guess at a word's end.
//! It decides nothing; it is for the books.
//!
//! A frame is not decoded. In its base64 text every fourth character holds the upper bits of one sample in
//! three, sign, exponent and half of the mantissa: enough to know where it is loud.

use std::time::{Duration, Instant};

use crate::{Audio, phone_clock::PhoneClock, ulaw};

#[derive(Debug, Default)]
pub(crate) struct Hush {
    clock: PhoneClock,
    noise: Noise,
    /// The newest stretch of sound, and the last one before it that was more than a click.
    newest: Option<Stretch>,
    before: Option<Stretch>,
    /// The end that was told last.
    told: Option<Instant>,
}

/// Sound with no more than a syllable's pause in it.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    end: Instant,
    /// How much of it was loud, in whole frames.
    loud: Duration,
}

impl Stretch {
    fn is_a_voice(&self) -> bool {
        self.loud >= CLICK
    }
}

impl Hush {
    /// A frame of the caller's, which begins at this place of the stream.
    pub fn hears(&mut self, now: Instant, at: Option<Duration>, audio: &Audio) {
        let frame = audio.duration();
        let frame_end = self.clock.end_of(now, at, frame);
        let loudness = || audio.text_bytes().chunks_exact(4).map(|group| LOUDNESS[usize::from(group[0])]);
        let peak = loudness().max().unwrap_or(0);
        let threshold = self.noise.threshold();
        self.noise.hears(peak, frame);
        if peak < threshold {
            return;
        }
        let groups = loudness().rposition(|loud| loud >= threshold).map_or(0, |last| last + 1);
        let quiet = (audio.len() as u64).saturating_sub(groups as u64 * 3);
        let end = frame_end.checked_sub(ulaw::duration(quiet)).unwrap_or(frame_end);
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

    /// A turn was just found to be over, by somebody who had waited for at least so long a pause. When the
    /// caller fell silent; nothing when no voice was heard here.
    pub fn fell_silent(&mut self, now: Instant, pause: Duration) -> Option<Instant> {
        let stretches = self.newest.into_iter().chain(self.before);
        let end = stretches
            .filter(|stretch| stretch.is_a_voice() && stretch.end + pause <= now)
            .map(|stretch| stretch.end)
            .find(|end| *end + LONGEST > now && self.told.is_none_or(|told| *end > told));
        self.told = end.or(self.told);
        end
    }

    /// What was told counts for nothing: the turn is heard again by somebody else.
    pub fn forget(&mut self) {
        self.told = None;
    }
}

/// What there is to hear on the line while nobody speaks.
#[derive(Debug, Default)]
struct Noise {
    /// The peak of a moment, and how long that moment has been.
    peak: u8,
    heard: Duration,
    /// This window, and the one before.
    lately: Option<Range>,
    before: Option<Range>,
    moments: u32,
}

/// The peaks of the quietest moment and of the loudest.
#[derive(Clone, Copy, Debug)]
struct Range {
    quietest: u8,
    loudest: u8,
}

impl Range {
    fn with(self, other: Self) -> Self {
        let (quietest, loudest) = (self.quietest.min(other.quietest), self.loudest.max(other.loudest));
        Self { quietest, loudest }
    }
}

impl Noise {
    /// What is louder than noise. Where nothing stands out from it, all of it may be a voice.
    fn threshold(&self) -> u8 {
        let Some(range) = self.before.into_iter().chain(self.lately).reduce(Range::with) else { return LOUD };
        let above = range.quietest.saturating_add(ABOVE_NOISE).min(range.loudest.saturating_sub(BELOW_VOICE));
        LOUD.max(above)
    }

    fn hears(&mut self, peak: u8, frame: Duration) {
        self.peak = self.peak.max(peak);
        self.heard += frame;
        if self.heard < MOMENT {
            return;
        }
        let peak = std::mem::take(&mut self.peak);
        self.heard = Duration::ZERO;
        let moment = Range { quietest: peak, loudest: peak };
        self.lately = Some(self.lately.map_or(moment, |lately| lately.with(moment)));
        self.moments += 1;
        if self.moments >= WINDOW {
            self.moments = 0;
            self.before = self.lately.take();
        }
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

/// About 1 % of full scale, 400 of 32,124: the hiss of a line stays far below, a voice's last sound above.
const LOUD: u8 = 8;

/// 9 dB.
const ABOVE_NOISE: u8 = 6;

/// 15 dB below its peak a voice is still a voice: what is quieter at a word's end is a breath.
const BELOW_VOICE: u8 = 10;

/// Between two syllables it is never quiet for so long, and no click is loud for so long.
const MOMENT: Duration = Duration::from_millis(100);

/// Five seconds, twice: nobody speaks for longer without a breath.
const WINDOW: u32 = 50;

/// A pause inside a word, before a hard consonant, is shorter.
const APART: Duration = Duration::from_millis(200);

/// Three frames, as for the voice detector. A word is longer.
const CLICK: Duration = Duration::from_millis(60);

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
        let end = line.hush.fell_silent(line.now(), ms(200)).unwrap() - line.start;
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
    fn steady_noise_is_not_speech_and_does_not_hide_it() {
        let mut line = Line::new();
        line.tone(3_000, 600); // a fan, louder than what counts on a quiet line
        line.tone(800, 6_000);
        line.tone(600, 600);
        let end = line.fell_silent().unwrap();
        assert!(end.abs_diff(3_800) <= 1, "{end}");
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
            assert_eq!(loud >= LOUD, size >= 396, "{code:#x}: {size} is {loud}");
        }
    }
}
