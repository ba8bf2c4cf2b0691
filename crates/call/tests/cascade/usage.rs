//! What a cascade says it used, and that nothing which is paid for gets lost.

use std::time::Duration;

use call::{
    cascade::{EarEvent, MindEvent, MouthEvent},
    *,
};

use crate::duo::Duo;

const fn tokens(text_in: u64, text_cached: u64, text_out: u64) -> Usage {
    Usage {
        text_in,
        text_cached,
        text_out,
        audio_in: 0,
        audio_cached: 0,
        image_in: 0,
        image_cached: 0,
        audio_out: 0,
        transcription_audio_in: 0,
        transcription_text_in: 0,
        transcription_text_out: 0,
        transcribed: Duration::ZERO,
        characters: 0,
        untold_answers: 0,
    }
}

/// The caller hangs up: what the call says, and what the leg could not say any more.
fn end(duo: &mut Duo) -> Usage {
    duo.input(Input::Carrier(CarrierEvent::Stopped));
    let mut meter = duo.summary.take().unwrap().usage;
    meter += duo.cascade.unsaid();
    meter.total()
}

fn guess(duo: &mut Duo, words: &str) {
    duo.ear(EarEvent::Started);
    duo.ear(EarEvent::Words(words.into()));
    duo.ear(EarEvent::Perhaps(words.into()));
}

#[test]
fn sound_tokens_and_letters_of_a_whole_call_are_counted() {
    let mut duo = Duo::live(Config::default());
    duo.silence(2_600);
    duo.turn("Hello?");
    let (ask, _) = duo.asked();
    duo.words(ask, "Grüß Gott! ");
    duo.words(ask, "How are you?");
    duo.mind(MindEvent::Done { ask, whole: true, usage: tokens(40, 30, 8) });
    duo.speech(1, 900);
    duo.mouth(MouthEvent::Done(ReplyId(1)));
    duo.silence(20);
    let used = end(&mut duo);
    // The last frame is too little to be told by itself.
    assert_eq!(used.transcribed, Duration::from_millis(2_620));
    // "Grüß Gott!" has ten letters however many bytes, "How are you?" twelve; a space goes with each.
    assert_eq!(used.characters, 10 + 1 + 12 + 1);
    assert_eq!((used.text_in, used.text_cached, used.text_out, used.untold_answers), (40, 30, 8, 0));
}

#[test]
fn an_answer_that_was_thought_for_nothing_is_paid_for() {
    let mut duo = Duo::live(Config::default());
    guess(&mut duo, "I want rye");
    let (wrong, _) = duo.asked();
    duo.words(wrong, "Rye it is. ");
    duo.mind(MindEvent::Done { ask: wrong, whole: true, usage: tokens(10, 0, 3) });
    duo.ear(EarEvent::Ended("I want rice".into()));
    let (right, _) = duo.asked();
    duo.words(right, "Rice it is.");
    duo.mind(MindEvent::Done { ask: right, whole: true, usage: tokens(11, 0, 4) });
    let used = end(&mut duo);
    assert_eq!((used.text_in, used.text_out, used.untold_answers), (21, 7, 0));
    assert_eq!(used.characters, 12, "what nobody said is not paid for at the voice");
}

#[test]
fn answers_of_which_nobody_says_what_they_took_are_counted() {
    let mut duo = Duo::live(Config::default());
    guess(&mut duo, "I want");
    let _ = duo.asked();
    duo.ear(EarEvent::Resumed); // cancelled
    duo.ear(EarEvent::Ended("I want rye".into()));
    let (refused, _) = duo.asked();
    let failure = Failure { provider: "groq", kind: FailureKind::RateLimited, detail: "".into() };
    duo.mind(MindEvent::Failed { ask: refused, failure: failure.clone(), again: true }); // costs nothing
    duo.pass(1_000);
    let (broken, _) = duo.asked();
    duo.words(broken, "Rye it is, and ");
    duo.mind(MindEvent::Failed { ask: broken, failure, again: true });
    duo.speech(2, 400);
    duo.mouth(MouthEvent::Done(ReplyId(2)));
    duo.pass(1_000);
    duo.turn("Thanks.");
    let (silent, _) = duo.asked();
    duo.words(silent, "Gladly.");
    duo.thought(silent); // a server that does not count
    duo.speech(3, 400);
    duo.mouth(MouthEvent::Done(ReplyId(3)));
    duo.pass(1_000);
    duo.turn("One more thing.");
    let _ = duo.asked(); // and the caller hangs up
    assert_eq!(end(&mut duo).untold_answers, 4);
}

#[test]
fn what_a_new_voice_says_again_is_paid_for_again_and_what_it_did_not_get_is_not() {
    let mut duo = Duo::live(Config::default());
    duo.turn("Hello?");
    let (ask, _) = duo.asked();
    duo.words(ask, "Hello there. ");
    let broke = Failure { provider: "deepgram", kind: FailureKind::Closed, detail: "".into() };
    duo.mouth(MouthEvent::Failed(broke));
    duo.words(ask, "How are you? ");
    duo.words(ask, "Well?");
    duo.thought(ask);
    duo.mouth(MouthEvent::Ready);
    // "Hello there." went twice, the rest only to the new voice, in one piece.
    assert_eq!(end(&mut duo).characters, 13 + "Hello there. How are you? Well?".len() as u64 + 1);
}

#[test]
fn a_leg_that_fails_says_before_what_it_used() {
    let mut duo = Duo::live(Config::default());
    duo.silence(400);
    let gone = Failure { provider: "groq", kind: FailureKind::BadKey, detail: "".into() };
    duo.mind(MindEvent::Gone(gone));
    let summary = duo.summary.take().unwrap();
    assert_eq!(summary.usage.total().transcribed, Duration::from_millis(400));
    assert_eq!(duo.cascade.unsaid(), Usage::default());
}
