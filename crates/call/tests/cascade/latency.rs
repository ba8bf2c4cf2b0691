//! What a cascade's silence is made of: who of ear, mind and mouth took how long.

use call::{
    cascade::{EarEvent, MindEvent, MouthEvent},
    *,
};

use crate::duo::Duo;

/// The caller says something, and is quiet for so long.
fn speaks(duo: &mut Duo, quiet: u64) {
    for (ms, byte) in [(800, 0x30), (quiet, ulaw::SILENCE)] {
        for _ in 0..ms / 20 {
            duo.pass(20);
            duo.input(Input::Carrier(CarrierEvent::Audio { at: None, audio: Audio::ulaw(&[byte; 160]) }));
        }
    }
}

/// The turns that were told, with what their silence was made of.
fn told(duo: &mut Duo) -> Vec<(Turn, Option<[u128; 6]>)> {
    duo.input(Input::Carrier(CarrierEvent::Stopped));
    let turns = duo.summary.take().expect("the call has ended").turns;
    let notes = duo.notes.iter().filter_map(|note| match note {
        Note::TurnEnded(told) => Some(told.turn),
        _ => None,
    });
    assert_eq!(notes.collect::<Vec<_>>(), turns, "each was told");
    let ms = |latency: Segments| latency.named().map(|(_, time)| time.as_millis());
    turns.into_iter().map(|turn| (turn, turn.latency.map(ms))).collect()
}

#[test]
fn thought_ends_with_the_first_token_and_not_with_the_first_clause() {
    let mut duo = Duo::live(Config::default());
    speaks(&mut duo, 400);
    duo.turn("When do you open?");
    let (ask, _) = duo.asked();
    duo.pass(150);
    duo.words(ask, "We");
    duo.pass(70);
    duo.words(ask, " open at eight. ");
    duo.thought(ask);
    duo.pass(90);
    duo.speech(1, 600);
    duo.mouth(MouthEvent::Done(ReplyId(1)));
    duo.pass(700);
    let turns = told(&mut duo);
    assert_eq!(turns[0].1, Some([400, 150, 0, 160, 0, 0]));
    assert!(!turns[0].0.ahead && !turns[0].0.estimated);
}

#[test]
fn what_was_thought_ahead_takes_no_time() {
    for begun in [false, true] {
        let mut duo = Duo::live(Config::default());
        speaks(&mut duo, 200);
        duo.ear(EarEvent::Started);
        duo.ear(EarEvent::Perhaps("When do you open?".into()));
        let (ask, _) = duo.asked();
        duo.pass(100);
        if begun {
            duo.words(ask, "We open at eight. ");
        }
        duo.pass(100);
        duo.ear(EarEvent::Ended("When do you open?".into()));
        duo.pass(30);
        duo.words(ask, if begun { "Every day." } else { "We open at eight. " });
        duo.thought(ask);
        duo.pass(90);
        duo.speech(1, 600);
        duo.mouth(MouthEvent::Done(ReplyId(1)));
        duo.pass(700);
        let turns = told(&mut duo);
        let expected = if begun { [400, 0, 0, 120, 0, 0] } else { [400, 30, 0, 90, 0, 0] };
        assert_eq!((turns[0].1, turns[0].0.ahead), (Some(expected), true), "begun: {begun}");
    }
}

#[test]
fn a_wrong_guess_makes_no_answer_look_quick() {
    let mut duo = Duo::live(Config::default());
    speaks(&mut duo, 200);
    duo.ear(EarEvent::Started);
    duo.ear(EarEvent::Perhaps("When do you".into()));
    let (wrong, _) = duo.asked();
    duo.words(wrong, "Do what? ");
    duo.ear(EarEvent::Resumed);
    speaks(&mut duo, 400);
    duo.ear(EarEvent::Ended("When do you open?".into()));
    let (right, _) = duo.asked();
    duo.pass(150);
    duo.words(right, "At eight. ");
    duo.thought(right);
    duo.pass(90);
    duo.speech(1, 600);
    duo.mouth(MouthEvent::Done(ReplyId(1)));
    duo.pass(700);
    let turns = told(&mut duo);
    assert_eq!((turns[0].1, turns[0].0.ahead), (Some([400, 150, 0, 90, 0, 0]), false));
}

#[test]
fn a_mind_that_is_asked_again_thought_all_the_time() {
    let mut duo = Duo::live(Config::default());
    speaks(&mut duo, 400);
    duo.turn("When do you open?");
    let (ask, _) = duo.asked();
    let failure = Failure { provider: "groq", kind: FailureKind::Provider, detail: "".into() };
    duo.pass(200);
    duo.mind(MindEvent::Failed { ask, failure, again: true });
    duo.pass(1_000); // so long it waits before it asks again
    let (ask, _) = duo.asked();
    duo.pass(150);
    duo.words(ask, "At eight. ");
    duo.thought(ask);
    duo.pass(90);
    duo.speech(2, 600);
    duo.mouth(MouthEvent::Done(ReplyId(2)));
    duo.pass(700);
    assert_eq!(told(&mut duo)[0].1, Some([400, 1_350, 0, 90, 0, 0]));
}
