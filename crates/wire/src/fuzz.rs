//! What the fuzz targets run, here so that ordinary tests run it over the corpus as well.
//!
//! Each takes messages, one per line: a state that only a few messages in a row can reach is reached too.
//! What has to hold is checked with a panic, and nothing else may panic.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use call::{
    Audio, CarrierCommand, CarrierEvent, ItemId, LegCommand, LegEvent, MarkId, ReplyId, Turns,
    cascade::{AskId, EarCommand, EarEvent, MindEvent, MouthCommand, MouthEvent},
};
use serde::de::IgnoredAny;

use crate::{
    Ear, Mouth,
    carrier::{CARRIERS, Carrier, Line, Written},
    chat::{self, Answer},
    deepgram, elevenlabs,
    openai::{self, Session, Setup},
    protocol::{Frame, Protocol},
    twilio::Twilio,
};

/// Whatever was read, what is then written is JSON, and audio that is passed on reads as the same audio.
pub fn twilio(lines: &[u8]) {
    let mut line = Twilio::new();
    let mut out = BytesMut::new();
    for text in messages(lines) {
        let event = line.read(&text);
        if let Some(CarrierEvent::Audio { audio, .. }) = event {
            assert_eq!(line.write(&CarrierCommand::Play(audio.clone()), &mut out), Written::Text);
            let again = line.read(&out.split().freeze());
            assert_eq!(again, Some(CarrierEvent::Audio { at: None, audio }));
        }
        commands(&mut line, &mut out);
    }
}

/// The same for every carrier. A line that begins with a zero byte is a binary message.
pub fn carriers(lines: &[u8]) {
    for Carrier { name, line, .. } in &CARRIERS {
        let (mut line, mut out, mut heard) = (line(), BytesMut::new(), 0);
        for message in messages(lines) {
            let first = match message.split_first() {
                Some((0, rest)) => line.read_binary(&message.slice_ref(rest)),
                _ => line.read(&message),
            };
            for event in first.into_iter().chain(std::iter::from_fn(|| line.more())).collect::<Vec<_>>() {
                let CarrierEvent::Audio { audio, .. } = event else { continue };
                assert!(!audio.is_empty() && audio.duration() <= Duration::from_secs(1), "{name}: {audio:?}");
                heard += audio.len();
                match line.write(&CarrierCommand::Play(audio), &mut out) {
                    Written::Nothing => panic!("{name} was heard before it could be spoken to"),
                    Written::Text => is_json(&out.split()),
                    Written::Binary { each } => assert!(out.split().len().is_multiple_of(each)),
                }
            }
            commands(&mut *line, &mut out);
        }
        assert!(heard <= 3 * lines.len(), "{name}: sound out of nothing");
    }
}

fn commands(line: &mut dyn Line, out: &mut BytesMut) {
    for command in [CarrierCommand::Mark(MarkId(7)), CarrierCommand::Clear] {
        match line.write(&command, out) {
            Written::Nothing => {}
            Written::Text => is_json(&out.split()),
            Written::Binary { .. } => panic!("{command:?} is no sound"),
        }
    }
}

/// Whatever was read, a failure is the last word, and what is sent in between is JSON. The first byte of a
/// line, when it is a digit, is a command of the call.
pub fn openai(lines: &[u8]) {
    let mut session = Session::new(Setup::default());
    let mut failed = false;
    for text in messages(lines) {
        match text.first().and_then(|first| command(*first)) {
            Some(command) => session.obey(command),
            None => session.read(&text),
        }
        while let Some(event) = session.poll_event() {
            assert!(!failed, "{event:?} after the failure");
            failed = matches!(event, LegEvent::Failed(_));
        }
        while let Some(frame) = session.poll_frame() {
            match frame {
                Frame::Control(text) | Frame::InOrder(text) | Frame::Audio { text, .. } => is_json(&text),
                Frame::Sound { .. } | Frame::Goodbye(_) | Frame::Ping | Frame::Close => {}
            }
        }
    }
    openai::refused(400, lines);
    Session::new(Setup::default()).closed(Some(4000), &String::from_utf8_lossy(lines));
}

