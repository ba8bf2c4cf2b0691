//! Two or three times as many samples in a second, or so many fewer.
//!
//! A windowed sinc in polyphase form: of the samples in between only those are computed that are wanted, and of the
//! zeros in between none is multiplied. Everything above the narrow band's edge is left out, going up as an image,
//! going down before it folds. The delay is half the filter, and the same for every pitch.

use std::{f64::consts::PI, sync::LazyLock, time::Duration};

/// One stream's way through a filter.
#[derive(Debug)]
pub(super) struct Filter {
    shape: &'static Shape,
    /// The samples that the next one is made of, oldest first, and behind them what has just come.
    line: Vec<f32>,
    /// So many samples more before one comes out.
    skip: usize,
}

#[derive(Debug)]
struct Shape {
    /// For each sample that comes out between two that went in: the weights of the last ones that went in.
    phases: Vec<Vec<f32>>,
    /// Of so many that went in one is looked at.
    every: usize,
    lag: Duration,
}

impl Filter {
    pub fn up2() -> Self {
        static SHAPE: LazyLock<Shape> = LazyLock::new(|| Shape::up(2));
        Self::new(&SHAPE)
    }

    pub fn up3() -> Self {
        static SHAPE: LazyLock<Shape> = LazyLock::new(|| Shape::up(3));
        Self::new(&SHAPE)
    }

    pub fn down2() -> Self {
        static SHAPE: LazyLock<Shape> = LazyLock::new(|| Shape::down(2));
        Self::new(&SHAPE)
    }

    pub fn down3() -> Self {
        static SHAPE: LazyLock<Shape> = LazyLock::new(|| Shape::down(3));
        Self::new(&SHAPE)
    }

    fn new(shape: &'static Shape) -> Self {
        let mut filter = Self { shape, line: Vec::new(), skip: 0 };
        filter.begin_anew();
        filter
    }

    pub fn lag(&self) -> Duration {
        self.shape.lag
    }

    /// There was silence before what comes next.
    pub fn begin_anew(&mut self) {
        self.line.clear();
        self.line.resize(self.shape.phases[0].len() - 1, 0.0);
        self.skip = 0;
    }

    /// Appends what comes out.
    pub fn run(&mut self, samples: impl Iterator<Item = i16>, out: &mut Vec<i16>) {
        let Shape { phases, every, .. } = self.shape;
        self.line.extend(samples.map(f32::from));
        let taps = phases[0].len();
        let mut at = self.skip;
        while at + taps <= self.line.len() {
            let past = &self.line[at..at + taps];
            out.extend(phases.iter().map(|phase| weighed(phase, past).round() as i16)); // `as` saturates
            at += every;
        }
        // What the next sample is made of stays; when it lies ahead, so many are skipped then.
        let kept = (self.line.len() + 1).saturating_sub(taps).min(at);
        self.line.drain(..kept);
        self.skip = at - kept;
    }
}

/// In eight sums side by side, so that the processor adds them side by side as well.
fn weighed(weights: &[f32], samples: &[f32]) -> f32 {
    let (mut sums, mut rest) = ([0.0_f32; 8], 0.0);
    let (weight_eights, sample_eights) = (weights.chunks_exact(8), samples.chunks_exact(8));
    for (weight, sample) in weight_eights.remainder().iter().zip(sample_eights.remainder()) {
        rest += weight * sample;
    }
    for (weights, samples) in weight_eights.zip(sample_eights) {
        for ((sum, weight), sample) in sums.iter_mut().zip(weights).zip(samples) {
            *sum += weight * sample;
        }
    }
    sums.iter().sum::<f32>() + rest
}

impl Shape {
    fn up(times: usize) -> Self {
        let weights = sinc(times, UP * times);
        let taps = weights.len().div_ceil(times);
        let phase = |phase: usize| {
            let of_phase = |tap: usize| weights.get(phase + tap * times).copied().unwrap_or(0.0);
            (0..taps).rev().map(|tap| (of_phase(tap) * times as f64) as f32).collect()
        };
        Self { phases: (0..times).map(phase).collect(), every: 1, lag: lag(UP) }
    }

    fn down(times: usize) -> Self {
        let weights = sinc(times, DOWN * times);
        Self {
            phases: vec![weights.into_iter().map(|weight| weight as f32).collect()],
            every: times,
            lag: lag(DOWN),
        }
    }
}

/// Half of a filter, in samples at 8 kHz.
fn lag(samples: usize) -> Duration {
    call::ulaw::duration(samples as u64)
}

