//! A session of an hour ends, and the call goes on in a new one.

use std::time::Duration;

use call::*;

use crate::scene::*;

const MINUTE: u64 = 60_000;

/// Its sessions last an hour. A live leg gives signs of life all the time; here it need not.
fn hourly() -> Config {
    let longest = Some(Duration::from_secs(3_600));
    let rules = LegRules { longest, ..LegRules::default() };
    Config { legs: vec![rules], max: Duration::from_secs(14_400), ..with_tools() }
}

/// Time passes on a line on which nothing happens but signs of life.
fn pass_alive(scene: &mut Scene, ms: u64) {
    for _ in 0..ms / 1_000 {
        scene.pass(1_000);
        scene.leg(LegEvent::Alive);
        scene.carrier(CarrierEvent::Alive);
    }
    scene.pass(ms % 1_000);
}

fn at_minute(minute: u64) -> Scene {
    let mut scene = Scene::live(hourly());
    caller_says(&mut scene, 1, "Where is my order?");
    scene.reply(1, 2);
    scene.leg(LegEvent::AgentWords { item: ItemId(2), text: "On its way.".into(), whole: true });
    scene.speech(1, 2, 1_000);
    scene.reply_done(1, 2);
    let mark = last_mark(&scene.commands());
    scene.pass(1_000);
    scene.carrier(CarrierEvent::Mark(mark));
    pass_alive(&mut scene, minute * MINUTE - 2_000);
    scene.commands();
    scene
}

const RENEWED: [Command; 2] = [Command::Leg(LegCommand::Close), Command::Dial { leg: 0, turns: Turns::Live }];

#[test]
fn it_is_renewed_after_55_minutes_and_knows_what_was_said() {
    let mut scene = at_minute(54);
    assert_eq!(scene.commands(), []);
    pass_alive(&mut scene, MINUTE + 2_000);
    assert_eq!(scene.commands(), RENEWED);
    scene.carrier(frame(0));
    scene.leg(LegEvent::Ready);
    let agent = Past::Agent { item: ItemId(2), words: "On its way.".into() };
    let told = LegCommand::Remember(vec![Past::Caller("Where is my order?".into()), agent]);
    assert_eq!(scene.leg_commands(), [told]);
    pass_alive(&mut scene, 54 * MINUTE);
    assert_eq!(scene.commands(), []);
    pass_alive(&mut scene, MINUTE + 2_000);
    assert_eq!(scene.commands(), RENEWED, "and the next one as well");
}

#[test]
fn not_in_the_middle_of_a_word() {
    let mut scene = at_minute(54);
    scene.reply(2, 3);
    scene.speech(2, 3, 90_000);
    scene.reply_done(2, 3);
    let mark = last_mark(&scene.commands());
    pass_alive(&mut scene, 89_000);
    assert!(!scene.commands().contains(&RENEWED[1]), "the agent speaks");
    scene.leg(LegEvent::SpeechStarted);
    scene.carrier(CarrierEvent::Mark(mark));
    pass_alive(&mut scene, 2_000);
    assert!(!scene.commands().contains(&RENEWED[1]), "the caller speaks");
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(4) });
    scene.leg(LegEvent::ReplyStarted { reply: ReplyId(3) });
    let (name, arguments) = ("lookup".to_owned(), "{}".to_owned());
    scene.leg(LegEvent::ToolCalled { reply: ReplyId(3), id: ToolId(1), name, arguments });
    scene.leg(done(3, Outcome::Completed));
    pass_alive(&mut scene, 1_000);
    assert!(!scene.commands().contains(&RENEWED[1]), "a tool runs");
}

#[test]
fn who_never_pauses_is_renewed_before_the_session_ends_and_heard_again() {
    let mut scene = at_minute(55);
    scene.leg(LegEvent::SpeechStarted);
    scene.commands();
    for second in 0..5 * 60 {
        scene.carrier(frame(second * 1_000));
        pass_alive(&mut scene, 1_000);
        if scene.commands().ends_with(&RENEWED) {
            assert!((234..=242).contains(&second), "{second}");
            scene.leg(LegEvent::Ready);
            let heard = |command: &Command| matches!(command, Command::Leg(LegCommand::Hear(_)));
            assert!(scene.commands().iter().filter(|command| heard(command)).count() > 3);
            return;
        }
    }
    panic!("it was not renewed");
}

#[test]
fn one_failure_of_the_new_session_is_nothing() {
    let mut scene = at_minute(54);
    pass_alive(&mut scene, MINUTE + 2_000);
    scene.commands();
    scene.leg(LegEvent::Failed(failure(FailureKind::Unreachable)));
    assert_eq!(scene.commands(), RENEWED);
    scene.leg(LegEvent::Failed(failure(FailureKind::Unreachable)));
    assert!(matches!(scene.ended().expect("an end").reason, EndReason::LegFailed(_)));
}
