//! Keys that the caller presses reach the agent as words, and the agent's own go out as tones.

use call::*;

use crate::scene::*;

fn press(scene: &mut Scene, keys: &str) {
    for key in keys.chars() {
        scene.carrier(CarrierEvent::Key(key));
    }
}

fn told(keys: &str) -> LegCommand {
    LegCommand::Tell(format!("(The caller pressed {keys} on the phone's keypad.)"))
}

#[test]
fn several_keys_in_a_row_are_told_once() {
    let mut scene = Scene::live(Config::default());
    press(&mut scene, "12");
    scene.pass(1_400);
    press(&mut scene, "3");
    scene.pass(1_400);
    assert_eq!(scene.leg_commands(), []);
    scene.pass(100);
    assert_eq!(scene.leg_commands(), [told("123"), LegCommand::Reply]);
    scene.pass(3_000);
    assert_eq!(scene.leg_commands(), []);
}

#[test]
fn a_hash_ends_the_number_at_once_and_a_cat_on_the_phone_fills_no_memory() {
    let mut scene = Scene::live(Config::default());
    press(&mut scene, "42#");
    assert_eq!(scene.leg_commands(), [told("42#"), LegCommand::Reply]);
    let mut scene = Scene::live(Config::default());
    press(&mut scene, &"5".repeat(32));
    assert_eq!(scene.leg_commands(), [told(&"5".repeat(32)), LegCommand::Reply]);
}

#[test]
fn who_presses_while_the_agent_speaks_has_heard_enough() {
    let mut scene = Scene::live(Config::default());
    scene.reply(1, 1);
    scene.speech(1, 1, 3_000);
    scene.commands();
    scene.pass(1_000);
    press(&mut scene, "1#");
    let commands = scene.commands();
    assert!(commands.contains(&Command::Carrier(CarrierCommand::Clear)));
    let leg: Vec<_> = commands.iter().filter(|command| matches!(command, Command::Leg(_))).collect();
    assert!(
        matches!(
            leg[..],
            [
                Command::Leg(LegCommand::Cancel),
                Command::Leg(LegCommand::Truncate { .. }),
                Command::Leg(LegCommand::Tell(_)),
                Command::Leg(LegCommand::Reply),
            ]
        ),
        "{leg:?}"
    );
}

#[test]
fn a_key_does_not_cut_the_greeting_and_is_answered_after_it() {
    let mut scene = Scene::live(greeting());
    scene.reply(1, 1);
    scene.speech(1, 1, 3_000);
    scene.commands();
    press(&mut scene, "1#");
    assert_eq!(scene.commands(), [Command::Leg(told("1#")), Command::Leg(LegCommand::Reply)]);
}

#[test]
fn keys_before_the_call_is_live_are_only_counted() {
    let mut scene = Scene::open();
    press(&mut scene, "1#");
    assert_eq!(scene.commands(), []);
}

/// The agent has spoken for a second and wants to press these keys.
fn presses(keys: &str) -> Scene {
    let mut scene = Scene::live(with_tools());
    scene.reply(1, 1);
    scene.speech(1, 1, 1_000);
    let (reply, id) = (REPLY, ToolId(1));
    scene.leg(LegEvent::ToolCalled { reply, id, name: "remember".into(), arguments: "{}".into() });
    scene.commands();
    scene.input(Input::Tool { id, end: ToolEnd::Tones, result: keys.into() });
    scene
}

fn result(text: &str) -> Command {
    Command::Leg(LegCommand::ToolResult { id: ToolId(1), result: text.into() })
}

fn played(commands: &[Command]) -> usize {
    let length = |command: &Command| match command {
        Command::Carrier(CarrierCommand::Play(audio)) => audio.decode().len(),
        _ => 0,
    };
    commands.iter().map(length).sum()
}

#[test]
fn the_agents_keys_are_tones_behind_its_words() {
    let mut scene = presses("12#");
    assert_eq!(scene.commands(), [], "more words may come");
    scene.speech(1, 1, 400);
    assert_eq!(played(&scene.commands()), 3_200);
    scene.reply_done(1, 1);
    let commands = scene.commands();
    assert_eq!(Some(played(&commands)), tones("12#").map(|sound| sound.len()));
    let sent = commands.iter().position(|command| *command == result(r#"{"status":"sent"}"#));
    let asked = commands.iter().position(|command| *command == Command::Leg(LegCommand::Reply));
    assert!(sent.is_some() && sent < asked, "{commands:?}");
    let mark = |command: &Command| matches!(command, Command::Carrier(CarrierCommand::Mark(_)));
    assert!(commands.iter().position(mark) < sent, "{commands:?}");
}

#[test]
fn a_caller_who_interrupts_hears_no_tones_and_the_model_knows() {
    let mut scene = presses("12#");
    scene.leg(LegEvent::SpeechStarted);
    let told = result(r#"{"error":"Not done: the caller interrupted before the keys were pressed."}"#);
    assert!(scene.commands().contains(&told));
    scene.reply_done(1, 1);
    assert_eq!(played(&scene.commands()), 0);
}

#[test]
fn what_is_no_key_is_refused_and_tones_are_cut_without_a_word_to_the_leg() {
    let mut scene = presses("12x");
    assert_eq!(scene.commands(), [result(r#"{"error":"Not done: there are no such keys."}"#)]);
    let mut scene = presses(&"5".repeat(30));
    scene.reply_done(1, 1);
    scene.commands();
    scene.pass(3_000);
    scene.leg(LegEvent::SpeechStarted);
    let commands = scene.commands();
    assert!(commands.contains(&Command::Carrier(CarrierCommand::Clear)));
    let of_tones = |command: &Command| match command {
        Command::Leg(LegCommand::Truncate { item, .. } | LegCommand::Forget { item }) => *item != ITEM,
        _ => false,
    };
    assert!(!commands.iter().any(of_tones), "{commands:?}");
}
