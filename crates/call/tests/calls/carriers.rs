//! Carriers with wishes: pieces of a certain length, a tape that holds only so much, marks that never come back.

use std::time::Duration;

use call::*;

use crate::scene::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Takes speech in pieces of at least 200 ms, in whole frames.
fn in_pieces() -> Started {
    Started { pieces: Pieces { least: ms(200), step: ms(20), ahead: None }, ..Started::default() }
}

/// What was sent to be played, in ms, and the marks behind it.
fn played(scene: &mut Scene) -> (Vec<u64>, Vec<MarkId>) {
    let (mut pieces, mut marks) = (Vec::new(), Vec::new());
    for command in scene.commands() {
        match command {
            Command::Carrier(CarrierCommand::Play(audio)) => {
                assert!(marks.is_empty() || !pieces.is_empty());
                pieces.push(audio.duration().as_millis() as u64);
            }
            Command::Carrier(CarrierCommand::Mark(mark)) => marks.push(mark),
            _ => {}
        }
    }
    (pieces, marks)
}

#[test]
fn short_speech_is_gathered_and_its_end_is_not_held_back() {
    let mut scene = Scene::live_over(in_pieces(), Config::default());
    played(&mut scene);
    scene.reply(1, 1);
    for _ in 0..12 {
        scene.speech(1, 1, 20);
        scene.pass(20);
    }
    assert_eq!(played(&mut scene).0, [200], "and 40 ms wait");
    scene.reply_done(1, 1);
    let (pieces, marks) = played(&mut scene);
    assert_eq!((pieces, marks.len()), (vec![200], 1), "40 ms, and silence");
}

#[test]
fn speech_that_is_followed_by_none_goes_out_after_a_short_pause() {
    let mut scene = Scene::live_over(in_pieces(), Config::default());
    played(&mut scene);
    scene.reply(1, 1);
    scene.speech(1, 1, 60);
    scene.pass(99);
    assert_eq!(played(&mut scene).0, [0_u64; 0]);
    scene.pass(1);
    assert_eq!(played(&mut scene).0, [200]);
}

#[test]
fn what_was_not_sent_yet_was_not_heard_and_is_never_played() {
    let mut scene = Scene::live_over(in_pieces(), Config::default());
    scene.reply(1, 1);
    scene.speech(1, 1, 390);
    scene.commands();
    scene.pass(100);
    scene.leg(LegEvent::SpeechStarted);
    let commands = scene.all_commands();
    let cut = commands.iter().find_map(|command| match command {
        Command::Note(Note::CutShort { heard, sent, .. }) => Some((*heard, *sent)),
        _ => None,
    });
    assert_eq!(cut, Some((ms(100), ms(390))));
    assert!(commands.contains(&Command::Carrier(CarrierCommand::Clear)));
    scene.pass(5_000);
    assert_eq!(played(&mut scene).0, [0_u64; 0], "the rest was thrown away");
}

#[test]
fn an_interruption_before_the_first_piece_is_one_too() {
    let mut scene = Scene::live_over(in_pieces(), Config::default());
    scene.reply(1, 1);
    scene.speech(1, 1, 100);
    scene.commands();
    scene.leg(LegEvent::SpeechStarted);
    let commands = scene.leg_commands();
    assert_eq!(commands, [LegCommand::Cancel, LegCommand::Forget { item: ITEM }]);
    scene.pass(1_000);
    assert_eq!(played(&mut scene).0, [0_u64; 0]);
}

#[test]
fn the_agent_hangs_up_after_its_last_gathered_word() {
    let mut scene = Scene::live_over(in_pieces(), Config::default());
    played(&mut scene);
    scene.reply(1, 1);
    scene.speech(1, 1, 230);
    scene.input(Input::Stop);
    let (pieces, marks) = played(&mut scene);
    assert_eq!(pieces.iter().sum::<u64>(), 420, "220 ms, and 10 in silence");
    scene.pass(420);
    scene.carrier(CarrierEvent::Mark(*marks.last().unwrap()));
    assert_eq!(scene.ended().unwrap().reason, EndReason::Drained);
}

