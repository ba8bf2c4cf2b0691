//! Nobody speaks: the agent asks, and in the end it hangs up.

use std::time::Duration;

use call::*;

use crate::scene::*;

fn patient(say: &[&str], then_hang_up: bool) -> Config {
    let say = say.iter().map(|text| (*text).to_owned()).collect();
    let idle = Idle { after: Duration::from_secs(8), say, then_hang_up };
    Config { idle: Some(idle), ..Config::default() }
}

/// What the agent was told to say since the last look.
fn asked(scene: &mut Scene) -> Vec<String> {
    let said = scene.leg_commands().into_iter().filter_map(|command| match command {
        LegCommand::Say(say) => Some(say.text),
        _ => None,
    });
    said.collect()
}

/// The agent says what it was told, and is heard. The leg lives.
fn speaks(scene: &mut Scene, reply: u32) {
    scene.reply(reply, reply);
    scene.speech(reply, reply, 1_000);
    scene.reply_done(reply, reply);
    let commands = scene.commands();
    let mark = commands.iter().rev().find_map(|command| match command {
        Command::Carrier(CarrierCommand::Mark(mark)) => Some(*mark),
        _ => None,
    });
    pass(scene, 1_000);
    scene.carrier(CarrierEvent::Mark(mark.expect("a mark")));
}

fn pass(scene: &mut Scene, ms: u64) {
    for _ in 0..ms / 500 {
        scene.pass(500);
        scene.leg(LegEvent::Alive);
        scene.carrier(CarrierEvent::Alive);
    }
}

fn turn(scene: &mut Scene, item: u32, words: &str) {
    scene.leg(LegEvent::SpeechStarted);
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(item) });
    scene.leg(LegEvent::CallerWords { item: ItemId(item), text: words.into(), whole: true });
}

#[test]
fn a_silent_caller_is_asked_twice_and_then_let_go() {
    let mut scene = Scene::live(patient(&["Are you still there?", "Hello?"], true));
    scene.commands();
    pass(&mut scene, 7_500);
    assert_eq!(asked(&mut scene), [""; 0]);
    pass(&mut scene, 500);
    assert_eq!(asked(&mut scene), ["Are you still there?"]);
    speaks(&mut scene, 1);
    pass(&mut scene, 7_500);
    assert_eq!(asked(&mut scene), [""; 0], "the silence begins anew when the agent has been heard");
    pass(&mut scene, 1_000);
    assert_eq!(asked(&mut scene), ["Hello?"]);
    speaks(&mut scene, 2);
    pass(&mut scene, 9_000);
    assert_eq!(scene.ended().map(|summary| summary.reason), Some(EndReason::Idle));
}

#[test]
fn a_caller_who_answers_begins_the_questions_anew() {
    let mut scene = Scene::live(patient(&["Are you still there?", "Hello?"], true));
    pass(&mut scene, 8_000);
    speaks(&mut scene, 1);
    turn(&mut scene, 100, "Yes, yes.");
    speaks(&mut scene, 2);
    scene.commands();
    pass(&mut scene, 9_000);
    assert_eq!(asked(&mut scene), ["Are you still there?"]);
}

#[test]
fn a_noise_is_no_answer() {
    let mut scene = Scene::live(patient(&["Are you still there?", "Hello?"], false));
    pass(&mut scene, 8_000);
    speaks(&mut scene, 1);
    turn(&mut scene, 100, " ");
    speaks(&mut scene, 2);
    scene.commands();
    pass(&mut scene, 9_000);
    assert_eq!(asked(&mut scene), ["Hello?"]);
}

#[test]
fn nobody_is_asked_while_somebody_speaks_or_a_tool_runs() {
    let config = Config { tools: with_tools().tools, ..patient(&["Are you still there?"], true) };
    let mut scene = Scene::live(config);
    scene.leg(LegEvent::SpeechStarted);
    scene.commands();
    pass(&mut scene, 30_000);
    assert_eq!(asked(&mut scene), [""; 0]);
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(100) });
    scene.leg(LegEvent::ReplyStarted { reply: REPLY });
    let (id, name) = (ToolId(1), "remember".into());
    scene.leg(LegEvent::ToolCalled { reply: REPLY, id, name, arguments: "{}".into() });
    scene.leg(done(1, Outcome::Completed));
    scene.commands();
    pass(&mut scene, 7_500);
    assert_eq!(asked(&mut scene), [""; 0]);
}

#[test]
fn when_nothing_is_to_happen_the_call_goes_on_in_silence() {
    let mut scene = Scene::live(patient(&["Are you still there?"], false));
    pass(&mut scene, 8_000);
    speaks(&mut scene, 1);
    scene.commands();
    pass(&mut scene, 60_000);
    assert!(!scene.call.is_over());
    assert_eq!(asked(&mut scene), [""; 0]);
    turn(&mut scene, 100, "I am back.");
    speaks(&mut scene, 2);
    scene.commands();
    pass(&mut scene, 9_000);
    assert_eq!(asked(&mut scene), ["Are you still there?"], "and begins anew with a word");
}
