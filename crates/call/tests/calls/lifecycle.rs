//! From the open socket to the end: what starts a call, and everything that can end it.

use std::time::Duration;

use crate::scene::*;
use call::*;

const REFUSED: RefusalCode = RefusalCode("token_expired");

#[test]
fn with_a_token_in_the_path_the_leg_is_dialled_before_the_carrier_says_a_word() {
    let mut scene = Scene::open();
    scene.input(Input::Token(Box::default()));
    assert_eq!(scene.commands(), [Command::Dial { leg: 0, turns: Turns::Live }]);
    scene.leg(LegEvent::Ready);
    assert_eq!(scene.commands(), [Command::Leg(LegCommand::Ping)]);
    scene.carrier(CarrierEvent::Started(Box::default()));
    assert_eq!(scene.commands(), [Command::Admit(Box::default())]);
    scene.input(Input::Admitted);
    assert_eq!(scene.commands(), [Command::Carrier(CarrierCommand::Mark(MarkId(1)))]);
    scene.carrier(frame(0));
    assert!(matches!(scene.commands()[..], [Command::Leg(LegCommand::Hear(_))]));
}

#[test]
fn with_a_token_in_start_the_gate_is_asked_before_anything_is_dialled() {
    let mut scene = Scene::open();
    let started = Started { call_id: "CA1".into(), ..Started::default() };
    scene.carrier(CarrierEvent::Started(Box::new(started.clone())));
    assert_eq!(scene.commands(), [Command::Admit(Box::new(started))]);
    scene.input(Input::Token(Box::new(greeting())));
    assert_eq!(scene.commands(), [Command::Dial { leg: 0, turns: Turns::Held }]);
    scene.input(Input::Admitted);
    scene.leg(LegEvent::Ready);
    assert_eq!(scene.leg_commands(), [LegCommand::Say(Say { text: "Hello, this is Acme.".into() })]);
}

#[test]
fn what_the_caller_says_while_the_leg_connects_is_heard_in_order() {
    let mut scene = Scene::open();
    scene.input(Input::Token(Box::default()));
    scene.carrier(CarrierEvent::Started(Box::default()));
    scene.input(Input::Admitted);
    let words: Vec<Audio> = (0..10u8).map(|i| Audio::ulaw(&[i; 160])).collect();
    for audio in &words {
        scene.carrier(CarrierEvent::Audio { at: None, audio: audio.clone() });
        assert!(!scene.commands().iter().any(|c| matches!(c, Command::Leg(_))));
    }
    scene.leg(LegEvent::Ready);
    let heard = scene.commands().into_iter().filter_map(|command| match command {
        Command::Leg(LegCommand::Hear(audio)) => Some(audio),
        _ => None,
    });
    assert_eq!(heard.collect::<Vec<_>>(), words);
}

#[test]
fn a_socket_on_which_no_stream_starts_is_closed_after_five_seconds() {
    let mut scene = Scene::open();
    scene.pass(4_999);
    assert!(!scene.call.is_over());
    scene.pass(1);
    let commands = scene.commands();
    assert_eq!(
        commands[0],
        Command::Carrier(CarrierCommand::Close(Closing::Refused(RefusalCode("start_timeout"))))
    );
    assert!(matches!(&commands[1], Command::End(end) if end.reason == EndReason::NeverStarted));
    assert_eq!(commands.len(), 2);
}

#[test]
fn a_gate_that_does_not_answer_does_not_keep_the_socket() {
    let mut scene = Scene::open();
    scene.carrier(CarrierEvent::Started(Box::default()));
    scene.pass(5_000);
    assert_eq!(scene.ended().unwrap().reason, EndReason::NeverStarted);
}

#[test]
fn a_refused_token_closes_the_socket_with_its_code() {
    let mut scene = Scene::open();
    scene.carrier(CarrierEvent::Started(Box::default()));
    scene.commands();
    scene.input(Input::Refused(REFUSED));
    let commands = scene.commands();
    assert_eq!(commands[0], Command::Carrier(CarrierCommand::Close(Closing::Refused(REFUSED))));
    assert!(matches!(&commands[1], Command::End(end) if end.reason == EndReason::Refused(REFUSED)));
}

#[test]
fn a_stream_of_another_call_ends_a_leg_that_was_dialled_early() {
    let mut scene = Scene::open();
    scene.input(Input::Token(Box::default()));
    scene.leg(LegEvent::Ready);
    scene.carrier(CarrierEvent::Started(Box::default()));
    scene.input(Input::Refused(REFUSED));
    assert!(scene.leg_commands().contains(&LegCommand::Close));
    assert!(scene.call.is_over());
}

