//! How does a recording of any rate become 8 kHz? By a windowed sinc, low-passed below the new half rate.
//!
//! Without the low pass everything above 4 kHz would fold back as noise. Any ratio goes, as recordings have any rate; for
//! the rates of live calls see `rates.rs`.

/// Zero crossings on each side of the kernel's centre; 16 keep the stop band under -60 dB.
const CROSSINGS: f64 = 16.0;

pub(crate) fn to_8_khz(samples: &[f32], rate: u32) -> Vec<f32> {
    if rate == 8000 || samples.is_empty() {
        return samples.to_vec();
    }
    let step = f64::from(rate) / 8000.0;
    // Relative to the input's rate; 0.92 leaves room for the filter's slope.
    let cutoff = 0.92 * (1.0 / step).min(1.0);
    let reach = (CROSSINGS / cutoff).ceil() as isize;
    let count = (samples.len() as f64 / step).floor() as usize;
    (0..count)
        .map(|out| {
            let centre = out as f64 * step;
            let middle = centre.floor() as isize;
            let (mut sum, mut weight) = (0.0, 0.0);
            for at in middle - reach..=middle + reach {
                let distance = at as f64 - centre;
                let tap = sinc(distance * cutoff) * window(distance / (reach as f64 + 1.0));
                weight += tap;
                if let Some(sample) = usize::try_from(at).ok().and_then(|at| samples.get(at)) {
                    sum += f64::from(*sample) * tap;
                }
            }
            (sum / weight) as f32
        })
        .collect()
}

pub(crate) fn sinc(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle }
}

/// Blackman, on -1 to 1.
pub(crate) fn window(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    0.42 + 0.5 * angle.cos() + 0.08 * (2.0 * angle).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, rate: u32) -> Vec<f32> {
        let step = hertz * std::f64::consts::TAU / f64::from(rate);
        (0..rate as usize).map(|at| (at as f64 * step).sin() as f32).collect()
    }

    fn level(samples: &[f32]) -> f64 {
        let inner = &samples[400..samples.len() - 400];
        (inner.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / inner.len() as f64).sqrt()
    }

    #[test]
    fn what_a_telephone_carries_keeps_its_level_at_every_rate() {
        for rate in [8000, 16_000, 24_000, 44_100, 48_000] {
            let out = to_8_khz(&tone(1000.0, rate), rate);
            assert!((out.len() as i64 - 8000).abs() <= 1, "{rate}: {} samples", out.len());
            assert!((level(&out) - 0.707).abs() < 0.02, "{rate}: level {}", level(&out));
        }
    }

    #[test]
    fn what_a_telephone_cannot_carry_does_not_fold_back() {
        for rate in [16_000, 24_000, 44_100, 48_000] {
            let out = to_8_khz(&tone(6000.0, rate), rate);
            assert!(level(&out) < 0.01, "{rate}: alias of level {}", level(&out));
        }
    }
}
