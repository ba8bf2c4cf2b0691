//! What can stand in for a person speaking? A buzzing throat, three moving formants and syllables.
//!
//! It is no language, but a voice detector takes it for one: energy alone would not convince it. Each seed gives
//! other bytes, so that a test can tell from a recording which reply it hears.

use crate::{dice::Dice, ulaw};
use std::{f64::consts::PI, f64::consts::TAU, time::Duration};

const RATE: f64 = 8000.0;

/// First three formants in hertz of a few vowels: ah, ee, oo, eh, aw, er.
const VOWELS: [[f64; 3]; 6] = [
    [730.0, 1090.0, 2440.0],
    [290.0, 2200.0, 2950.0],
    [310.0, 880.0, 2250.0],
    [530.0, 1800.0, 2480.0],
    [580.0, 860.0, 2410.0],
    [490.0, 1350.0, 1700.0],
];
const WIDTHS: [f64; 3] = [80.0, 110.0, 160.0];
const SHARES: [f64; 3] = [1.0, 0.55, 0.3];

/// Speech-like sound as µ-law, exactly `length` long.
pub fn speech(length: Duration, seed: u64) -> Vec<u8> {
    ulaw::encode_all(&samples(length, seed))
}

/// How long a person takes to say `text`: about 15 characters a second, never under 0.4 s or over a minute.
pub fn spoken_length(text: &str) -> Duration {
    Duration::from_millis((text.chars().count() as u64 * 65).clamp(400, 60_000))
}

fn samples(length: Duration, seed: u64) -> Vec<i16> {
    let count = ulaw::bytes_of(length);
    let mut dice = Dice::new(seed ^ 0x5EED_0F50);
    let mut throat = Throat::new(&mut dice);
    let mut tract: [Resonator; 3] = Default::default();
    let mut raw = Vec::with_capacity(count);
    let mut before = VOWELS[0];
    while raw.len() < count {
        // About four syllables a second.
        let syllable = dice.between(1500, 2500) as usize;
        let vowel = VOWELS[dice.between(0, 5) as usize];
        let hiss = if dice.part() < 0.4 { 0.25 } else { 0.05 };
        for at in 0..syllable.min(count - raw.len()) {
            let through = at as f64 / syllable as f64;
            let glide = (through * 3.0).min(1.0);
            let breath = throat.next(&mut dice, through) + hiss * onset(through) * (dice.part() - 0.5);
            let mut sum = 0.0;
            for (n, resonator) in tract.iter_mut().enumerate() {
                let hertz = before[n] + (vowel[n] - before[n]) * glide;
                sum += SHARES[n] * resonator.pass(breath, hertz, WIDTHS[n]);
            }
            raw.push(sum * swell(through));
        }
        before = vowel;
    }
    let peak = raw.iter().fold(1e-9f64, |peak, sample| peak.max(sample.abs()));
    raw.iter().map(|sample| (sample / peak * 20_000.0) as i16).collect()
}

/// A syllable rises, holds and falls, without ever being quite silent.
fn swell(through: f64) -> f64 {
    0.2 + 0.8 * (PI * through).sin().powf(0.6)
}

/// A consonant's noise at the beginning of the syllable.
fn onset(through: f64) -> f64 {
    (1.0 - through * 6.0).max(0.0)
}

/// The pulses of the vocal cords, with the small irregularity that machines lack.
struct Throat {
    hertz: f64,
    phase: f64,
    jitter: f64,
    tilt: f64,
}

impl Throat {
    fn new(dice: &mut Dice) -> Self {
        Self { hertz: 105.0 + dice.part() * 70.0, phase: 0.0, jitter: 1.0, tilt: 0.0 }
    }

    fn next(&mut self, dice: &mut Dice, through: f64) -> f64 {
        let melody = 1.0 + 0.12 * (TAU * 0.5 * through).sin();
        self.phase += self.hertz * melody * self.jitter / RATE;
        if self.phase >= 1.0 {
            self.phase -= 1.0;
            self.jitter = 1.0 + (dice.part() - 0.5) * 0.04;
        }
        // A smooth opening and a sharp closing; the closing excites the formants.
        let open = if self.phase < 0.6 { (PI * self.phase / 0.6).sin().powi(2) } else { 0.0 };
        let flow = open - self.tilt;
        self.tilt = open;
        flow
    }
}

#[derive(Default)]
struct Resonator {
    last: f64,
    older: f64,
}

impl Resonator {
    fn pass(&mut self, input: f64, hertz: f64, width: f64) -> f64 {
        let radius = (-PI * width / RATE).exp();
        let turn = 2.0 * radius * (TAU * hertz / RATE).cos();
        let output = (1.0 - radius) * input + turn * self.last - radius * radius * self.older;
        self.older = self.last;
        self.last = output;
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_exactly_as_long_as_asked_and_repeatable() {
        let one = speech(Duration::from_millis(1234), 5);
        assert_eq!(one.len(), 1234 * 8);
        assert_eq!(one, speech(Duration::from_millis(1234), 5));
        assert_ne!(one, speech(Duration::from_millis(1234), 6));
    }

    #[test]
    fn no_pause_inside_speech_is_long_enough_to_end_a_turn() {
        for seed in 0..20 {
            let said = speech(Duration::from_secs(4), seed);
            let quiet: Vec<bool> = said.chunks(160).map(|frame| ulaw::loudness(frame) < 500.0).collect();
            let longest = quiet.split(|quiet| !quiet).map(<[bool]>::len).max().unwrap_or(0);
            assert!(longest < 5, "seed {seed}: {longest} quiet frames in a row");
            assert!(ulaw::loudness(&said) > 2000.0, "seed {seed} is too quiet");
        }
    }

    #[test]
    fn no_stretch_of_20_ms_occurs_twice_in_two_replies() {
        let (one, two) = (speech(Duration::from_secs(2), 1), speech(Duration::from_secs(2), 2));
        for frame in one.chunks_exact(160) {
            assert_eq!(ulaw::find(&two, frame), None);
        }
    }
}