/// Whatever Deepgram sends, a failure is the last word and what we send is JSON; whatever a model streams, in
/// whatever pieces, its answer ends at most once.
pub fn cascade(lines: &[u8]) {
    let mut ears = [
        Ear::Flux(deepgram::Flux::default()),
        Ear::Nova(deepgram::Nova::default()),
        Ear::Scribe(elevenlabs::Scribe::default()),
    ];
    let mut mouths = [
        Mouth::Aura(deepgram::Aura::default()),
        Mouth::Flux(deepgram::FluxVoice::default()),
        Mouth::ElevenLabs(elevenlabs::Multi::new(&elevenlabs::MultiSetup::default())),
    ];
    for text in messages(lines) {
        for ear in &mut ears {
            match text.first() {
                Some(b'0') => ear.obey(EarCommand::Hear(Audio::ulaw(&[7; 160]))),
                Some(b'1') => ear.obey(EarCommand::EndTurn),
                Some(b'2') => ear.obey(EarCommand::Close),
                _ => ear.read(&text),
            }
            drain(ear, |event| matches!(event, EarEvent::Failed(_)));
        }
        let reply = ReplyId(1);
        for mouth in &mut mouths {
            match text.first() {
                Some(b'0') => mouth.obey(MouthCommand::Say { reply, words: "Hello \"you\"".into() }),
                Some(b'1') => mouth.obey(MouthCommand::Finish(reply)),
                Some(b'2') => mouth.obey(MouthCommand::Stop { reply, heard: None }),
                Some(b'3') => mouth.read_binary(&text),
                _ => mouth.read(&text),
            }
            drain(mouth, |event| matches!(event, MouthEvent::Failed(_)));
        }
    }
    elevenlabs::refused(401, lines);
    deepgram::refused(400, lines);
    chat::refused("groq", 429, None, lines);
    let pieces = 1 + lines.first().map_or(0, |byte| usize::from(*byte));
    let mut answer = Answer::new("groq", AskId(1));
    let mut ends = 0;
    let all = lines.chunks(pieces).flat_map(|piece| answer.read(piece)).collect::<Vec<_>>();
    for event in all.into_iter().chain(answer.ended(false)) {
        assert_eq!(ends, 0, "{event:?} after the end");
        ends += usize::from(matches!(event, MindEvent::Done { .. } | MindEvent::Failed { .. }));
    }
    assert_eq!(ends, 1);
}

fn drain<P: Protocol<Event: std::fmt::Debug>>(session: &mut P, is_last: impl Fn(&P::Event) -> bool) {
    let mut failed = false;
    while let Some(event) = session.poll_event() {
        assert!(!failed, "{event:?} after the failure");
        failed = is_last(&event);
    }
    while let Some(frame) = session.poll_frame() {
        match frame {
            Frame::Control(text)
            | Frame::InOrder(text)
            | Frame::Goodbye(text)
            | Frame::Audio { text, .. } => is_json(&text),
            Frame::Sound { .. } | Frame::Ping | Frame::Close => {}
        }
    }
}

fn command(digit: u8) -> Option<LegCommand> {
    Some(match digit {
        b'0' => LegCommand::Hear(Audio::ulaw(&[7; 160])),
        b'1' => LegCommand::Say(call::Say { text: "Hello \"you\"".into() }),
        b'2' => LegCommand::Reply,
        b'3' => LegCommand::Cancel,
        b'4' => LegCommand::Truncate { item: ItemId(1), heard: std::time::Duration::from_millis(5) },
        b'5' => LegCommand::Forget { item: ItemId(2) },
        b'6' => LegCommand::TakeTurns(Turns::Live),
        b'7' => LegCommand::TakeTurns(Turns::Held),
        b'8' => LegCommand::Ping,
        b'9' => LegCommand::Close,
        _ => return None,
    })
}

fn messages(lines: &[u8]) -> impl Iterator<Item = Bytes> {
    lines.split(|byte| *byte == b'\n').map(Bytes::copy_from_slice)
}

fn is_json(text: &[u8]) {
    serde_json::from_slice::<IgnoredAny>(text).expect("what we write is JSON");
}
