//! What converting a carrier's sound costs: `cargo bench -p patchcord-wire --bench convert`. Delay, and time per frame of 20 ms each way.
//! Nothing is asserted here; the first row is what a carrier costs that speaks µ-law.

use std::{hint::black_box, time::Instant};

use bytes::BytesMut;
use call::Audio;
use wire::sound::{Codec, Inward, Outward, Rate};

const FRAMES: u32 = 200_000;

fn main() {
    println!("{:<22}{:>12}{:>14}{:>12}{:>14}", "", "in, delay", "µs a frame", "out, delay", "µs a frame");
    let ulaw: Vec<u8> = (0..160_u32).map(|at| (at * 37 % 251) as u8).collect();
    let audio = Audio::ulaw(&ulaw);
    let text = bytes::Bytes::copy_from_slice(audio.text_bytes());
    let untouched = micros(|| {
        black_box(Audio::base64(black_box(text.clone())).is_ok());
    });
    let mut out = BytesMut::with_capacity(1_024);
    let copied = micros(|| {
        out.clear();
        out.extend_from_slice(black_box(&audio).text_bytes());
    });
    println!("{:<22}{:>12}{untouched:>14.2}{:>12}{copied:>14.2}", "µ-law, untouched", "0 ms", "0 ms");
    for (name, codec) in [
        ("A-law", Codec::Alaw),
        ("linear, 8 kHz", Codec::Linear(Rate::Khz8)),
        ("linear, 16 kHz", Codec::Linear(Rate::Khz16)),
        ("linear, 24 kHz", Codec::Linear(Rate::Khz24)),
    ] {
        let (mut inward, mut outward) = (Inward::new(codec), Outward::new(codec));
        outward.say(&audio, &mut out);
        let sound = vec![0x25_u8; 160 * codec.bytes_for_one()];
        let heard = micros(|| {
            black_box(inward.hear(black_box(&sound)));
        });
        let said = micros(|| {
            out.clear();
            outward.say(black_box(&audio), &mut out);
        });
        let delay = |lag: std::time::Duration| format!("{} ms", lag.as_secs_f64() * 1_000.0);
        let (later, late) = (delay(inward.lag()), delay(outward.lag()));
        println!("{name:<22}{later:>12}{heard:>14.2}{late:>12}{said:>14.2}");
    }
}

fn micros(mut frame: impl FnMut()) -> f64 {
    (0..FRAMES / 10).for_each(|_| frame());
    let began = Instant::now();
    (0..FRAMES).for_each(|_| frame());
    began.elapsed().as_secs_f64() * 1e6 / f64::from(FRAMES)
}
