//! Parts that are slow, break or say no.

use std::time::Duration;

use call::{
    cascade::{EarCommand, EarEvent, Message, MindCommand, MindEvent, MouthCommand, MouthEvent, Order},
    *,
};

use crate::duo::Duo;

fn failure(kind: FailureKind) -> Failure {
    Failure { provider: "deepgram", kind, detail: "test".into() }
}

fn end(duo: &Duo) -> Option<&EndReason> {
    duo.summary.as_ref().map(|summary| &summary.reason)
}

#[test]
fn a_mind_that_says_nothing_is_asked_twice_and_then_the_call_asks_again() {
    let mut duo = Duo::live(Config::default());
    duo.turn("Hello?");
    let (first, _) = duo.asked();
    duo.pass(3_000);
    assert!(duo.has(&Order::Mind(MindCommand::Cancel(first))));
    let (second, thread) = duo.asked();
    assert_eq!(thread.last(), Some(&Message::Caller("Hello?".into())));
    duo.words(second, "Hello!");
    duo.thought(second);
    assert_eq!(duo.said(1), "Hello!");
}

#[test]
fn a_mind_that_never_answers_ends_the_call_by_name() {
    let mut duo = Duo::live(Config::default());
    duo.turn("Hello?");
    duo.pass(60_000);
    let Some(EndReason::LegFailed(failure)) = end(&duo) else { panic!("{:?}", end(&duo)) };
    assert_eq!((failure.provider, failure.kind), ("language model", FailureKind::Stalled));
}

#[test]
fn an_error_before_the_first_word_is_asked_again_and_one_after_it_is_not() {
    let mut duo = Duo::live(Config::default());
    duo.turn("Hello?");
    let (ask, _) = duo.asked();
    duo.mind(MindEvent::Failed { ask, failure: failure(FailureKind::RateLimited), again: true });
    duo.pass(3_000);
    let (ask, thread) = duo.asked();
    assert_eq!(thread.len(), 2, "{thread:?}");
    duo.words(ask, "Hello, how are you today, ");
    duo.mind(MindEvent::Failed { ask, failure: failure(FailureKind::Provider), again: true });
    assert_eq!(duo.said(2), "Hello, how are you today,");
    duo.speech(2, 1_500);
    duo.mouth(MouthEvent::Done(ReplyId(2)));
    duo.pass(5_000);
    assert!(!duo.call.is_over());
    duo.turn("Fine.");
    assert_eq!(duo.asked().1.len(), 4);
}

#[test]
fn a_bad_key_ends_the_call_at_once() {
    let mut duo = Duo::live(Config::default());
    duo.turn("Hello?");
    let (ask, _) = duo.asked();
    duo.mind(MindEvent::Failed { ask, failure: failure(FailureKind::BadKey), again: false });
    assert!(matches!(end(&duo), Some(EndReason::LegFailed(failure)) if failure.kind == FailureKind::BadKey));
    assert!(duo.has(&Order::Ear(EarCommand::Close)) && duo.has(&Order::Mouth(MouthCommand::Close)));
}

#[test]
fn a_voice_that_is_left_says_sorry_and_nobody_listens_any_more() {
    let sorry = Some("Please call again.".to_owned());
    let mut duo = Duo::live(Config { error_message: sorry, ..Config::default() });
    duo.turn("Hello?");
    let (ask, _) = duo.asked();
    duo.mind(MindEvent::Failed { ask, failure: failure(FailureKind::BadKey), again: false });
    assert!(duo.has(&Order::Ear(EarCommand::Close)) && !duo.has(&Order::Mouth(MouthCommand::Close)));
    duo.ear(EarEvent::Started);
    duo.ear(EarEvent::Ended("Are you there?".into()));
    assert_eq!(duo.said(2), "Please call again.");
    duo.speech(2, 1_200);
    duo.mouth(MouthEvent::Done(ReplyId(2)));
    duo.pass(15_000);
    assert!(matches!(end(&duo), Some(EndReason::LegFailed(failure)) if failure.kind == FailureKind::BadKey));
    assert!(duo.has(&Order::Mouth(MouthCommand::Close)));
    let words: Vec<_> = duo.transcript().into_iter().map(|(_, words, _)| words).collect();
    assert_eq!(words, ["Hello?", "Please call again."]);
}

