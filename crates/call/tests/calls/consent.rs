//! The caller is told of a recording first. Nothing cuts that, and nothing of what comes before is recorded.

use std::time::Duration;

use call::*;

use crate::scene::*;

const NOTICE: &str = "This call is recorded.";

fn asking(greeting: Option<&str>) -> Config {
    let record = Some(Record { say: Some(NOTICE.into()) });
    Config { record, greeting: greeting.map(str::to_owned), ..Config::default() }
}

/// What the leg was told to say since the last look, and whether it answers by itself from now on.
fn told(scene: &mut Scene) -> Vec<String> {
    let told = scene.leg_commands().into_iter().filter_map(|command| match command {
        LegCommand::Say(say) => Some(say.text),
        LegCommand::Reply => Some("(reply)".into()),
        LegCommand::TakeTurns(Turns::Live) => Some("(live)".into()),
        LegCommand::Cancel => Some("(cancel)".into()),
        _ => None,
    });
    told.collect()
}

fn say(scene: &mut Scene, number: u32, ms: u64) {
    scene.reply(number, number);
    scene.speech(number, number, ms);
    scene.reply_done(number, number);
}

/// So long the line is as busy as always: the caller's frames come, and all marks that are due.
fn listen(scene: &mut Scene, ms: u64) {
    let mut marks = Vec::new();
    for command in scene.commands() {
        if let Command::Carrier(CarrierCommand::Mark(mark)) = command {
            marks.push(mark);
        }
    }
    scene.pass(ms);
    marks.into_iter().for_each(|mark| scene.carrier(CarrierEvent::Mark(mark)));
}

fn turn(scene: &mut Scene, item: u32) {
    scene.leg(LegEvent::SpeechStarted);
    scene.pass(900);
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(item) });
}

/// What the recording holds from now to the call's end, in ms, and where it begins.
fn recorded(scene: &mut Scene) -> (usize, Option<Duration>) {
    scene.carrier(CarrierEvent::Stopped);
    let mut bytes = 0;
    for command in scene.commands() {
        match command {
            Command::Record(Stereo(piece)) => bytes += piece.len(),
            Command::End(summary) => return (bytes / 16, summary.recorded_from),
            _ => {}
        }
    }
    panic!("the call goes on");
}

#[test]
fn it_is_said_before_the_greeting_and_recorded_is_what_comes_after_it_was_heard() {
    let mut scene = Scene::live(asking(Some("Hello.")));
    assert_eq!(told(&mut scene), [NOTICE]);
    scene.carrier(frame(0));
    say(&mut scene, 1, 1_500);
    listen(&mut scene, 1_500);
    assert_eq!(told(&mut scene), ["Hello."]);
    say(&mut scene, 2, 400);
    scene.pass(500);
    let (ms, from) = recorded(&mut scene);
    assert_eq!((ms, from), (400, Some(Duration::from_millis(1_500))));
}

#[test]
fn neither_a_voice_nor_a_key_cuts_it_and_who_spoke_is_answered_after_it() {
    let mut scene = Scene::live(asking(None));
    scene.reply(1, 1);
    scene.speech(1, 1, 3_000);
    scene.commands();
    turn(&mut scene, 100);
    scene.carrier(CarrierEvent::Key('5'));
    scene.carrier(CarrierEvent::Key('#'));
    scene.pass(1_000);
    assert_eq!(told(&mut scene), [""; 0]);
    scene.reply_done(1, 1);
    listen(&mut scene, 1_100);
    assert_eq!(told(&mut scene), ["(reply)", "(live)"]);
    let is_told = |command: &LegCommand| matches!(command, LegCommand::Tell(text) if text.contains("5#"));
    scene.pass(2_000);
    assert!(scene.leg_commands().iter().any(is_told), "of the keys as well, later");
}

