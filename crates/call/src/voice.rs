//! Whether somebody is speaking, told from the sound alone.
//!
//! Only for legs that get no such word from a provider. The detector listens at 16 kHz, so telephone sound is
//! doubled first; doubling by repeating samples would cost it accuracy. It lags some 50 ms behind the voice.

use std::{fmt, sync::LazyLock, time::Duration};

use crate::ulaw;

pub struct Voice {
    detector: Box<earshot::Detector>,
    doubler: Doubler,
    frame: Vec<i16>,
    speaking: bool,
    /// Frames in a row that speak for a change.
    run: u32,
    hang: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Started,
    Stopped,
}

impl Voice {
    /// So long it must be quiet before somebody has stopped speaking.
    pub fn new(pause: Duration) -> Self {
        let hang = pause.as_millis().div_ceil(FRAME_MS).clamp(1, 10_000);
        Self {
            detector: earshot::Detector::default_boxed(),
            doubler: Doubler::default(),
            frame: Vec::with_capacity(FRAME),
            speaking: false,
            run: 0,
            hang: u32::try_from(hang).unwrap_or(u32::MAX),
        }
    }

    /// Listens to µ-law of any length. Of several changes in it the last counts.
    pub fn hear(&mut self, bytes: &[u8]) -> Option<Change> {
        let mut change = None;
        for byte in bytes {
            self.frame.extend(self.doubler.double(ulaw::LINEAR[usize::from(*byte)]));
            if self.frame.len() >= FRAME {
                let score = self.detector.predict_i16(&self.frame[..FRAME]);
                self.frame.clear();
                change = self.judge(score).or(change);
            }
        }
        change
    }

    fn judge(&mut self, score: f32) -> Option<Change> {
        let against = if self.speaking { score < STAY } else { score >= ONSET };
        self.run = if against { self.run + 1 } else { 0 };
        let enough = if self.speaking { self.hang } else { ONSET_FRAMES };
        if self.run < enough {
            return None;
        }
        self.run = 0;
        self.speaking = !self.speaking;
        Some(if self.speaking { Change::Started } else { Change::Stopped })
    }
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voice").field("speaking", &self.speaking).finish_non_exhaustive()
    }
}

/// The detector takes 16 ms at 16 kHz.
const FRAME: usize = 256;
const FRAME_MS: u128 = 16;

/// Steady noise stays below the first, a pause between two syllables above the second.
const ONSET: f32 = 0.7;
const STAY: f32 = 0.5;

/// A click is shorter than three frames, a word longer.
const ONSET_FRAMES: u32 = 3;

/// Two samples for each one, by a windowed sinc in two phases.
struct Doubler {
    past: [f32; TAPS],
    at: usize,
}

impl Default for Doubler {
    fn default() -> Self {
        Self { past: [0.0; TAPS], at: 0 }
    }
}

impl Doubler {
    fn double(&mut self, sample: i16) -> [i16; 2] {
        self.past[self.at] = f32::from(sample);
        self.at = (self.at + 1) % TAPS;
        let (newer, older) = self.past.split_at(self.at);
        PHASES.each_ref().map(|phase| {
            let sum: f32 = older.iter().chain(newer).zip(phase).map(|(sample, tap)| sample * tap).sum();
            sum as i16 // a cast from f32 saturates
        })
    }
}

/// Taps of one phase: the filter is flat to 3 kHz and 70 dB down where its mirror would begin.
const TAPS: usize = 24;

static PHASES: LazyLock<[[f32; TAPS]; 2]> = LazyLock::new(|| {
    let length = (2 * TAPS) as f64;
    let middle = (length - 1.0) / 2.0;
    let tap = |i: usize| {
        let t = i as f64 - middle;
        let x = std::f64::consts::PI * t * CUT_OFF;
        let sinc = if t == 0.0 { 1.0 } else { x.sin() / x };
        let edge = 2.0 * i as f64 / (length - 1.0) - 1.0;
        2.0 * CUT_OFF * sinc * bessel(BETA * (1.0 - edge * edge).sqrt()) / bessel(BETA)
    };
    // `past` runs from the oldest sample to the newest, a filter from the newest to the oldest.
    [1, 0].map(|phase| std::array::from_fn(|i| tap(2 * (TAPS - 1 - i) + 1 - phase) as f32))
});

/// Of the doubled band, the part below 4 kHz and a little less.
const CUT_OFF: f64 = 0.5 * 0.93;

/// Kaiser's window, narrow enough for 70 dB.
const BETA: f64 = 7.0;

/// The modified Bessel function of order zero, by its series.
fn bessel(x: f64) -> f64 {
    let terms = (1..32).scan(1.0, |term, k| {
        *term *= (x / 2.0 / f64::from(k)).powi(2);
        Some(*term)
    });
    1.0 + terms.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Level of a tone at 16 kHz, by correlation.
    fn level(samples: &[i16], hertz: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (i, sample) in samples.iter().enumerate() {
            let angle = std::f64::consts::TAU * hertz * i as f64 / 16_000.0;
            re += f64::from(*sample) * angle.cos();
            im += f64::from(*sample) * angle.sin();
        }
        2.0 * re.hypot(im) / samples.len() as f64
    }

    #[test]
    fn doubling_keeps_the_tone_and_leaves_no_mirror_image() {
        let mut doubler = Doubler::default();
        let tone =
            |i: u32| (10_000.0 * (std::f64::consts::TAU * 1_000.0 * f64::from(i) / 8_000.0).sin()) as i16;
        let doubled: Vec<i16> = (0..1_600).flat_map(|i| doubler.double(tone(i))).skip(1_600).collect();
        assert!((9_900.0..10_100.0).contains(&level(&doubled, 1_000.0)), "{}", level(&doubled, 1_000.0));
        assert!(level(&doubled, 7_000.0) < 10.0, "{}", level(&doubled, 7_000.0)); // 60 dB down
    }

    #[test]
    fn silence_and_line_noise_are_no_voice() {
        let mut voice = Voice::new(Duration::from_millis(500));
        assert_eq!(voice.hear(&[ulaw::SILENCE; 16_000]), None);
        let mut seed = 1_u32;
        let noise = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            0x70 | (seed >> 24) as u8 // the hiss of a line: samples below 120, of both signs
        });
        assert_eq!(voice.hear(&noise.take(32_000).collect::<Vec<_>>()), None);
    }

    #[test]
    fn a_change_needs_several_frames_in_a_row() {
        let mut voice = Voice::new(Duration::from_millis(160));
        assert_eq!([0.9, 0.9, 0.2, 0.9, 0.9].map(|score| voice.judge(score)), [None; 5]);
        assert_eq!(voice.judge(0.9), Some(Change::Started));
        assert_eq!([0.1; 9].map(|score| voice.judge(score)), [None; 9]);
        assert_eq!(voice.judge(0.6), None);
        assert_eq!([0.1; 9].map(|score| voice.judge(score)), [None; 9]);
        assert_eq!(voice.judge(0.1), Some(Change::Stopped));
    }
}