#[test]
fn no_more_goes_to_a_carrier_than_it_keeps() {
    let pieces = Pieces { least: ms(20), step: ms(20), ahead: Some(ms(5_000)) };
    let mut scene = Scene::live_over(Started { pieces, ..Started::default() }, Config::default());
    played(&mut scene);
    scene.reply(1, 1);
    scene.speech(1, 1, 20_000);
    scene.reply_done(1, 1);
    let (mut sent, mut most, mut passed) = (0, 0, 0);
    let mut marks = std::collections::VecDeque::new();
    while sent < 20_000 || passed < 20_000 {
        for command in scene.commands() {
            match command {
                Command::Carrier(CarrierCommand::Play(audio)) => sent += audio.duration().as_millis() as u64,
                Command::Carrier(CarrierCommand::Mark(mark)) => marks.push_back((sent, mark)),
                _ => {}
            }
        }
        most = most.max(sent.saturating_sub(passed));
        assert!(sent >= passed.min(20_000), "it ran dry at {passed} ms");
        scene.pass(20);
        passed += 20;
        while let Some((_, mark)) = marks.pop_front_if(|(place, _)| *place <= passed) {
            scene.carrier(CarrierEvent::Mark(mark));
        }
        assert!(passed < 60_000, "{sent} of 20,000 ms went out");
    }
    assert!((5_000..6_000).contains(&most), "{most}");
}

#[test]
fn where_no_mark_comes_back_the_clock_tells_and_the_summary_says_so() {
    let mut scene = Scene::open();
    scene.input(Input::Token(Box::new(greeting())));
    scene.carrier(CarrierEvent::Started(Box::default()));
    scene.input(Input::Admitted);
    scene.leg(LegEvent::Ready);
    scene.reply(1, 1);
    scene.speech(1, 1, 2_000);
    scene.reply_done(1, 1);
    scene.pass(1_999);
    let live = |scene: &mut Scene| scene.leg_commands().contains(&LegCommand::TakeTurns(Turns::Live));
    assert!(!live(&mut scene), "the greeting is being played");
    scene.pass(1);
    assert!(live(&mut scene), "it was");
    scene.reply(2, 2);
    scene.speech(2, 2, 2_000);
    scene.pass(700);
    scene.leg(LegEvent::SpeechStarted);
    let heard = scene.leg_commands().into_iter().find_map(|command| match command {
        LegCommand::Truncate { heard, .. } => Some(heard),
        _ => None,
    });
    assert_eq!(heard, Some(ms(700)));
    scene.carrier(CarrierEvent::Stopped);
    assert_eq!(scene.ended().unwrap().heard_by, HeardBy::Clock);
}

#[test]
fn where_every_mark_comes_back_the_summary_says_that() {
    let mut scene = Scene::live(Config::default());
    scene.pass(10_000);
    scene.carrier(CarrierEvent::Stopped);
    assert_eq!(scene.ended().unwrap().heard_by, HeardBy::Marks);
}

#[test]
fn what_the_wire_put_right_is_counted_and_told_once() {
    let mut scene = Scene::live(Config::default());
    scene.commands();
    for _ in 0..3 {
        scene.carrier(CarrierEvent::Mended(Mended::Twice));
        scene.carrier(CarrierEvent::Mended(Mended::OutOfOrder));
        scene.carrier(CarrierEvent::Complaint("no".into()));
    }
    let notes =
        scene.all_commands().into_iter().filter(|command| matches!(command, Command::Note(_))).count();
    assert_eq!(notes, 2 + 3);
    scene.carrier(CarrierEvent::Stopped);
    let tally = scene.ended().unwrap().tally;
    assert_eq!((tally.mended, tally.complaints), ([3, 3, 0], 3));
}
