//! Thinking ahead: what is thought before the turn is over is used when it was right, and unknown when not.

use call::{
    cascade::{EarEvent, Message, MindCommand, MindEvent, MouthEvent, Order},
    *,
};

use crate::duo::Duo;

fn starts(duo: &mut Duo, words: &str) {
    duo.ear(EarEvent::Started);
    duo.ear(EarEvent::Words(words.into()));
}

#[test]
fn a_right_guess_is_spoken_the_moment_the_turn_is_over() {
    let mut duo = Duo::live(Config::default());
    starts(&mut duo, "When do you open?");
    duo.ear(EarEvent::Perhaps("When do you open?".into()));
    let (ask, thread) = duo.asked();
    assert_eq!(thread[1..], [Message::Caller("When do you open?".into())]);
    duo.words(ask, "We open at eight. ");
    assert_eq!(duo.said(1), "", "nobody knows of it yet");
    duo.ear(EarEvent::Ended("When do you open?".into()));
    assert_eq!(duo.said(1), "We open at eight.");
    assert!(!duo.orders.iter().any(|order| matches!(order, Order::Mind(_))), "it was asked once");
    duo.words(ask, "And close at six.");
    duo.thought(ask);
    assert_eq!(duo.said(1), "And close at six.");
}

#[test]
fn a_guess_that_is_thought_to_its_end_early_is_whole() {
    let mut duo = Duo::live(Config::default());
    starts(&mut duo, "Bye.");
    duo.ear(EarEvent::Perhaps("Bye.".into()));
    let (ask, _) = duo.asked();
    duo.words(ask, "Goodbye!");
    let usage = Usage { text_in: 7, ..Usage::default() };
    duo.mind(MindEvent::Done { ask, whole: true, usage });
    duo.ear(EarEvent::Ended("Bye.".into()));
    assert_eq!(duo.said(1), "Goodbye!");
    duo.speech(1, 500);
    duo.mouth(MouthEvent::Done(ReplyId(1)));
    duo.input(Input::Carrier(CarrierEvent::Stopped));
    assert_eq!(duo.summary.unwrap().usage.total().text_in, 7);
}

#[test]
fn a_wrong_guess_leaves_no_trace() {
    let mut duo = Duo::live(Config::default());
    starts(&mut duo, "When do you open");
    duo.ear(EarEvent::Perhaps("When do you open?".into()));
    let (wrong, _) = duo.asked();
    duo.words(wrong, "We open at eight. ");
    duo.ear(EarEvent::Resumed);
    assert!(duo.has(&Order::Mind(MindCommand::Cancel(wrong))));
    duo.words(wrong, "Crossed with the cancel. ");
    duo.ear(EarEvent::Perhaps("When do you open on Sunday?".into()));
    let (right, thread) = duo.asked();
    assert_eq!(thread[1..], [Message::Caller("When do you open on Sunday?".into())]);
    duo.ear(EarEvent::Ended("When do you open on Sunday?".into()));
    duo.words(right, "Not at all, I am sorry.");
    duo.thought(right);
    assert_eq!(duo.said(1), "Not at all, I am sorry.");
    let transcript = duo.transcript();
    assert_eq!(transcript.len(), 2, "{transcript:?}");
}

#[test]
fn a_turn_that_ends_otherwise_than_guessed_is_asked_anew() {
    let mut duo = Duo::live(Config::default());
    starts(&mut duo, "I want rye");
    duo.ear(EarEvent::Perhaps("I want rye".into()));
    let (wrong, _) = duo.asked();
    duo.words(wrong, "Rye it is. ");
    duo.ear(EarEvent::Ended("I want rice".into()));
    assert!(duo.has(&Order::Mind(MindCommand::Cancel(wrong))));
    let (right, thread) = duo.asked();
    assert_eq!(thread.last(), Some(&Message::Caller("I want rice".into())));
    duo.words(right, "Rice it is.");
    duo.thought(right);
    assert_eq!(duo.said(1), "Rice it is.");
}

#[test]
fn a_guess_that_fails_is_asked_again_only_when_somebody_waits_for_it() {
    let mut duo = Duo::live(Config::default());
    starts(&mut duo, "Hello?");
    duo.ear(EarEvent::Perhaps("Hello?".into()));
    let (ask, _) = duo.asked();
    let failure = Failure { provider: "groq", kind: FailureKind::RateLimited, detail: "".into() };
    duo.mind(MindEvent::Failed { ask, failure, again: true });
    assert!(!duo.orders.iter().any(|order| matches!(order, Order::Mind(MindCommand::Ask { .. }))));
    duo.ear(EarEvent::Ended("Hello?".into()));
    let (ask, _) = duo.asked();
    duo.words(ask, "Hello!");
    duo.thought(ask);
    assert_eq!(duo.said(1), "Hello!");
}

#[test]
fn while_turns_are_held_nobody_thinks_ahead() {
    let mut duo = Duo::live(Config { interruptible: false, ..Config::default() });
    starts(&mut duo, "Hello?");
    duo.ear(EarEvent::Perhaps("Hello?".into()));
    assert_eq!(duo.orders, []);
    duo.ear(EarEvent::Ended("Hello?".into()));
    let (ask, _) = duo.asked();
    duo.words(ask, "Hello!");
    duo.thought(ask);
    assert_eq!(duo.said(1), "Hello!");
}

#[test]
fn a_caller_who_hangs_up_leaves_no_question_open() {
    let mut duo = Duo::live(Config::default());
    starts(&mut duo, "Hello?");
    duo.ear(EarEvent::Perhaps("Hello?".into()));
    let (ask, _) = duo.asked();
    duo.input(Input::Carrier(CarrierEvent::Stopped));
    assert!(duo.has(&Order::Mind(MindCommand::Cancel(ask))));
    assert_eq!(duo.cascade.poll_timeout(), None);
}
