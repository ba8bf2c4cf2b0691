//! What goes wrong at carriers on bad days, and can be asked for.

use crate::{
    common::decode,
    relay::{Call, Heard},
};
use serde_json::{Value, json};
use sim::phone::{Carrier, Odd, PhoneOptions};

fn chunk(media: &Value) -> u64 {
    media["media"]["chunk"].as_str().unwrap().parse().unwrap()
}

/// The chunk numbers of the messages from the first until there are so many.
async fn chunks(call: &mut Call, count: usize) -> Vec<u64> {
    let mut found = Vec::new();
    while found.len() < count {
        found.push(chunk(&call.media().await));
    }
    found
}

#[tokio::test]
async fn frames_come_in_another_order() {
    let mut call = Call::over("telnyx").await;
    let mut found = chunks(&mut call, 2).await;
    call.phone.swap_frames(2);
    found.extend(chunks(&mut call, 12).await);
    let swapped: Vec<usize> = (0..found.len() - 1).filter(|at| found[*at] > found[at + 1]).collect();
    assert_eq!(swapped.len(), 2, "{found:?}");
    assert_eq!(swapped[1] - swapped[0], 2, "{found:?}");
    let mut sorted = found.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=14).collect::<Vec<u64>>(), "none was lost: {found:?}");
}

#[tokio::test]
async fn frames_come_twice() {
    let mut call = Call::over("telnyx").await;
    let mut found = chunks(&mut call, 2).await;
    call.phone.repeat_frames(3);
    found.extend(chunks(&mut call, 12).await);
    let twice = found.windows(2).filter(|two| two[0] == two[1]).count();
    found.dedup();
    assert_eq!((twice, found), (3, (1..=11).collect()));
}

#[tokio::test]
async fn what_gets_lost_on_the_way_has_used_up_its_number() {
    // Exotel's messages have five frames, so ten are one or two whole ones.
    for (carrier, number, lost) in [
        ("telnyx", "/media/chunk", 3),
        ("signalwire", "/media/chunk", 3),
        ("plivo", "/media/chunk", 3),
        ("exotel", "/sequence_number", 10),
    ] {
        let mut call = Call::over(carrier).await;
        let at = |media: &Value| -> u64 {
            let number = media.pointer(number).unwrap();
            number.as_u64().or_else(|| number.as_str()?.parse().ok()).unwrap()
        };
        let mut before = at(&call.media().await);
        call.phone.lose_frames(lost);
        let mut jump = 1;
        for _ in 0..50 {
            let now = at(&call.media().await);
            jump = jump.max(now - before);
            before = now;
            if jump > 1 {
                break;
            }
        }
        let expected = if carrier == "exotel" { 2..=3 } else { 4..=4 };
        assert!(expected.contains(&jump), "{carrier}: {jump}");
    }
}

#[tokio::test]
async fn a_frame_that_was_held_back_leaves_before_the_stop() {
    // After an odd number of frames one is held, after an even number none.
    for frames in 2..6 {
        let mut call = Call::over("telnyx").await;
        call.phone.swap_frames(1000);
        call.phone.until(|phone| phone.frames_sent >= frames, crate::common::LIMIT).await.unwrap();
        call.phone.hang_up();
        let mut found = Vec::new();
        while let Heard::Event(event) = call.next().await {
            found.push(event);
        }
        assert_eq!(found.pop().unwrap()["event"], "stop");
        let media = found.iter().filter(|event| event["event"] == "media");
        let mut numbers: Vec<u64> = media.map(chunk).collect();
        numbers.sort_unstable();
        let sent = call.phone.look(|phone| phone.frames_sent);
        assert_eq!(numbers, (1..=sent).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_encoding_that_nobody_knows_is_announced() {
    let table = [
        ("twilio", "/start/mediaFormat/encoding", "OPUS"),
        ("telnyx", "/start/media_format/encoding", "OPUS"),
        ("signalwire", "/start/mediaFormat/encoding", "OPUS"),
        ("plivo", "/start/mediaFormat/encoding", "OPUS"),
        ("exotel", "/start/media_format/encoding", "OPUS"),
        ("vonage", "/content-type", "OPUS;rate=16000"),
    ];
    for (carrier, path, expected) in table {
        let odd = Odd { encoding: Some("OPUS".to_owned()), ..Odd::default() };
        let mut call = Call::with(carrier, |options| PhoneOptions { odd, ..options }).await;
        let start = if carrier == "vonage" { "websocket:connected" } else { "start" };
        assert_eq!(call.event_named(start).await.pointer(path), Some(&json!(expected)), "{carrier}");
    }
}

#[tokio::test]
async fn a_rate_that_is_not_the_sounds_is_announced() {
    let table = [
        ("twilio", "/start/mediaFormat/sampleRate", json!(11_025)),
        ("telnyx", "/start/media_format/sample_rate", json!(11_025)),
        ("signalwire", "/start/mediaFormat/sampleRate", json!(11_025)),
        ("plivo", "/start/mediaFormat/sampleRate", json!(11_025)),
        ("exotel", "/start/media_format/sample_rate", json!("11025")),
        ("vonage", "/content-type", json!("audio/l16;rate=11025")),
    ];
    for (carrier, path, expected) in table {
        let odd = Odd { rate: Some(11_025), ..Odd::default() };
        let mut call = Call::with(carrier, |options| PhoneOptions { odd, ..options }).await;
        let start = if carrier == "vonage" { "websocket:connected" } else { "start" };
        assert_eq!(call.event_named(start).await.pointer(path), Some(&expected), "{carrier}");
    }
}

#[tokio::test]
async fn a_track_of_the_wrong_way_is_announced_and_sent() {
    for carrier in ["twilio", "telnyx", "signalwire", "plivo"] {
        let odd = Odd { tracks: vec!["outbound".to_owned()], ..Odd::default() };
        let mut call = Call::with(carrier, |options| PhoneOptions { odd, ..options }).await;
        if carrier != "telnyx" {
            assert_eq!(call.event_named("start").await["start"]["tracks"], json!(["outbound"]), "{carrier}");
        }
        assert_eq!(call.media().await["media"]["track"], "outbound", "{carrier}");
    }
}

#[tokio::test]
async fn a_codec_changes_in_mid_call() {
    let mut call = Call::over("telnyx").await;
    assert_eq!(call.audio().await, vec![0xFF; 160]);
    // The first start went by with the audio before it.
    call.phone.start_again(Carrier::parse("telnyx-pcma").unwrap());
    call.event_named("start").await;
    let media = call.media().await;
    assert_eq!(decode(media["media"]["payload"].as_str().unwrap()), vec![0xD5; 160]);

    let mut call = Call::over("telnyx").await;
    call.event_named("start").await;
    call.phone.start_again(Carrier::parse("telnyx-pcma").unwrap());
    let start = call.event_named("start").await;
    assert_eq!(start["start"]["media_format"]["encoding"], "PCMA");

    let mut call = Call::over("vonage").await;
    assert_eq!(call.audio().await.len(), 640);
    call.phone.start_again(Carrier::parse("vonage-8000").unwrap());
    call.event_named("websocket:connected").await;
    assert_eq!(call.audio().await.len(), 320);
}
