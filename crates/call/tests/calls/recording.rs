//! A recorded call, beside a phone that knows to the sample what it said and played.
//!
//! Phone and call talk over a line that takes a while each way. The recording must hold the same samples at
//! the same places: in this world no clock runs apart and nothing trembles, so nothing is allowed for.

use std::{collections::VecDeque, time::Duration};

use call::*;
use proptest::prelude::*;

use crate::scene::{Scene, frame};

/// What happens on the leg's side, and when.
#[derive(Clone, Debug)]
struct Event {
    at: u64,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// So many ms of speech come at once.
    Speech(u64),
    /// The caller talks over it.
    BargeIn,
}

/// Its steps are milliseconds; the sound of each sample tells it from its neighbours.
struct Phone {
    queue: VecDeque<Queued>,
    said: Vec<u8>,
    played: Vec<u8>,
}

enum Queued {
    Sound(u8),
    Mark(MarkId),
}

impl Phone {
    /// A millisecond of playing; returns the marks that were reached before and after it.
    fn play(&mut self, into: Option<CarrierCommand>) -> Vec<MarkId> {
        let mut reached = Vec::new();
        match into {
            Some(CarrierCommand::Play(audio)) => {
                self.queue.extend(audio.decode().into_iter().map(Queued::Sound))
            }
            Some(CarrierCommand::Mark(mark)) => self.queue.push_back(Queued::Mark(mark)),
            Some(CarrierCommand::Clear) => {
                let marks = self.queue.drain(..).filter_map(|queued| match queued {
                    Queued::Mark(mark) => Some(mark),
                    Queued::Sound(_) => None,
                });
                reached.extend(marks);
            }
            Some(CarrierCommand::Ping | CarrierCommand::Close(_)) => {}
            None => {
                for _ in 0..8 {
                    let sound = self.queue.pop_front().map_or(ulaw::SILENCE, |queued| match queued {
                        Queued::Sound(sound) => sound,
                        Queued::Mark(_) => unreachable!("marks are taken as soon as they are reached"),
                    });
                    self.played.push(sound);
                    self.marks(&mut reached);
                }
            }
        }
        self.marks(&mut reached);
        reached
    }

    fn marks(&mut self, reached: &mut Vec<MarkId>) {
        while let Some(Queued::Mark(mark)) = self.queue.front() {
            reached.push(*mark);
            self.queue.pop_front();
        }
    }
}

/// Lives through the script. Returns what the phone said and played, and both tracks of the recording.
fn live_through(delay: u64, script: &[Event], lasts: u64, loses: u64) -> [Vec<u8>; 4] {
    let mut scene = Scene::open();
    let mut phone = Phone { queue: VecDeque::new(), said: Vec::new(), played: Vec::new() };
    let (mut to_phone, mut to_call) = (VecDeque::new(), VecDeque::new());
    let (mut tape, mut sounds, mut reply) = (Vec::new(), (1..=250).cycle(), 0);
    let start = scene.now;
    // Replies without a sound are no failure here.
    let legs = vec![LegRules { patience: Duration::from_secs(60), ..LegRules::default() }];
    scene.input(Input::Token(Box::new(Config {
        record: Some(Record::default()),
        legs,
        ..Config::default()
    })));
    scene.carrier(CarrierEvent::Started(Box::default()));
    let mut script: VecDeque<&Event> = script.iter().collect();
    for now in 0..=lasts + delay {
        scene.now = start + Duration::from_millis(now);
        // The phone: it hangs up after so long.
        if now <= lasts {
            let back = |marks: Vec<MarkId>, at: u64| {
                marks.into_iter().map(move |mark| (at + delay, CarrierEvent::Mark(mark)))
            };
            while to_phone.front().is_some_and(|(at, _)| *at <= now) {
                to_call.extend(back(phone.play(to_phone.pop_front().map(|(_, command)| command)), now));
            }
            if now > 0 && now % 20 == 0 {
                let said = [(now / 20 % 200) as u8; 160];
                let lost = (now / 20).is_multiple_of(loses);
                phone.said.extend(if lost { [ulaw::SILENCE; 160] } else { said });
                let at = Some(Duration::from_millis(now - 20));
                if !lost {
                    to_call.push_back((now + delay, CarrierEvent::Audio { at, audio: Audio::ulaw(&said) }));
                }
            }
            if now == lasts {
                to_call.push_back((now + delay, CarrierEvent::Stopped));
            } else {
                to_call.extend(back(phone.play(None), now + 1));
            }
        }
        // The call.
        while to_call.front().is_some_and(|(at, _)| *at <= now) {
            scene.carrier(to_call.pop_front().unwrap().1);
        }
        if now == 70 + delay {
            scene.input(Input::Admitted); // some frames were held until then
            scene.leg(LegEvent::Ready);
        }
        while script.front().is_some_and(|event| event.at + 70 + delay < now) {
            match script.pop_front().unwrap().what {
                What::Speech(ms) => {
                    let sound: Vec<u8> = sounds.by_ref().take(ms as usize * 8).collect();
                    let (reply, item) = (ReplyId(reply), ItemId(reply));
                    scene.leg(LegEvent::Speech { reply, item, audio: Audio::ulaw(&sound) });
                }
                What::BargeIn => {
                    scene.leg(LegEvent::SpeechStarted);
                    scene.leg(LegEvent::SpeechStopped);
                    reply += 1;
                    scene.leg(LegEvent::ReplyStarted { reply: ReplyId(reply) });
                }
            }
        }
        scene.pass(0);
        while let Some(command) = scene.call.poll_command() {
            match command {
                Command::Carrier(command) => to_phone.push_back((now + 1 + delay, command)),
                Command::Record(Stereo(piece)) => tape.extend(piece),
                _ => {}
            }
        }
    }
    assert!(scene.call.is_over());
    let track = |side| tape.iter().skip(side).step_by(2).copied().collect();
    [phone.said, phone.played, track(0), track(1)]
}

