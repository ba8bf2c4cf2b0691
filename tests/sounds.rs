//! The pretend phone's voice is one that a real voice detector takes for a voice.

use std::time::Duration;

use call::voice::{Change, Voice};

#[test]
fn the_detector_hears_the_pretend_callers_words_and_pauses() {
    let mut voice = Voice::new(Duration::from_millis(500));
    let quiet = vec![0xff_u8; 8_000];
    let words = sim::voice::speech(Duration::from_secs(2), 7);
    let mut changes = Vec::new();
    for frame in [&quiet[..], &words, &quiet].concat().chunks(160).enumerate() {
        if let Some(change) = voice.hear(frame.1) {
            changes.push((change, frame.0 * 20));
        }
    }
    println!("{changes:?}");
    let [(Change::Started, started), (Change::Stopped, stopped)] = changes[..] else { panic!("{changes:?}") };
    assert!((1_000..1_300).contains(&started), "started at {started} ms");
    assert!((3_300..3_800).contains(&stopped), "stopped at {stopped} ms");
}