#[test]
fn an_ear_that_breaks_in_mid_turn_is_opened_again_and_no_word_is_lost() {
    let mut duo = Duo::live(Config::default());
    duo.ear(EarEvent::Started);
    duo.ear(EarEvent::Words("I would like two loaves".into()));
    duo.ear(EarEvent::Failed(failure(FailureKind::Closed)));
    assert!(duo.has(&Order::Ear(EarCommand::Open)));
    let heard = |duo: &mut Duo| {
        duo.input(Input::Carrier(CarrierEvent::Audio {
            at: None,
            audio: Audio::silence(Duration::from_millis(20)),
        }));
    };
    heard(&mut duo);
    duo.pass(400);
    duo.ear(EarEvent::Ready);
    duo.ear(EarEvent::Started);
    duo.ear(EarEvent::Words("of rye".into()));
    duo.ear(EarEvent::Ended("of rye bread.".into()));
    let (_, thread) = duo.asked();
    assert_eq!(thread.last(), Some(&Message::Caller("I would like two loaves of rye bread.".into())));
    assert!(!duo.call.is_over());
}

#[test]
fn a_turn_that_was_over_when_the_ear_broke_is_answered() {
    let mut duo = Duo::live(Config::default());
    duo.ear(EarEvent::Started);
    duo.ear(EarEvent::Words("Two loaves, please.".into()));
    duo.ear(EarEvent::Failed(failure(FailureKind::Closed)));
    duo.ear(EarEvent::Ready);
    duo.pass(2_000);
    assert_eq!(duo.asked().1.last(), Some(&Message::Caller("Two loaves, please.".into())));
}

#[test]
fn an_ear_that_goes_silent_in_mid_turn_is_opened_again() {
    let mut duo = Duo::live(Config::default());
    duo.ear(EarEvent::Started);
    duo.ear(EarEvent::Words("I would".into()));
    duo.pass(5_000);
    assert!(duo.has(&Order::Ear(EarCommand::Open)), "{:?}", duo.orders);
    assert!(!duo.call.is_over());
}

#[test]
fn an_ear_that_breaks_twice_or_does_not_come_back_fails_the_leg() {
    let mut duo = Duo::live(Config::default());
    duo.ear(EarEvent::Failed(failure(FailureKind::Closed)));
    duo.ear(EarEvent::Ready);
    duo.pass(2_000);
    duo.ear(EarEvent::Failed(failure(FailureKind::Closed)));
    assert!(matches!(end(&duo), Some(EndReason::LegFailed(failure)) if failure.kind == FailureKind::Closed));

    let mut duo = Duo::live(Config::default());
    duo.mouth(MouthEvent::Failed(failure(FailureKind::Closed)));
    duo.pass(4_000);
    assert!(
        matches!(end(&duo), Some(EndReason::LegFailed(failure)) if failure.kind == FailureKind::NotReady)
    );
}

#[test]
fn a_mouth_that_breaks_in_mid_sentence_says_the_rest_on_a_new_connection() {
    let mut duo = Duo::live(Config::default());
    duo.turn("When do you open?");
    let (ask, _) = duo.asked();
    duo.words(ask, "We open at eight on weekdays.");
    duo.thought(ask);
    assert_eq!(duo.said(1), "We open at eight on weekdays.");
    duo.speech(1, 16 * 65);
    duo.mouth(MouthEvent::Failed(failure(FailureKind::Closed)));
    duo.orders.clear();
    duo.mouth(MouthEvent::Ready);
    assert_eq!(duo.said(1), "on weekdays.");
    assert!(duo.has(&Order::Mouth(MouthCommand::Finish(ReplyId(1)))));
    duo.speech(1, 800);
    duo.mouth(MouthEvent::Done(ReplyId(1)));
    duo.pass(3_000);
    duo.turn("Thanks.");
    assert_eq!(duo.asked().1[2], Message::Agent("We open at eight on weekdays.".into()));
}

#[test]
fn a_call_in_which_nobody_speaks_is_no_trouble() {
    let mut duo = Duo::live(Config::default());
    duo.pass(120_000);
    assert!(!duo.call.is_over(), "{:?}", end(&duo));
}
