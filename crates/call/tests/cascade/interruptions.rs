//! The caller talks over the agent: everything downstream stops, and the history keeps what was heard.

use std::time::Duration;

use call::{
    cascade::{EarEvent, Judges, Message, MindCommand, MouthCommand, MouthEvent, Order},
    *,
};

use crate::duo::Duo;

/// The agent has begun to answer: all its words are known, and so much of their sound was sent.
fn speaking(sent: u64) -> Duo {
    let mut duo = Duo::live(Config::default());
    duo.turn("When do you open?");
    let (ask, _) = duo.asked();
    duo.words(ask, "We open at eight on weekdays, and at nine on Saturday and on Sunday.");
    duo.thought(ask);
    duo.said(1);
    duo.speech(1, sent);
    duo
}

#[test]
fn what_is_being_said_stops_everywhere_and_is_remembered_as_heard() {
    let mut duo = speaking(3_000);
    duo.pass(1_100);
    duo.ear(EarEvent::Started);
    assert!(duo.cleared());
    let heard = Some(Duration::from_millis(1_100));
    assert!(duo.has(&Order::Mouth(MouthCommand::Stop { reply: ReplyId(1), heard })), "{:?}", duo.orders);
    duo.speech(1, 500);
    assert_eq!(duo.sent.as_millis(), 3_000, "late sound is not played");
    duo.ear(EarEvent::Ended("Stop.".into()));
    let (_, thread) = duo.asked();
    assert_eq!(thread[2..], [Message::Agent("We open at eight".into()), Message::Caller("Stop.".into())]);
    let transcript = duo.transcript();
    assert_eq!(transcript[1].2.as_deref(), Some("We open at eight"));
}

#[test]
fn a_mouth_that_knows_better_is_believed() {
    let mut duo = speaking(3_000);
    duo.pass(1_100);
    duo.ear(EarEvent::Started);
    duo.mouth(MouthEvent::Heard { reply: ReplyId(1), words: "We open at eight on".into() });
    duo.ear(EarEvent::Ended("Stop.".into()));
    let (_, thread) = duo.asked();
    assert_eq!(thread[2], Message::Agent("We open at eight on".into()));
    assert_eq!(duo.transcript()[1].2.as_deref(), Some("We open at eight on"));
}

#[test]
fn what_nobody_heard_was_never_said() {
    let mut duo = speaking(0);
    duo.ear(EarEvent::Started);
    duo.ear(EarEvent::Ended("Wait.".into()));
    let (_, thread) = duo.asked();
    assert_eq!(thread[1..], [Message::Caller("When do you open?".into()), Message::Caller("Wait.".into())]);
    assert!(duo.orders.iter().any(|order| matches!(order, Order::Mouth(MouthCommand::Stop { .. }))));
}

#[test]
fn an_answer_that_is_still_being_thought_is_thought_no_further() {
    let mut duo = Duo::live(Config::default());
    duo.turn("When do you open?");
    let (ask, _) = duo.asked();
    duo.ear(EarEvent::Started);
    assert!(duo.has(&Order::Mind(MindCommand::Cancel(ask))));
    duo.words(ask, "We open at eight. ");
    assert_eq!(duo.said(1), "");
    duo.ear(EarEvent::Ended("On Sunday, I mean.".into()));
    let (ask, _) = duo.asked();
    duo.words(ask, "Not at all.");
    duo.thought(ask);
    assert_eq!(duo.said(2), "Not at all.");
}

#[test]
fn a_reply_that_was_made_but_not_heard_to_its_end_is_cut_too() {
    let mut duo = speaking(4_000);
    duo.mouth(MouthEvent::Done(ReplyId(1)));
    duo.pass(2_000);
    duo.ear(EarEvent::Started);
    assert!(duo.cleared());
    assert!(!duo.orders.iter().any(|order| matches!(order, Order::Mouth(MouthCommand::Stop { .. }))));
    duo.ear(EarEvent::Ended("Thanks.".into()));
    let (_, thread) = duo.asked();
    // 68 letters in four seconds, half of them heard.
    assert_eq!(thread[2], Message::Agent("We open at eight on weekdays, and".into()));
}

#[test]
fn words_that_nobody_had_noticed_still_interrupt() {
    let mut duo = speaking(3_000);
    duo.pass(500);
    duo.ear(EarEvent::Ended("Stop it.".into()));
    assert!(duo.cleared());
    let (_, thread) = duo.asked();
    assert_eq!(thread.last(), Some(&Message::Caller("Stop it.".into())));
}

#[test]
fn an_agent_that_may_not_be_interrupted_is_not_and_answers_afterwards() {
    let mut duo = Duo::live(Config { interruptible: false, ..Config::default() });
    duo.turn("When do you open?");
    let (ask, _) = duo.asked();
    duo.words(ask, "We open at eight.");
    duo.thought(ask);
    duo.speech(1, 1_000);
    duo.turn("And on Sunday?");
    assert!(!duo.cleared());
    duo.mouth(MouthEvent::Done(ReplyId(1)));
    let (ask, thread) = duo.asked();
    assert_eq!(thread.len(), 4, "{thread:?}");
    duo.words(ask, "Not at all.");
    duo.thought(ask);
    assert_eq!(duo.said(2), "Not at all.");
}

#[test]
fn a_single_judge_of_two_is_believed_only_after_a_while() {
    let mut duo = Duo::judged(Config::default(), Judges::Both);
    duo.turn("When do you open?");
    let (ask, _) = duo.asked();
    duo.words(ask, "We open at eight on weekdays.");
    duo.thought(ask);
    duo.speech(1, 3_000);
    duo.ear(EarEvent::Started);
    assert!(!duo.cleared(), "our own detector hears nothing");
    duo.pass(100);
    assert!(!duo.cleared());
    duo.pass(100);
    assert!(duo.cleared());
}

#[test]
fn late_sound_of_the_old_answer_is_not_taken_for_the_new_one() {
    let mut duo = speaking(1_000);
    duo.pass(500);
    duo.turn("And on Sunday?");
    let (ask, _) = duo.asked();
    duo.words(ask, "Not at all.");
    duo.thought(ask);
    let before = duo.sent;
    duo.speech(1, 400);
    assert_eq!(duo.sent, before);
    duo.speech(2, 400);
    assert_eq!(duo.sent, before + Duration::from_millis(400));
}
