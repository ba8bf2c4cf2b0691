//! Does a voice survive the way to a carrier that does not speak µ-law, and back? Measured against SoX, in dB.
//!
//! `checks/sounds` makes the references anew. Each file is one second of the pretend phone's voice.

use std::{fs, path::PathBuf, time::Duration};

use bytes::BytesMut;
use call::{Audio, ulaw};
use wire::sound::{Codec, Inward, Outward, Rate};

/// What carriers may do to a voice, and what a caller would not notice: the telephone's own µ-law leaves 37 dB.
const AT_LEAST: f64 = 30.0;

const CODECS: [(Codec, &str); 4] = [
    (Codec::Alaw, "voice.alaw"),
    (Codec::Linear(Rate::Khz8), "voice-8000.s16"),
    (Codec::Linear(Rate::Khz16), "voice-16000.s16"),
    (Codec::Linear(Rate::Khz24), "voice-24000.s16"),
];

fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/sound", name].iter().collect()
}

fn read(name: &str) -> Vec<u8> {
    fs::read(file(name)).unwrap()
}

/// Samples, however they are written.
fn samples(codec: Codec, bytes: &[u8]) -> Vec<f64> {
    let of = |sample: i16| f64::from(sample);
    match codec {
        Codec::Ulaw => bytes.iter().map(|code| of(ulaw::LINEAR[usize::from(*code)])).collect(),
        Codec::Alaw => bytes.iter().map(|code| of(wire::sound::alaw::LINEAR[usize::from(*code)])).collect(),
        Codec::Linear(_) => {
            bytes.chunks_exact(2).map(|two| of(i16::from_le_bytes([two[0], two[1]]))).collect()
        }
    }
}

/// The voice against everything that is not it, in dB, when it came `late` samples later.
fn signal_to_noise(voice: &[f64], other: &[f64], late: usize) -> f64 {
    let energy = |samples: &mut dyn Iterator<Item = f64>| samples.map(|sample| sample * sample).sum::<f64>();
    let noise = energy(&mut voice.iter().zip(&other[late..]).map(|(one, other)| one - other));
    let signal = energy(&mut voice.iter().take(other.len() - late).copied());
    10.0 * (signal / noise.max(1e-9)).log10()
}

/// In frames of 20 ms, as it goes in a call.
fn outward(codec: Codec, voice: &[u8]) -> (Vec<u8>, usize) {
    let (mut outward, mut out) = (Outward::new(codec), BytesMut::new());
    voice.chunks(160).for_each(|frame| outward.say(&Audio::ulaw(frame), &mut out));
    (out.to_vec(), late(outward.lag()))
}

fn inward(codec: Codec, sound: &[u8]) -> (Vec<u8>, usize) {
    let mut inward = Inward::new(codec);
    let frames = sound.chunks(160 * codec.bytes_for_one());
    (frames.flat_map(|frame| inward.hear(frame).decode()).collect(), late(inward.lag()))
}

/// In samples at 8 kHz.
fn late(lag: Duration) -> usize {
    assert!(lag < Duration::from_millis(5), "{lag:?}");
    ulaw::bytes(lag) as usize
}

fn times(codec: Codec) -> usize {
    match codec {
        Codec::Ulaw | Codec::Alaw => 1,
        Codec::Linear(rate) => rate.times(),
    }
}

#[test]
fn the_reference_is_the_pretend_phones_voice() {
    let voice = sim::voice::speech(Duration::from_secs(1), 7);
    if std::env::var_os("WRITE_VOICE").is_some() {
        fs::write(file("voice.ulaw"), &voice).unwrap();
    }
    assert!(read("voice.ulaw") == voice, "run checks/sounds");
}

#[test]
fn what_the_carrier_gets_is_what_sox_would_have_sent() {
    let voice = read("voice.ulaw");
    for (codec, name) in CODECS {
        let (ours, late) = outward(codec, &voice);
        let snr = signal_to_noise(&samples(codec, &read(name)), &samples(codec, &ours), late * times(codec));
        println!("to {codec:?}: {snr:.1} dB");
        assert!(snr > AT_LEAST, "{codec:?}: {snr} dB");
    }
}

#[test]
fn what_a_carrier_sends_is_heard_as_it_was_said() {
    let voice = read("voice.ulaw");
    for (codec, name) in CODECS {
        let (heard, late) = inward(codec, &read(name));
        let snr = signal_to_noise(&samples(Codec::Ulaw, &voice), &samples(Codec::Ulaw, &heard), late);
        println!("from {codec:?}: {snr:.1} dB");
        assert!(snr > AT_LEAST, "{codec:?}: {snr} dB");
    }
}

#[test]
fn a_voice_survives_the_way_there_and_back() {
    let voice = read("voice.ulaw");
    for (codec, _) in CODECS {
        let (there, late) = outward(codec, &voice);
        let (back, later) = inward(codec, &there);
        let snr = signal_to_noise(&samples(Codec::Ulaw, &voice), &samples(Codec::Ulaw, &back), late + later);
        println!("to {codec:?} and back: {snr:.1} dB");
        assert!(snr > AT_LEAST, "{codec:?}: {snr} dB");
    }
}