fn event() -> impl Strategy<Value = Event> {
    let what = prop_oneof![3 => (1..3_000_u64).prop_map(What::Speech), 1 => Just(What::BargeIn)];
    (0..9_000_u64, what).prop_map(|(at, what)| Event { at, what })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn the_recording_is_what_the_phone_said_and_played(
        delay in 0..200_u64, mut script in prop::collection::vec(event(), 0..20), lasts in 500..10_000_u64, loses in 2..20_u64,
    ) {
        script.sort_by_key(|event| event.at);
        let [said, played, left, right] = live_through(delay, &script, lasts, loses);
        // A lost frame at the very end is followed by none that tells of it.
        let spoken = said.iter().rposition(|sound| *sound != ulaw::SILENCE).map_or(0, |at| at + 1);
        prop_assert_eq!(&left[..spoken], &said[..spoken]);
        let heard = played.iter().rposition(|sound| *sound != ulaw::SILENCE).map_or(0, |at| at + 1);
        prop_assert!(right.len() >= heard, "{} of {heard}", right.len());
        let differs = (0..right.len()).find(|at| right[*at] != played.get(*at).copied().unwrap_or(ulaw::SILENCE));
        prop_assert_eq!(differs, None, "{} and {} samples", right.len(), played.len());
    }
}

#[test]
fn a_phone_that_began_later_than_the_line_is_long_is_believed() {
    let mut scene = Scene::live(Config { record: Some(Record::default()), ..Config::default() });
    let mut marks = VecDeque::new();
    let mut right: Vec<u8> = Vec::new();
    for at in 1..=150_u64 {
        scene.pass(20);
        scene.carrier(frame(at * 20));
        if at == 25 {
            scene.reply(1, 1);
            for _ in 0..4 {
                let audio = Audio::ulaw(&[7; 1_600]);
                scene.leg(LegEvent::Speech { reply: ReplyId(1), item: ItemId(1), audio });
            }
        }
        // It plays from 620 ms on, not from 500: each mark stands behind another 200 ms.
        if at >= 41 && (at - 31).is_multiple_of(10) {
            marks.pop_front().into_iter().for_each(|mark| scene.carrier(CarrierEvent::Mark(mark)));
        }
        for command in scene.commands() {
            match command {
                Command::Carrier(CarrierCommand::Mark(mark)) if mark != MarkId(1) => marks.push_back(mark),
                Command::Record(Stereo(piece)) => right.extend(piece.iter().skip(1).step_by(2)),
                _ => {}
            }
        }
    }
    let from = right.iter().position(|sound| *sound == 7).unwrap();
    let sounds = right.iter().filter(|sound| **sound == 7).count();
    assert_eq!((from / 8, sounds / 8), (620, 800));
}

#[test]
fn a_call_that_is_not_recorded_gives_out_nothing() {
    let mut scene = Scene::live(Config::default());
    for at in 0..200 {
        scene.pass(20);
        scene.carrier(frame(at * 20));
        scene.speech(1, 1, 20);
    }
    scene.carrier(CarrierEvent::Stopped);
    assert!(!scene.commands().iter().any(|command| matches!(command, Command::Record(_))));
}

#[test]
fn a_recording_is_given_out_while_the_call_lasts_and_its_end_comes_before_the_summary() {
    let mut scene = Scene::live(Config { record: Some(Record::default()), ..Config::default() });
    let pieces = |scene: &mut Scene| -> Vec<usize> {
        let all = scene.commands().into_iter();
        all.filter_map(|command| match command {
            Command::Record(piece) => Some(piece.0.len()),
            Command::End(_) => Some(0),
            _ => None,
        })
        .collect()
    };
    for at in 0..100 {
        scene.pass(20);
        scene.carrier(frame(at * 20));
    }
    assert_eq!(pieces(&mut scene), [16_000]);
    scene.pass(20);
    scene.carrier(frame(2_000));
    scene.carrier(CarrierEvent::Stopped);
    assert_eq!(pieces(&mut scene), [16_000, 320, 0]);
}
