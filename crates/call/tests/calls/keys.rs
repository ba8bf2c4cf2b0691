//! Keys that the caller presses reach the agent as words.

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
