//! Greeting, turns and answers, when nothing goes wrong and nobody interrupts.

use call::{
    cascade::{EarEvent, Message, MindCommand, MindEvent, MouthCommand, MouthEvent, Order},
    *,
};

use crate::duo::Duo;

#[test]
fn a_turn_is_answered_and_both_are_remembered() {
    let mut duo = Duo::live(Config::default());
    duo.turn("When do you open?");
    let (ask, thread) = duo.asked();
    assert_eq!(
        thread,
        [Message::System("You are kind.".into()), Message::Caller("When do you open?".into())]
    );
    duo.words(ask, "We open at eight");
    assert_eq!(duo.said(1), "", "not a whole clause yet");
    duo.words(ask, ", and on Sunday");
    assert_eq!(duo.said(1), "We open at eight,");
    duo.words(ask, " we do not open at all.");
    duo.thought(ask);
    assert_eq!(duo.said(1), "and on Sunday we do not open at all.");
    assert!(duo.has(&Order::Mouth(MouthCommand::Finish(ReplyId(1)))));
    duo.speech(1, 1_000);
    duo.speech(1, 2_000);
    duo.mouth(MouthEvent::Done(ReplyId(1)));
    assert_eq!(duo.sent.as_millis(), 3_000);
    duo.pass(3_500);
    duo.turn("Thanks.");
    let (_, thread) = duo.asked();
    assert_eq!(
        thread[2..],
        [
            Message::Agent("We open at eight, and on Sunday we do not open at all.".into()),
            Message::Caller("Thanks.".into())
        ]
    );
}

#[test]
fn the_greeting_is_spoken_first_and_known_to_the_mind() {
    let mut duo =
        Duo::live(Config { greeting: Some("Hello, this is the bakery.".into()), ..Config::default() });
    assert_eq!(duo.said(1), "Hello, this is the bakery.");
    duo.speech(1, 1_500);
    duo.mouth(MouthEvent::Done(ReplyId(1)));
    duo.pass(2_000);
    duo.turn("Hi.");
    let (_, thread) = duo.asked();
    assert_eq!(
        thread[1..],
        [Message::Agent("Hello, this is the bakery.".into()), Message::Caller("Hi.".into())]
    );
}

#[test]
fn a_short_word_does_not_cut_the_greeting_and_is_remembered() {
    let mut duo =
        Duo::live(Config { greeting: Some("Hello, this is the bakery.".into()), ..Config::default() });
    duo.speech(1, 1_500);
    duo.turn("Hello?");
    assert!(!duo.cleared());
    assert!(!duo.orders.iter().any(|order| matches!(order, Order::Mind(MindCommand::Ask { .. }))));
    duo.mouth(MouthEvent::Done(ReplyId(1)));
    duo.pass(2_000);
    duo.turn("Are you open?");
    assert_eq!(duo.asked().1.len(), 4);
}

#[test]
fn an_answer_that_cannot_be_spoken_does_not_stall_the_call() {
    for text in ["", "***", "```\n---\n```", "😀", " \n\n "] {
        let mut duo = Duo::live(Config::default());
        duo.turn("Hello?");
        let (ask, _) = duo.asked();
        duo.words(ask, text);
        duo.thought(ask);
        duo.pass(20_000);
        assert!(!duo.call.is_over(), "{text:?}");
        duo.turn("Are you there?");
        let (ask, _) = duo.asked();
        duo.words(ask, "Yes.");
        duo.thought(ask);
        assert_eq!(duo.said(2), "Yes.", "{text:?}");
    }
}

#[test]
fn a_model_that_does_not_stop_is_stopped() {
    let mut duo = Duo::live(Config::default());
    duo.turn("Tell me everything.");
    let (ask, _) = duo.asked();
    for _ in 0..2_000 {
        duo.words(ask, "And then it went on. ");
    }
    let said = duo.said(1);
    assert!((3_500..=4_200).contains(&said.len()), "{} letters", said.len());
    assert!(duo.has(&Order::Mind(MindCommand::Cancel(ask))));
    assert!(duo.has(&Order::Mouth(MouthCommand::Finish(ReplyId(1)))));
}

#[test]
fn noise_that_was_no_words_is_no_turn() {
    let mut duo = Duo::live(Config::default());
    duo.ear(EarEvent::Started);
    duo.ear(EarEvent::Ended(" ".into()));
    assert_eq!(duo.orders, []);
    assert!(duo.transcript().is_empty());
}

#[test]
fn late_words_of_a_dropped_question_are_not_spoken() {
    let mut duo = Duo::live(Config::default());
    duo.turn("One?");
    let (old, _) = duo.asked();
    duo.words(old, "The first answer is this. ");
    duo.turn("Two?");
    let (new, _) = duo.asked();
    assert!(duo.has(&Order::Mind(MindCommand::Cancel(old))));
    duo.said(1);
    duo.words(old, "More of the first. ");
    duo.mind(MindEvent::Done { ask: old, whole: true, usage: Usage::default() });
    duo.words(new, "The second answer is this.");
    duo.thought(new);
    assert_eq!((duo.said(1), duo.said(2)), (String::new(), "The second answer is this.".to_owned()));
}