/// A low-pass of `2 * half + 1` weights that add up to one, for a rate of `times` 8 kHz.
fn sinc(times: usize, half: usize) -> Vec<f64> {
    let edge = EDGE / times as f64; // a part of half the higher rate
    let weight = |at: usize| {
        let x = at as f64 - half as f64;
        let ideal = if at == half { edge } else { (PI * edge * x).sin() / (PI * x) };
        let round = 1.0 - (x / half as f64).powi(2);
        ideal * bessel(BETA * round.max(0.0).sqrt()) / bessel(BETA)
    };
    let weights: Vec<f64> = (0..=2 * half).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// The modified Bessel function of the first kind and order zero, of which Kaiser's window is made.
fn bessel(x: f64) -> f64 {
    let terms = (1..40).scan(1.0, |term, n| {
        *term *= (x / (2.0 * f64::from(n))).powi(2);
        Some(*term)
    });
    1.0 + terms.sum::<f64>()
}

/// Half a filter in samples at 8 kHz: 1.5 ms for the way up, 2 ms for the way down, where what is left of an upper
/// tone folds into the speech.
const UP: usize = 12;
const DOWN: usize = 16;

/// Where the band ends, as a part of 4 kHz: a telephone's ends at 3.4.
const EDGE: f64 = 0.93;

/// Kaiser's parameter: what is left outside of the band is 70 dB down.
const BETA: f64 = 7.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: f64, pitch: f64, samples: usize) -> Vec<i16> {
        (0..samples).map(|at| ((at as f64 / rate * pitch * 2.0 * PI).sin() * 10_000.0) as i16).collect()
    }

    fn run(mut filter: Filter, samples: &[i16], piece: usize) -> Vec<i16> {
        let mut out = Vec::new();
        samples.chunks(piece).for_each(|piece| filter.run(piece.iter().copied(), &mut out));
        out
    }

    /// How loud it is, in dB against a tone of [`tone`], once the filter is full.
    fn level(samples: &[i16]) -> f64 {
        let middle = &samples[200..samples.len() - 200];
        let power = middle.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / middle.len() as f64;
        10.0 * (power / (10_000.0_f64.powi(2) / 2.0)).max(1e-12).log10()
    }

    #[test]
    fn the_size_of_the_pieces_changes_nothing() {
        for (filter, rate) in [
            (Filter::up2 as fn() -> Filter, 8_000.0),
            (Filter::up3, 8_000.0),
            (Filter::down2, 16_000.0),
            (Filter::down3, 24_000.0),
        ] {
            let samples = tone(rate, 700.0, 4_801);
            let whole = run(filter(), &samples, samples.len());
            for piece in [1, 2, 3, 7, 160, 481] {
                assert_eq!(run(filter(), &samples, piece), whole, "{piece}");
            }
        }
    }

    #[test]
    fn each_sample_that_goes_in_comes_out_as_many_times_as_there_are_more_of_them() {
        assert_eq!(run(Filter::up2(), &[0; 160], 160).len(), 320);
        assert_eq!(run(Filter::up3(), &[0; 160], 160).len(), 480);
        assert_eq!(run(Filter::down2(), &[0; 320], 320).len(), 160);
        assert_eq!(run(Filter::down3(), &[0; 480], 480).len(), 160);
    }

    #[test]
    fn a_voice_passes_and_what_would_fold_into_it_does_not() {
        for (filter, rate) in [(Filter::down2 as fn() -> Filter, 16_000.0), (Filter::down3, 24_000.0)] {
            for (pitch, at_least) in [(300.0, -0.1), (1_000.0, -0.1), (3_000.0, -0.3), (3_400.0, -1.5)] {
                let through = level(&run(filter(), &tone(rate, pitch, 8_000), 320));
                assert!((at_least..0.1).contains(&through), "{pitch} Hz at {rate}: {through} dB");
            }
            for pitch in [4_600.0, 5_000.0, 6_000.0, 7_500.0] {
                let through = level(&run(filter(), &tone(rate, pitch, 8_000), 320));
                assert!(through < -60.0, "{pitch} Hz at {rate}: {through} dB");
            }
        }
    }

    #[test]
    fn a_click_comes_out_where_the_lag_says() {
        let mut click = vec![0_i16; 100];
        click[40] = 10_000;
        let loudest = |samples: &[i16]| samples.iter().enumerate().max_by_key(|(_, s)| s.abs()).unwrap().0;
        for (filter, times) in [(Filter::up2 as fn() -> Filter, 2), (Filter::up3, 3)] {
            let samples = filter().lag().as_micros() as usize / 125;
            assert_eq!(loudest(&run(filter(), &click, 100)), (40 + samples) * times);
        }
        for (filter, times) in [(Filter::down2 as fn() -> Filter, 2), (Filter::down3, 3)] {
            let samples = filter().lag().as_micros() as usize / 125;
            let mut click = vec![0_i16; 100 * times];
            click[40 * times] = 10_000;
            assert_eq!(loudest(&run(filter(), &click, 100)), 40 + samples);
        }
    }

    #[test]
    fn it_lags_by_less_than_five_milliseconds() {
        for filter in [Filter::up2(), Filter::up3(), Filter::down2(), Filter::down3()] {
            assert!(filter.lag() < Duration::from_millis(5));
        }
    }
}
