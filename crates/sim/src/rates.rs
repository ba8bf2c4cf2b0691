//! How does live sound change its rate without coming later?
//!
//! By a windowed sinc that is symmetric about each new sample, so nothing is moved in time: the delay is 0 samples. It
//! looks 18 samples of 8 kHz (2.25 ms) to both sides. What is not there yet counts as silence; when going down, the last
//! samples are computed again as soon as their neighbours are known.

use crate::resample::{sinc, window};

/// Samples of 8 kHz to each side: 16 zero crossings of a filter that ends at 0.92 of the half rate.
pub(crate) const REACH: usize = 18;
const CUTOFF: f64 = 0.92;

/// From 8 kHz to a multiple of it.
#[derive(Debug)]
pub(crate) struct Raise {
    /// For each new sample between two old ones, the weights of its neighbours.
    phases: Vec<Vec<f32>>,
    before: Vec<f32>,
}

impl Raise {
    pub fn by(factor: usize) -> Self {
        let phase = |phase: usize| {
            let taps =
                (0..=2 * REACH).map(|at| tap(phase as f64 / factor as f64 - (at as f64 - REACH as f64)));
            sums_to_one(taps.collect())
        };
        Self { phases: (0..factor).map(phase).collect(), before: vec![0.0; REACH] }
    }

    /// `ahead` is what will come next, as far as that is known.
    pub fn pass(&mut self, samples: &[f32], ahead: &[f32]) -> Vec<i16> {
        let mut all = std::mem::take(&mut self.before);
        all.extend_from_slice(samples);
        self.before.extend_from_slice(&all[all.len() - REACH..]);
        all.extend(ahead.iter().take(REACH));
        all.resize(2 * REACH + samples.len(), 0.0);
        let around = all.windows(2 * REACH + 1);
        around.flat_map(|around| self.phases.iter().map(|taps| weigh(around, taps))).collect()
    }
}

/// From a multiple of 8 kHz down to it.
#[derive(Debug)]
pub(crate) struct Lower {
    factor: usize,
    taps: Vec<f32>,
    /// The last samples, and the number of the first of them.
    kept: Vec<f32>,
    from: usize,
}

/// What the new samples make of the old ones and of themselves.
#[derive(Debug, PartialEq)]
pub(crate) struct Lowered {
    /// The last samples of before, now that their neighbours are known.
    pub amended: Vec<i16>,
    pub fresh: Vec<i16>,
}

impl Lower {
    pub fn by(factor: usize) -> Self {
        let reach = REACH * factor;
        let taps = (0..=2 * reach).map(|at| tap((at as f64 - reach as f64) / factor as f64)).collect();
        Self { factor, taps: sums_to_one(taps), kept: Vec::new(), from: 0 }
    }

    /// What comes next has nothing to do with what came before.
    pub fn forget(&mut self) {
        (self.kept, self.from) = (Vec::new(), 0);
    }

    pub fn pass(&mut self, samples: &[f32]) -> Lowered {
        let reach = REACH * self.factor;
        let before = self.from + self.kept.len();
        self.kept.extend_from_slice(samples);
        let after = before + samples.len();
        let middles = |from: usize, to: usize| {
            (from.div_ceil(self.factor)..to.div_ceil(self.factor)).map(|n| n * self.factor)
        };
        let lowered = Lowered {
            amended: middles(before.saturating_sub(reach), before).map(|middle| self.at(middle)).collect(),
            fresh: middles(before, after).map(|middle| self.at(middle)).collect(),
        };
        let old = self.kept.len().saturating_sub(2 * reach);
        self.kept.drain(..old);
        self.from += old;
        lowered
    }

    fn at(&self, middle: usize) -> i16 {
        let reach = REACH * self.factor;
        // The first tap lies on `middle - reach`, which may be before the beginning of everything.
        let skipped = (self.from + reach).saturating_sub(middle);
        let first = (middle + skipped).saturating_sub(self.from + reach);
        let around = self.kept.get(first..).unwrap_or_default();
        weigh(around, self.taps.get(skipped..).unwrap_or_default())
    }
}

/// The kernel at a distance in samples of 8 kHz.
fn tap(distance: f64) -> f64 {
    if distance.abs() > REACH as f64 {
        0.0
    } else {
        sinc(distance * CUTOFF) * window(distance / (REACH as f64 + 1.0))
    }
}

/// So that the level stays as it is.
fn sums_to_one(taps: Vec<f64>) -> Vec<f32> {
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| (tap / sum) as f32).collect()
}

fn weigh(samples: &[f32], taps: &[f32]) -> i16 {
    let sum: f32 = samples.iter().zip(taps).map(|(sample, tap)| sample * tap).sum();
    sum.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, rate: usize, samples: usize) -> Vec<f32> {
        let step = hertz * std::f64::consts::TAU / rate as f64;
        (0..samples).map(|at| ((at as f64 * step).sin() * 10_000.0) as f32).collect()
    }

    /// The largest difference away from the ends.
    fn off(one: &[i16], other: &[f32]) -> f32 {
        let inner = 3 * REACH..one.len() - 3 * REACH;
        inner.map(|at| (f32::from(one[at]) - other[at]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_raised_tone_is_the_same_tone_at_the_same_time_in_whatever_pieces_it_comes() {
        for factor in [2, 3] {
            for hertz in [200.0, 1000.0, 3000.0] {
                let (low, high) = (tone(hertz, 8000, 1600), tone(hertz, 8000 * factor, 1600 * factor));
                let mut raise = Raise::by(factor);
                let raised: Vec<i16> = low
                    .chunks(160)
                    .enumerate()
                    .flat_map(|(n, piece)| raise.pass(piece, &low[(n + 1) * 160..]))
                    .collect();
                assert_eq!(raised.len(), high.len());
                assert!(off(&raised, &high) < 60.0, "{factor} x, {hertz} Hz: off by {}", off(&raised, &high));
            }
        }
    }

    #[test]
    fn a_lowered_tone_is_the_same_tone_at_the_same_time_in_whatever_pieces_it_comes() {
        for factor in [2, 3] {
            for size in [320, 160, 1600, 7] {
                let (high, low) = (tone(1000.0, 8000 * factor, 4800), tone(1000.0, 8000, 4800 / factor));
                let (mut lower, mut lowered) = (Lower::by(factor), Vec::new());
                for piece in high.chunks(size) {
                    let Lowered { amended, fresh } = lower.pass(piece);
                    lowered.truncate(lowered.len() - amended.len());
                    lowered.extend([amended, fresh].concat());
                }
                assert_eq!(lowered.len(), low.len());
                assert!(off(&lowered, &low) < 20.0, "{factor} x in {size}: off by {}", off(&lowered, &low));
            }
        }
    }

    #[test]
    fn what_a_telephone_cannot_carry_is_gone() {
        let lowered = Lower::by(3).pass(&tone(6000.0, 24_000, 4800)).fresh;
        assert!(off(&lowered, &vec![0.0; 1600]) < 30.0);
    }

    #[test]
    fn after_forgetting_nothing_of_before_is_heard() {
        let mut lower = Lower::by(2);
        lower.pass(&tone(1000.0, 16_000, 320));
        lower.forget();
        assert_eq!(lower.pass(&[0.0; 4]), Lowered { amended: vec![], fresh: vec![0, 0] });
    }
}
