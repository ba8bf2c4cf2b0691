//! Whether words and speech survive the wire of each carrier, in both directions and at the right place.
//!
//! What is on the wire is taken apart here by hand, from G.711 and the definition of linear samples.

use crate::{
    common::{LIMIT, decode},
    relay::{Call, Heard, at_once},
};
use sim::{
    phone::{Carrier, Law, PhoneEvent, Sound},
    ulaw,
    voice::speech,
};
use std::time::Duration;

/// G.711 A-law to 16 bit, as the standard writes it down.
fn from_alaw(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (segment, step) = (i32::from(byte >> 4 & 7), i32::from(byte & 0x0F));
    let size = match segment {
        0 => step * 16 + 8,
        _ => (step * 16 + 264) << (segment - 1),
    };
    if byte & 0x80 != 0 { size as i16 } else { -size as i16 }
}

/// The nearest A-law byte.
fn to_alaw(sample: i16) -> u8 {
    (0..=255).min_by_key(|byte| (i32::from(from_alaw(*byte)) - i32::from(sample)).abs()).unwrap()
}

fn samples(wire: &[u8], sound: Sound) -> Vec<i16> {
    match sound {
        Sound::G711(Law::Mu) => ulaw::decode_all(wire),
        Sound::G711(Law::A) => wire.iter().map(|byte| from_alaw(*byte)).collect(),
        Sound::Linear { .. } => wire.chunks(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect(),
    }
}

fn wire(samples: &[i16], sound: Sound) -> Vec<u8> {
    match sound {
        Sound::G711(Law::Mu) => ulaw::encode_all(samples),
        Sound::G711(Law::A) => samples.iter().map(|sample| to_alaw(*sample)).collect(),
        Sound::Linear { .. } => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
    }
}

/// A tone, sampled at the sound's own rate; it lasts whole frames at every rate.
fn tone(sound: Sound, ms: usize) -> Vec<i16> {
    let rate = sound.rate() as usize;
    let step = 700.0 * std::f64::consts::TAU / rate as f64;
    (0..rate * ms / 1000).map(|at| ((at as f64 * step).sin() * 9000.0) as i16).collect()
}

/// The energy of the difference as a share of the energy of `one`.
fn apart(one: &[i16], other: &[i16]) -> f64 {
    assert_eq!(one.len(), other.len());
    let energy: f64 = one.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    one.iter().zip(other).map(|(one, other)| (f64::from(*one) - f64::from(*other)).powi(2)).sum::<f64>()
        / energy
}

/// Nothing at all where every byte is kept, little elsewhere.
fn close_enough(sound: Sound) -> f64 {
    match sound {
        Sound::G711(Law::Mu) | Sound::Linear { rate: 8000 } => 1e-12,
        // Two quantisations, one after the other.
        Sound::G711(Law::A) => 0.001,
        // Messages that did not join would already be 0.000004.
        Sound::Linear { .. } => 0.000001,
    }
}

#[tokio::test]
async fn what_the_caller_says_is_on_the_wire_as_the_carrier_has_it() {
    at_once(Carrier::all(), |carrier| async move {
        let sound = carrier.sends();
        let mut call = Call::over(&carrier.to_string()).await;
        let said: Vec<u8> = ulaw::encode_all(&tone(Sound::G711(Law::Mu), 400));
        call.phone.say(said.clone());
        call.phone.said(LIMIT).await.unwrap();
        call.phone.hang_up();
        let mut all = Vec::new();
        loop {
            match call.next().await {
                Heard::Audio(audio) => all.extend(audio),
                Heard::Event(event) if event["event"] == "media" => {
                    all.extend(decode(event["media"]["payload"].as_str().unwrap()));
                }
                Heard::Event(_) => {}
                Heard::Over => break,
            }
        }
        // The recording tells in which frame the words began.
        let recording = call.phone.recording();
        let at = ulaw::find(&recording.caller, &said).unwrap();
        let factor = sound.rate() as usize / 8000;
        let expected = wire(&tone(sound, 400), sound);
        let found = &samples(&all, sound)[at * factor..];
        let expected = samples(&expected, sound);
        // µ-law was in between, and the first and last milliseconds ring.
        let inner = expected.len() / 10..expected.len() * 9 / 10;
        let off = apart(&expected[inner.clone()], &found[inner]);
        // µ-law's own noise is 0.00018; a frame that did not know the next would add to it at higher rates.
        let most = if sound.rate() > 8000 { 0.00019 } else { 0.0003 };
        assert!(off < most, "{carrier}: {off}");
    })
    .await;
}

#[tokio::test]
async fn what_the_relay_says_is_heard_where_it_was_played() {
    at_once(Carrier::all(), |carrier| async move {
        let sound = carrier.plays();
        let mut call = Call::over(&carrier.to_string()).await;
        let spoken = tone(sound, 600);
        call.speak(&wire(&spoken, sound)).await;
        let dry = |(_, event): &(_, PhoneEvent)| matches!(event, PhoneEvent::PlaybackRanDry { .. });
        call.phone.until(|phone| phone.events.iter().any(dry), LIMIT).await.unwrap();
        assert_eq!(call.violations(), Vec::<String>::new(), "{carrier}");
        let (played, bytes) = call.phone.look(|phone| (phone.played, phone.media_bytes));
        assert_eq!((played, bytes), (Duration::from_millis(600), 4800), "{carrier}");
        let at = call.phone.look(|phone| phone.playback_began.unwrap() - phone.began);
        let heard = ulaw::decode_all(&call.phone.recording().agent[ulaw::bytes_of(at)..]);
        let expected = ulaw::decode_all(&ulaw::encode_all(&tone(Sound::G711(Law::Mu), 600)));
        let inner = 200..4600;
        let off = apart(&expected[inner.clone()], &heard[inner.clone()]);
        assert!(off < close_enough(sound), "{carrier}: {off}");
        // A sample earlier or later would be worse by far.
        for late in [199..4599, 201..4601] {
            assert!(apart(&expected[inner.clone()], &heard[late]) > 0.1, "{carrier}");
        }
    })
    .await;
}

#[tokio::test]
async fn gaps_and_losses_take_20_ms_out_of_exotels_messages() {
    let mut call = Call::over("exotel").await;
    assert_eq!(call.audio().await.len(), 1600);
    call.phone.lose_frames(2);
    let mut lengths = Vec::new();
    for _ in 0..4 {
        lengths.push(call.audio().await.len());
    }
    let missing: usize = lengths.iter().map(|length| 1600 - length).sum();
    assert_eq!(missing, 2 * 320, "{lengths:?}");
}

#[tokio::test]
async fn speech_goes_a_whole_way_round_and_is_still_speech() {
    at_once(Carrier::all().filter(|carrier| carrier.sends() == carrier.plays()), |carrier| async move {
        let mut call = Call::over(&carrier.to_string()).await;
        let said = speech(Duration::from_secs(1), 4);
        call.phone.say(said.clone());
        let mut all = Vec::new();
        let end = carrier.sends().frame_bytes() * 60;
        while all.len() < end {
            all.extend(call.audio().await);
        }
        // All of it at once: messages in real time could leave a hole.
        let block = carrier.plays().frame_bytes() * 60;
        call.speak(&all[..block]).await;
        let dry = |(_, event): &(_, PhoneEvent)| matches!(event, PhoneEvent::PlaybackRanDry { .. });
        call.phone.until(|phone| phone.events.iter().any(dry), LIMIT).await.unwrap();
        assert_eq!(call.violations(), Vec::<String>::new(), "{carrier}");
        let recording = call.phone.recording();
        let began = call.phone.look(|phone| phone.playback_began.unwrap() - phone.began);
        let from = ulaw::find(&recording.caller, &said).unwrap();
        let heard = &recording.agent[ulaw::bytes_of(began) + from..][..said.len()];
        // 60 frames hold the second and what was silent before it.
        let off = apart(&ulaw::decode_all(&said), &ulaw::decode_all(heard));
        assert!(off < 0.01, "{carrier}: {off}");
    })
    .await;
}
