//! An answer is owed: it comes, comes late, fails, or never comes.

use crate::scene::*;
use call::*;

fn caller_speaks(scene: &mut Scene, item: u32) {
    scene.leg(LegEvent::SpeechStarted);
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(item) });
}

#[test]
fn an_answer_that_the_leg_forgot_is_asked_for_and_then_given_up() {
    let mut scene = Scene::live(Config::default());
    caller_speaks(&mut scene, 1);
    scene.pass(2_499);
    assert_eq!(scene.leg_commands(), []);
    scene.leg(LegEvent::Alive);
    scene.pass(1);
    assert_eq!(scene.leg_commands(), [LegCommand::Reply]);
    scene.leg(LegEvent::Alive);
    scene.pass(2_500);
    assert!(
        matches!(scene.ended().unwrap().reason, EndReason::LegFailed(f) if f.kind == FailureKind::Stalled)
    );
}

#[test]
fn an_answer_that_begins_and_then_stalls_ends_the_call() {
    let mut scene = Scene::live(Config::default());
    caller_speaks(&mut scene, 1);
    scene.reply(1, 2);
    scene.pass(4_900);
    assert!(!scene.call.is_over());
    scene.leg(LegEvent::Alive); // the socket lives, the model does not
    scene.pass(100);
    assert!(
        matches!(scene.ended().unwrap().reason, EndReason::LegFailed(f) if f.kind == FailureKind::Stalled)
    );
}

#[test]
fn a_machine_that_was_paused_listens_before_it_judges() {
    let mut scene = Scene::live(Config::default());
    scene.leg(LegEvent::Alive);
    caller_speaks(&mut scene, 1);
    scene.now += std::time::Duration::from_secs(20);
    scene.carrier(frame(0));
    assert!(!scene.call.is_over(), "what the leg said meanwhile is still in its socket");
    scene.reply(1, 2);
    scene.speech(1, 2, 100);
    scene.pass(1_000);
    assert!(!scene.call.is_over());
}

#[test]
fn the_callers_next_words_make_an_old_debt_void() {
    let mut scene = Scene::live(Config::default());
    caller_speaks(&mut scene, 1);
    scene.pass(2_000);
    scene.leg(LegEvent::SpeechStarted);
    for _ in 0..10 {
        scene.pass(1_000);
        scene.leg(LegEvent::Alive);
    }
    assert!(!scene.call.is_over());
}

#[test]
fn a_reply_that_fails_for_now_is_asked_for_again_twice() {
    let mut scene = Scene::live(Config::default());
    caller_speaks(&mut scene, 1);
    let failed = |reply| done(reply, Outcome::FailedForNow(failure(FailureKind::RateLimited)));
    for (reply, wait) in [(1, 1_000), (2, 2_000)] {
        scene.leg(LegEvent::ReplyStarted { reply: ReplyId(reply) });
        scene.leg(failed(reply));
        scene.pass(wait - 1);
        assert_eq!(scene.leg_commands(), []);
        scene.pass(1);
        assert_eq!(scene.leg_commands(), [LegCommand::Reply]);
    }
    scene.leg(LegEvent::ReplyStarted { reply: ReplyId(3) });
    scene.leg(failed(3));
    assert!(
        matches!(scene.ended().unwrap().reason, EndReason::LegFailed(f) if f.kind == FailureKind::RateLimited)
    );
}

#[test]
fn a_greeting_that_fails_is_said_again_in_its_own_words() {
    let mut scene = Scene::live(greeting());
    scene.commands();
    scene.leg(LegEvent::ReplyStarted { reply: REPLY });
    scene.leg(done(1, Outcome::FailedForNow(failure(FailureKind::Provider))));
    scene.pass(1_000);
    assert_eq!(scene.leg_commands(), [LegCommand::Say(Say { text: "Hello, this is Acme.".into() })]);
}

#[test]
fn a_greeting_that_never_begins_is_not_silence_for_ever() {
    let mut scene = Scene::live(greeting());
    scene.pass(4_000);
    scene.leg(LegEvent::Alive);
    scene.pass(1_000);
    assert!(matches!(scene.ended().unwrap().reason, EndReason::LegFailed(_)));
}

#[test]
fn gaps_are_filled_with_silence_so_that_turns_end() {
    let mut scene = Scene::live(Config::default());
    scene.carrier(frame(0));
    scene.carrier(frame(500));
    let heard: Vec<_> = heard_ms(&mut scene);
    assert_eq!(heard, [20, 480, 20]);
}

#[test]
fn a_carrier_that_sends_nothing_in_mid_speech_is_filled_by_the_clock() {
    let mut scene = Scene::live(Config::default());
    scene.carrier(frame(0));
    scene.leg(LegEvent::SpeechStarted);
    scene.commands();
    scene.pass(1_000);
    assert_eq!(heard_ms(&mut scene), [400, 200, 200, 200]);
    scene.leg(LegEvent::SpeechStopped);
    scene.pass(1_000);
    assert_eq!(heard_ms(&mut scene), []);
    scene.carrier(frame(2_000));
    assert_eq!(heard_ms(&mut scene), [980, 20]);
}

fn heard_ms(scene: &mut Scene) -> Vec<u128> {
    let commands = scene.commands().into_iter();
    let heard = commands.filter_map(|command| match command {
        Command::Leg(LegCommand::Hear(audio)) => Some(audio.duration().as_millis()),
        _ => None,
    });
    heard.collect()
}