#[test]
fn the_gate_cannot_admit_what_has_not_started() {
    let mut scene = Scene::open();
    scene.input(Input::Admitted);
    scene.input(Input::Token(Box::new(greeting())));
    scene.input(Input::Admitted);
    scene.leg(LegEvent::Ready);
    assert_eq!(scene.leg_commands(), []);
}

#[test]
fn a_leg_that_is_not_ready_in_time_ends_the_call() {
    let mut scene = Scene::open();
    scene.input(Input::Token(Box::default()));
    scene.carrier(CarrierEvent::Started(Box::default()));
    scene.input(Input::Admitted);
    scene.pass(4_500);
    let commands = scene.commands();
    assert!(commands.contains(&Command::Carrier(CarrierCommand::Close(Closing::Failed))), "{commands:?}");
    assert!(commands.contains(&Command::Leg(LegCommand::Close)));
    let Some(Command::End(end)) = commands.last() else { panic!("{commands:?}") };
    assert!(matches!(&end.reason, EndReason::LegFailed(f) if f.kind == FailureKind::NotReady));
    assert!(!end.was_live);
}

#[test]
fn a_leg_that_fails_lets_the_sentence_on_the_tape_be_heard_and_then_ends() {
    let mut scene = Scene::live(Config::default());
    scene.reply(1, 1);
    scene.speech(1, 1, 1_000);
    scene.commands();
    scene.leg(LegEvent::Failed(failure(FailureKind::Closed)));
    assert!(!scene.call.is_over());
    let marks: Vec<_> = scene.commands();
    assert!(!marks.iter().any(|c| matches!(c, Command::Carrier(CarrierCommand::Clear))), "{marks:?}");
    scene.pass(1_000);
    scene.carrier(CarrierEvent::Mark(MarkId(2)));
    scene.carrier(CarrierEvent::Mark(MarkId(3)));
    assert!(
        matches!(scene.ended().unwrap().reason, EndReason::LegFailed(f) if f.kind == FailureKind::Closed)
    );
}

#[test]
fn last_words_are_not_waited_for_for_ever() {
    let mut scene = Scene::live(Config::default());
    scene.reply(1, 1);
    scene.speech(1, 1, 60_000);
    scene.leg(LegEvent::Failed(failure(FailureKind::Closed)));
    scene.commands();
    scene.pass(2_999);
    assert!(!scene.call.is_over());
    scene.pass(1);
    assert!(scene.call.is_over());
}

#[test]
fn the_first_reason_to_end_is_the_one_that_counts() {
    let mut scene = Scene::live(Config::default());
    scene.reply(1, 1);
    scene.speech(1, 1, 2_000);
    scene.leg(LegEvent::Failed(failure(FailureKind::Closed)));
    scene.input(Input::Stop);
    scene.pass(5_000);
    assert!(matches!(scene.ended().unwrap().reason, EndReason::LegFailed(_)));
    scene.carrier(CarrierEvent::Stopped);
    scene.input(Input::Stop);
    assert_eq!(scene.commands(), []);
}

#[test]
fn hanging_up_ends_the_call_at_once() {
    for (event, reason, closing) in [
        (CarrierEvent::Stopped, EndReason::CallerHungUp, Closing::Done),
        (CarrierEvent::Gone(Gone::Closed), EndReason::CallerHungUp, Closing::Done),
        (CarrierEvent::Gone(Gone::Broken), EndReason::CarrierLost, Closing::Malformed),
        (CarrierEvent::Gone(Gone::Stuck), EndReason::CarrierLost, Closing::Malformed),
        (CarrierEvent::Gone(Gone::TooLarge), EndReason::CarrierLost, Closing::TooLarge),
    ] {
        let mut scene = Scene::live(Config::default());
        scene.reply(1, 1);
        scene.speech(1, 1, 2_000);
        scene.commands();
        scene.carrier(event.clone());
        let commands = scene.commands();
        assert_eq!(commands[0], Command::Carrier(CarrierCommand::Close(closing)), "{event:?}");
        assert_eq!(commands[1], Command::Leg(LegCommand::Close));
        let Command::End(end) = &commands[2] else { panic!("{commands:?}") };
        assert_eq!(end.reason, reason);
        assert!(end.was_live);
        assert_eq!(scene.call.poll_timeout(), None);
    }
}

#[test]
fn a_machine_that_stops_ends_the_call_cleanly() {
    let mut scene = Scene::live(Config::default());
    scene.commands();
    scene.input(Input::Stop);
    let commands = scene.commands();
    assert_eq!(commands[0], Command::Carrier(CarrierCommand::Close(Closing::GoingAway)));
    assert!(matches!(commands.last(), Some(Command::End(end)) if end.reason == EndReason::Drained));
}