#[test]
fn who_speaks_when_it_ends_is_answered_at_the_end_of_the_turn() {
    let mut scene = Scene::live(asking(None));
    say(&mut scene, 1, 500);
    scene.leg(LegEvent::SpeechStarted);
    listen(&mut scene, 500);
    assert_eq!(told(&mut scene), [""; 0]);
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(100) });
    assert_eq!(told(&mut scene), ["(reply)", "(live)"]);
    assert!(recorded(&mut scene).1.is_some());
}

#[test]
fn a_sentence_that_breaks_off_is_said_again_and_then_nothing_is_recorded() {
    let mut scene = Scene::live(asking(Some("Hello.")));
    for (number, outcome) in [(1, Outcome::Incomplete), (2, Outcome::Cancelled)] {
        assert_eq!(told(&mut scene), [NOTICE]);
        scene.reply(number, number);
        scene.speech(number, number, 300);
        scene.leg(done(number, outcome));
        listen(&mut scene, 300);
    }
    assert_eq!(told(&mut scene), ["Hello."], "the call goes on");
    say(&mut scene, 3, 300);
    listen(&mut scene, 300);
    assert_eq!(recorded(&mut scene), (0, None));
}

#[test]
fn a_reply_without_a_sound_is_no_sentence() {
    let mut scene = Scene::live(asking(None));
    for number in 1..=2 {
        assert_eq!(told(&mut scene), [NOTICE]);
        scene.leg(LegEvent::ReplyStarted { reply: ReplyId(number) });
        scene.leg(done(number, Outcome::Completed));
    }
    assert_eq!(told(&mut scene), ["(live)"]);
    assert_eq!(recorded(&mut scene), (0, None));
}

#[test]
fn an_answer_that_failed_for_a_moment_is_asked_for_again() {
    let mut scene = Scene::live(asking(None));
    assert_eq!(told(&mut scene), [NOTICE]);
    scene.leg(LegEvent::ReplyStarted { reply: REPLY });
    scene.leg(done(1, Outcome::FailedForNow(failure(FailureKind::Provider))));
    scene.pass(1_000);
    assert_eq!(told(&mut scene), [NOTICE]);
    say(&mut scene, 2, 300);
    listen(&mut scene, 300);
    assert_eq!(told(&mut scene), ["(live)"]);
    assert!(recorded(&mut scene).1.is_some());
}

#[test]
fn a_carrier_that_does_not_say_that_it_was_played_is_not_waited_for() {
    let mut scene = Scene::live(asking(Some("Hello.")));
    say(&mut scene, 1, 1_000);
    told(&mut scene);
    scene.pass(2_900);
    assert_eq!(told(&mut scene), [""; 0]);
    scene.pass(200);
    assert_eq!(told(&mut scene), ["Hello."]);
    assert_eq!(recorded(&mut scene), (0, None), "nobody knows whether it was heard");
}

#[test]
fn a_leg_that_dies_in_the_middle_of_it_leaves_the_rest_to_the_next_one() {
    let config = Config { legs: vec![LegRules::default(); 2], ..asking(None) };
    let mut scene = Scene::live(config);
    scene.reply(1, 1);
    scene.leg(LegEvent::AgentWords { item: ITEM, text: "This call".into(), whole: false });
    scene.speech(1, 1, 400);
    scene.leg(LegEvent::Failed(failure(FailureKind::Provider)));
    listen(&mut scene, 500);
    assert_eq!(told(&mut scene), [""; 0]);
    scene.leg(LegEvent::Ready);
    assert_eq!(told(&mut scene), ["is recorded."]);
    say(&mut scene, 1, 400);
    listen(&mut scene, 400);
    assert_eq!(told(&mut scene), ["(live)"]);
    assert_eq!(recorded(&mut scene).1, Some(Duration::from_millis(900)), "from when the rest was heard");
}

#[test]
fn who_hangs_up_before_it_was_heard_is_not_recorded() {
    let mut scene = Scene::live(asking(Some("Hello.")));
    scene.carrier(frame(0));
    say(&mut scene, 1, 1_000);
    scene.pass(500);
    scene.carrier(frame(500));
    assert_eq!(recorded(&mut scene), (0, None));
}
