//! The sound of keys: two tones each, as a phone makes them.

use crate::ulaw;

/// µ-law of these keys, one after the other; `w` and `,` are pauses. Nothing when one of them is no key, or when
/// there are too many.
pub fn tones(keys: &str) -> Option<Vec<u8>> {
    if keys.is_empty() || keys.len() > MOST_KEYS {
        return None;
    }
    let mut sound = Vec::new();
    for key in keys.chars() {
        if matches!(key, 'w' | 'W' | ',') {
            sound.extend(std::iter::repeat_n(ulaw::SILENCE, PAUSE));
            continue;
        }
        let at = KEYS.iter().position(|known| *known == key.to_ascii_uppercase())?;
        let (low, high) = (LOW[at / 4], HIGH[at % 4]);
        let wave =
            |hertz: f64, i: usize| (std::f64::consts::TAU * hertz * i as f64 / f64::from(ulaw::RATE)).sin();
        sound.extend((0..TONE).map(|i| ulaw::encode((LOUDNESS * (wave(low, i) + wave(high, i))) as i16)));
        sound.extend(std::iter::repeat_n(ulaw::SILENCE, GAP));
    }
    Some(sound)
}

const KEYS: [char; 16] = ['1', '2', '3', 'A', '4', '5', '6', 'B', '7', '8', '9', 'C', '*', '0', '#', 'D'];
const LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

/// 120 ms, and 80 ms until the next: slow enough for every switchboard.
const TONE: usize = 960;
const GAP: usize = 640;

/// Half a second.
const PAUSE: usize = 4_000;

/// Each tone at a quarter of full scale.
const LOUDNESS: f64 = 8_000.0;

const MOST_KEYS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of this tone is in the sound.
    fn level(sound: &[u8], hertz: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (i, code) in sound.iter().enumerate() {
            let angle = std::f64::consts::TAU * hertz * i as f64 / 8_000.0;
            let sample = f64::from(ulaw::LINEAR[usize::from(*code)]);
            re += sample * angle.cos();
            im += sample * angle.sin();
        }
        2.0 * re.hypot(im) / sound.len() as f64
    }

    #[test]
    fn every_key_has_its_two_tones_and_no_other() {
        for (at, key) in KEYS.iter().enumerate() {
            let sound = tones(&key.to_string()).unwrap();
            assert_eq!(sound.len(), TONE + GAP);
            for (i, hertz) in LOW.iter().chain(&HIGH).enumerate() {
                let own = i == at / 4 || i == 4 + at % 4;
                let level = level(&sound[..TONE], *hertz);
                assert_eq!(level > 7_000.0, own, "{key}: {hertz} Hz at {level:.0}");
                assert!(own || level < 800.0, "{key}: {hertz} Hz at {level:.0}");
            }
        }
    }

    #[test]
    fn what_is_no_key_has_no_sound() {
        assert_eq!(tones("1w#").unwrap().len(), 2 * (TONE + GAP) + PAUSE);
        for keys in ["", "12x", "é", &"1".repeat(65)] {
            assert_eq!(tones(keys), None, "{keys:?}");
        }
    }
}
