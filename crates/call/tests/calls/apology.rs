//! Nobody can answer any more: the agent's last sentence.

use call::*;

use crate::scene::*;

const SORRY: &str = "Something is wrong. Please call again.";

fn sorry() -> Config {
    Config { error_message: Some(SORRY.into()), ..with_tools() }
}

/// The leg can only speak from now on, and is asked for the sentence.
fn asked(mut scene: Scene) -> Scene {
    scene.commands();
    scene.leg(LegEvent::OnlySpeaks(failure(FailureKind::Quota)));
    assert_eq!(scene.leg_commands(), [LegCommand::Say(Say { text: SORRY.into() })]);
    scene
}

fn ends_by_name(scene: &mut Scene) {
    let summary = scene.ended().expect("an end");
    let EndReason::LegFailed(failure) = &summary.reason else { panic!("{:?}", summary.reason) };
    assert_eq!(failure.kind, FailureKind::Quota);
    assert!(matches!(&summary.legs[..], [LegUse { end: LegEnd::Failed(_), .. }]));
}

#[test]
fn it_is_heard_to_its_end_and_then_the_call_ends() {
    let mut scene = asked(Scene::live(sorry()));
    scene.pass(500);
    scene.reply(1, 1);
    scene.speech(1, 1, 2_000);
    scene.reply_done(1, 1);
    let commands = scene.commands();
    assert!(matches!(commands[0], Command::Carrier(CarrierCommand::Play(_))), "{commands:?}");
    let mark = last_mark(&commands);
    scene.pass(1_900);
    assert!(!scene.call.is_over());
    scene.carrier(CarrierEvent::Mark(mark));
    ends_by_name(&mut scene);
}

#[test]
fn nothing_else_begins_meanwhile() {
    let mut scene = Scene::live(sorry());
    caller_says(&mut scene, 1, "Where is my order?");
    scene.leg(LegEvent::ReplyStarted { reply: REPLY });
    let (name, arguments) = ("lookup".to_owned(), "{}".to_owned());
    scene.leg(LegEvent::ToolCalled { reply: REPLY, id: ToolId(1), name, arguments });
    let mut scene = asked(scene);
    scene.speech(1, 1, 500); // of the answer that was being made
    scene.carrier(CarrierEvent::Key('#'));
    scene.input(Input::Tool { id: ToolId(1), end: ToolEnd::Done, result: "7".into() });
    scene.leg(LegEvent::SpeechStarted);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(9) });
    scene.pass(5_000);
    // Which a leg that only speaks does not even read.
    let result = LegCommand::ToolResult { id: ToolId(1), result: "7".into() };
    assert_eq!(scene.commands(), [Command::Leg(result)]);
}

#[test]
fn a_voice_that_does_not_speak_is_not_waited_for_long() {
    let mut scene = asked(Scene::live(sorry()));
    scene.pass(14_900);
    assert!(!scene.call.is_over());
    scene.pass(100);
    ends_by_name(&mut scene);
}

#[test]
fn a_voice_that_dies_as_well_ends_the_call() {
    let mut scene = asked(Scene::live(sorry()));
    scene.leg(LegEvent::Failed(failure(FailureKind::Closed)));
    ends_by_name(&mut scene);
    // Or it cannot say it.
    let mut scene = asked(Scene::live(sorry()));
    scene.leg(LegEvent::ReplyStarted { reply: REPLY });
    scene.leg(done(1, Outcome::FailedForNow(failure(FailureKind::Provider))));
    ends_by_name(&mut scene);
}

#[test]
fn another_leg_is_better_than_any_sentence() {
    let mut scene = Scene::live(Config { legs: vec![LegRules::default(); 2], ..sorry() });
    scene.commands();
    scene.leg(LegEvent::OnlySpeaks(failure(FailureKind::Quota)));
    let dial = Command::Dial { leg: 1, turns: Turns::Live };
    assert_eq!(scene.commands(), [Command::Leg(LegCommand::Close), dial]);
}

#[test]
fn a_leg_whose_voice_lives_without_its_mind_says_it_when_answers_keep_failing() {
    let rules = LegRules { speaks_alone: true, ..LegRules::default() };
    let mut scene = Scene::live(Config { legs: vec![rules], ..sorry() });
    caller_says(&mut scene, 1, "Where is my order?");
    for reply in 1..=3 {
        scene.leg(LegEvent::ReplyStarted { reply: ReplyId(reply) });
        scene.leg(done(reply, Outcome::FailedForNow(failure(FailureKind::Provider))));
        scene.pass(3_000);
    }
    assert_eq!(scene.leg_commands().last(), Some(&LegCommand::Say(Say { text: SORRY.into() })));
}