#[test]
fn the_longest_time_is_announced_and_then_kept() {
    let (max, warning) = (Duration::from_secs(60), Some("Half a minute left.".to_owned()));
    let mut scene = Scene::live(Config { max, warning, ..Config::default() });
    scene.commands();
    // A caller who is there, and a leg that says so.
    for second in 0..60 {
        scene.leg(LegEvent::Alive);
        scene.pass(1_000);
        if second == 29 {
            assert_eq!(scene.leg_commands(), [LegCommand::Say(Say { text: "Half a minute left.".into() })]);
            scene.reply(1, 1);
            scene.reply_done(1, 1);
        }
    }
    assert_eq!(scene.ended().unwrap().reason, EndReason::MaxDuration);
}

#[test]
fn rubbish_is_forgiven_until_it_is_all_there_is() {
    let mut scene = Scene::live(Config::default());
    for _ in 0..50 {
        scene.carrier(CarrierEvent::Malformed);
    }
    assert!(!scene.call.is_over());
    scene.carrier(CarrierEvent::Malformed);
    let commands = scene.commands();
    assert!(commands.contains(&Command::Carrier(CarrierCommand::Close(Closing::Malformed))));
}

#[test]
fn a_flood_of_messages_closes_the_socket() {
    let mut scene = Scene::live(Config::default());
    for _ in 0..5_100 {
        scene.carrier(CarrierEvent::Mark(MarkId(77)));
    }
    assert_eq!(scene.ended().unwrap().reason, EndReason::CarrierLost);
}

#[test]
fn a_leg_that_answers_pings_and_then_falls_silent_is_given_up_within_five_seconds() {
    let mut scene = Scene::live(Config::default());
    scene.leg(LegEvent::Alive);
    for at in 0..249 {
        scene.carrier(frame(at * 20));
        scene.pass(20);
    }
    assert!(!scene.call.is_over());
    assert!(scene.commands().contains(&Command::Leg(LegCommand::Ping)));
    scene.pass(40);
    assert!(
        matches!(scene.ended().unwrap().reason, EndReason::LegFailed(f) if f.kind == FailureKind::Stalled)
    );
}

#[test]
fn a_clock_that_goes_backwards_changes_nothing() {
    let mut scene = Scene::live(Config::default());
    scene.pass(1_000);
    scene.carrier(frame(0));
    scene.now -= Duration::from_secs(1);
    scene.carrier(frame(20));
    assert!(!scene.call.is_over());
}

/// The leg lives all the time; the caller's side is what is looked at.
fn pass_with_a_living_leg(scene: &mut Scene, seconds: u64) {
    for _ in 0..seconds {
        scene.pass(1_000);
        scene.leg(LegEvent::Alive);
    }
}

#[test]
fn a_carrier_that_froze_is_asked_and_then_given_up() {
    let mut scene = Scene::live(Config::default());
    assert_eq!(scene.questions(), 1, "to learn whether it answers");
    scene.carrier(CarrierEvent::Alive);
    scene.carrier(frame(0));
    pass_with_a_living_leg(&mut scene, 14);
    assert_eq!(scene.questions(), 1);
    assert!(!scene.call.is_over());
    pass_with_a_living_leg(&mut scene, 1);
    assert_eq!(scene.ended().unwrap().reason, EndReason::CarrierLost);
}

#[test]
fn a_quiet_carrier_that_answers_is_there() {
    let mut scene = Scene::live(Config::default());
    for _ in 0..60 {
        if scene.questions() > 0 {
            scene.carrier(CarrierEvent::Alive);
        }
        pass_with_a_living_leg(&mut scene, 2);
    }
    assert!(!scene.call.is_over());
}

#[test]
fn a_carrier_that_never_answers_pings_is_not_judged_while_audio_comes() {
    let mut scene = Scene::live(Config::default());
    for second in 0..300 {
        scene.carrier(frame(second * 1_000));
        pass_with_a_living_leg(&mut scene, 1);
    }
    assert_eq!(scene.questions(), 1, "while it speaks it is not asked");
    pass_with_a_living_leg(&mut scene, 118);
    assert!(!scene.call.is_over(), "a muted caller may listen for long");
    pass_with_a_living_leg(&mut scene, 3);
    assert_eq!(scene.ended().unwrap().reason, EndReason::CarrierLost);
}

#[test]
fn a_machine_that_stood_still_does_not_give_up_its_carriers() {
    let mut scene = Scene::live(Config::default());
    scene.carrier(CarrierEvent::Alive);
    scene.pass(5_000); // asked
    scene.leg(LegEvent::Alive);
    scene.now += Duration::from_secs(60);
    scene.input(Input::Tick);
    scene.leg(LegEvent::Alive);
    scene.carrier(frame(0));
    scene.pass(1_000);
    assert!(!scene.call.is_over());
}
