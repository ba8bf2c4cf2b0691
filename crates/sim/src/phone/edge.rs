//! Where does the phone's µ-law become what its carrier has on the wire, and back? Here, at its edge.
//!
//! Neither way moves the sound in time: both add 0 samples of delay, at 16 and 24 kHz as well (see `rates.rs`), so a
//! recording of one carrier lies on that of another. At 24 kHz a message may end within a sample of ours, which then
//! belongs to it. µ-law and linear 8 kHz keep every byte, but for 0x7F, µ-law's second zero, which linear makes 0xFF.

use super::{Law, Sound};
use crate::{
    alaw,
    rates::{Lower, Raise},
    ulaw,
};
use bytes::Bytes;

/// From the caller to the relay.
#[derive(Debug)]
pub(super) struct Mouth {
    sound: Sound,
    raise: Option<Raise>,
}

/// From the relay to the caller.
#[derive(Debug)]
pub(super) struct Ear {
    sound: Sound,
    lower: Option<Lower>,
}

/// µ-law that is to be played.
#[derive(Debug)]
pub(super) struct Heard {
    /// Better versions of the last samples of before.
    pub amended: Vec<u8>,
    pub audio: Bytes,
}

impl Mouth {
    pub fn new(sound: Sound) -> Self {
        Self { sound, raise: factor(sound).map(Raise::by) }
    }

    /// Appends `frame` to `wire`; `ahead` is what will be said next, as far as that is known.
    pub fn speak(&mut self, frame: &[u8], ahead: &[u8], wire: &mut Vec<u8>) {
        match (self.sound, &mut self.raise) {
            (Sound::G711(Law::Mu), _) => wire.extend_from_slice(frame),
            (Sound::G711(Law::A), _) => {
                wire.extend(frame.iter().map(|byte| alaw::encode(ulaw::decode(*byte))))
            }
            (Sound::Linear { .. }, None) => {
                wire.extend(frame.iter().flat_map(|byte| ulaw::decode(*byte).to_le_bytes()));
            }
            (Sound::Linear { .. }, Some(raise)) => {
                let floats = |bytes: &[u8]| -> Vec<f32> {
                    bytes.iter().map(|byte| ulaw::decode(*byte).into()).collect()
                };
                wire.extend(
                    raise.pass(&floats(frame), &floats(ahead)).into_iter().flat_map(i16::to_le_bytes),
                );
            }
        }
    }
}

impl Ear {
    pub fn new(sound: Sound) -> Self {
        Self { sound, lower: factor(sound).map(Lower::by) }
    }

    /// What comes next begins anew.
    pub fn forget(&mut self) {
        if let Some(lower) = &mut self.lower {
            lower.forget();
        }
    }

    pub fn hear(&mut self, wire: Vec<u8>) -> Heard {
        let whole = |audio: Vec<u8>| Heard { amended: Vec::new(), audio: audio.into() };
        match (self.sound, &mut self.lower) {
            (Sound::G711(Law::Mu), _) => whole(wire),
            (Sound::G711(Law::A), _) => {
                whole(wire.iter().map(|byte| ulaw::encode(alaw::decode(*byte))).collect())
            }
            (Sound::Linear { .. }, None) => whole(samples(&wire).map(ulaw::encode).collect()),
            (Sound::Linear { .. }, Some(lower)) => {
                let lowered = lower.pass(&samples(&wire).map(f32::from).collect::<Vec<_>>());
                Heard {
                    amended: ulaw::encode_all(&lowered.amended),
                    audio: ulaw::encode_all(&lowered.fresh).into(),
                }
            }
        }
    }
}

fn samples(wire: &[u8]) -> impl Iterator<Item = i16> {
    wire.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]]))
}

/// How many times 8 kHz it is, if that is not once.
fn factor(sound: Sound) -> Option<usize> {
    Some(sound.rate() as usize / 8000).filter(|factor| *factor > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::speech;
    use std::time::Duration;

    /// There and back, in frames of 20 ms.
    fn detour(sound: Sound, said: &[u8]) -> Vec<u8> {
        let (mut mouth, mut ear, mut heard) = (Mouth::new(sound), Ear::new(sound), Vec::new());
        for (n, frame) in said.chunks(ulaw::FRAME).enumerate() {
            let mut wire = Vec::new();
            mouth.speak(frame, said.get((n + 1) * ulaw::FRAME..).unwrap_or_default(), &mut wire);
            assert_eq!(wire.len(), sound.frame_bytes());
            let Heard { amended, audio } = ear.hear(wire);
            heard.truncate(heard.len() - amended.len());
            heard.extend(amended);
            heard.extend_from_slice(&audio);
        }
        heard
    }

    #[test]
    fn a_detour_keeps_every_byte_or_at_least_the_sound_and_its_place() {
        let said = speech(Duration::from_secs(1), 7);
        let second_zero = |bytes: &[u8]| -> Vec<u8> {
            bytes.iter().map(|byte| if *byte == 0x7F { 0xFF } else { *byte }).collect()
        };
        assert_eq!(detour(Sound::G711(Law::Mu), &said), said);
        assert_eq!(detour(Sound::Linear { rate: 8000 }, &said), second_zero(&said));
        for sound in [Sound::G711(Law::A), Sound::Linear { rate: 16_000 }, Sound::Linear { rate: 24_000 }] {
            let heard = detour(sound, &said);
            let off: f64 = difference(&said, &heard, 0);
            // A hundredth of the energy is 20 dB below; the filters take what lies over 3.7 kHz.
            assert!(off < 0.01, "{sound:?}: {off}");
            assert!(difference(&said, &heard, 1) > 4.0 * off, "{sound:?} is early or late");
        }
    }

    /// The energy of the difference, as a share, with `heard` moved by so many samples.
    fn difference(said: &[u8], heard: &[u8], by: usize) -> f64 {
        let energy = |samples: &mut dyn Iterator<Item = i32>| -> f64 {
            samples.map(|one| f64::from(one).powi(2)).sum()
        };
        let decoded = |byte: &u8| i32::from(ulaw::decode(*byte));
        let mut apart = said.iter().zip(&heard[by..]).map(|(one, other)| decoded(one) - decoded(other));
        energy(&mut apart) / energy(&mut said.iter().map(decoded))
    }
}
