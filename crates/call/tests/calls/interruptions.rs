//! The caller talks over the agent: what is said to whom, in which order, and what was heard.

use crate::scene::*;
use call::*;

fn truncate(item: u32, heard_ms: u64) -> LegCommand {
    LegCommand::Truncate { item: ItemId(item), heard: std::time::Duration::from_millis(heard_ms) }
}

#[test]
fn barge_in_clears_playback_and_tells_the_model_what_was_heard() {
    let mut scene = Scene::live(Config::default());
    scene.reply(1, 1);
    scene.speech(1, 1, 400);
    scene.speech(1, 1, 400);
    scene.pass(400);
    scene.carrier(CarrierEvent::Mark(MarkId(2)));
    scene.pass(100);
    scene.commands();
    scene.leg(LegEvent::SpeechStarted);
    assert_eq!(
        scene.commands(),
        [
            Command::Carrier(CarrierCommand::Clear),
            Command::Leg(LegCommand::Cancel),
            Command::Leg(truncate(1, 500)),
        ]
    );
}

#[test]
fn a_reply_that_is_made_but_still_playing_is_cut_without_a_cancel() {
    let mut scene = Scene::live(Config::default());
    scene.reply(1, 1);
    scene.speech(1, 1, 900);
    scene.reply_done(1, 1);
    scene.pass(300);
    scene.commands();
    scene.leg(LegEvent::SpeechStarted);
    assert_eq!(scene.commands(), [Command::Carrier(CarrierCommand::Clear), Command::Leg(truncate(1, 300))]);
}

#[test]
fn late_audio_of_an_interrupted_reply_is_never_played_and_the_next_reply_is() {
    let mut scene = Scene::live(Config::default());
    scene.reply(1, 1);
    scene.speech(1, 1, 400);
    scene.pass(100);
    scene.leg(LegEvent::SpeechStarted);
    scene.commands();
    scene.speech(1, 1, 400);
    scene.leg(done(1, Outcome::Cancelled));
    assert_eq!(scene.commands(), []);
    scene.reply(2, 3);
    scene.speech(2, 3, 400);
    assert!(matches!(scene.commands()[..], [Command::Carrier(CarrierCommand::Play(_)), ..]));
}

#[test]
fn an_item_that_turns_up_after_its_reply_was_interrupted_is_forgotten() {
    let mut scene = Scene::live(Config::default());
    scene.leg(LegEvent::ReplyStarted { reply: REPLY });
    scene.leg(LegEvent::SpeechStarted);
    assert_eq!(scene.leg_commands(), [LegCommand::Cancel]);
    scene.leg(LegEvent::ItemStarted { reply: REPLY, item: ITEM });
    assert_eq!(scene.leg_commands(), [LegCommand::Forget { item: ITEM }]);
}

#[test]
fn a_reply_that_was_cancelled_on_its_way_is_never_heard() {
    let mut scene = Scene::live(greeting());
    scene.commands();
    scene.leg(LegEvent::SpeechStarted);
    scene.pass(1_200); // the greeting has not even begun
    assert_eq!(scene.leg_commands(), [LegCommand::Cancel]);
    scene.leg(LegEvent::ReplyUnwanted { reply: REPLY });
    scene.leg(LegEvent::ItemStarted { reply: REPLY, item: ITEM });
    scene.speech(1, 1, 400);
    scene.leg(done(1, Outcome::Cancelled));
    assert_eq!(scene.commands(), [Command::Leg(LegCommand::Forget { item: ITEM })]);
}

#[test]
fn of_several_items_the_heard_one_stays_the_playing_one_is_cut_and_the_rest_is_forgotten() {
    let mut scene = Scene::live(Config::default());
    scene.reply(1, 1);
    scene.speech(1, 1, 400); // mark 2
    scene.leg(LegEvent::SpeechDone { reply: REPLY, item: ITEM });
    for item in [2, 3] {
        scene.leg(LegEvent::ItemStarted { reply: REPLY, item: ItemId(item) });
        scene.speech(1, item, 400);
        scene.leg(LegEvent::SpeechDone { reply: REPLY, item: ItemId(item) });
    }
    scene.leg(LegEvent::ItemStarted { reply: REPLY, item: ItemId(4) });
    scene.pass(400);
    scene.carrier(CarrierEvent::Mark(MarkId(2)));
    scene.pass(150);
    scene.commands();
    scene.leg(LegEvent::SpeechStarted);
    let forget = |item| LegCommand::Forget { item: ItemId(item) };
    assert_eq!(scene.leg_commands(), [LegCommand::Cancel, truncate(2, 150), forget(3), forget(4)]);
}

#[test]
fn when_everything_was_heard_there_is_nothing_to_clear_or_cut() {
    let mut scene = Scene::live(Config::default());
    scene.reply(1, 1);
    scene.speech(1, 1, 400);
    scene.reply_done(1, 1);
    scene.pass(400);
    scene.carrier(CarrierEvent::Mark(MarkId(2)));
    scene.commands();
    scene.leg(LegEvent::SpeechStarted);
    assert_eq!(scene.commands(), []);
}

#[test]
fn marks_that_flood_back_after_the_clear_do_not_count() {
    let mut scene = Scene::live(Config::default());
    scene.reply(1, 1);
    scene.speech(1, 1, 900);
    scene.pass(100);
    scene.leg(LegEvent::SpeechStarted);
    scene.carrier(CarrierEvent::Mark(MarkId(2)));
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(2) });
    scene.reply(2, 3);
    scene.speech(2, 3, 900); // mark 3
    scene.carrier(CarrierEvent::Mark(MarkId(2)));
    scene.pass(50);
    scene.commands();
    scene.leg(LegEvent::SpeechStarted);
    assert_eq!(scene.leg_commands(), [LegCommand::Cancel, truncate(3, 50)]);
}

#[test]
fn an_agent_that_may_not_be_interrupted_is_not() {
    let mut scene = Scene::live(Config { interruptible: false, ..Config::default() });
    scene.reply(1, 1);
    scene.speech(1, 1, 5_000);
    scene.commands();
    scene.leg(LegEvent::SpeechStarted);
    scene.pass(3_000);
    assert!(!scene.commands().iter().any(|c| matches!(c, Command::Carrier(CarrierCommand::Clear))));
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(2) });
    scene.leg(LegEvent::TurnCommitted { item: ItemId(3) });
    // Its answer comes after the one being spoken, and once; the leg never takes over.
    assert_eq!(scene.leg_commands(), [LegCommand::Reply]);
}

#[test]
fn a_short_word_does_not_cut_the_greeting() {
    let mut scene = Scene::live(greeting());
    scene.reply(1, 1);
    scene.speech(1, 1, 3_000);
    scene.reply_done(1, 1);
    scene.commands();
    scene.leg(LegEvent::SpeechStarted);
    scene.pass(1_100); // 600 ms of "Hello?" and the leg's 500 ms of silence
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(2) });
    assert_eq!(scene.leg_commands(), []);
    scene.pass(1_900);
    scene.carrier(CarrierEvent::Mark(MarkId(2)));
    scene.carrier(CarrierEvent::Mark(MarkId(5)));
    assert_eq!(scene.leg_commands(), [LegCommand::TakeTurns(Turns::Live)]);
}

#[test]
fn a_caller_who_really_talks_over_the_greeting_cuts_it_and_gets_an_answer() {
    let mut scene = Scene::live(greeting());
    scene.reply(1, 1);
    scene.speech(1, 1, 3_000);
    scene.pass(200);
    scene.commands();
    scene.leg(LegEvent::SpeechStarted);
    scene.pass(1_199);
    assert_eq!(scene.leg_commands(), []);
    scene.pass(1);
    assert_eq!(scene.leg_commands(), [LegCommand::Cancel, truncate(1, 960)]); // up to the mark that is still out
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(2) });
    assert_eq!(scene.leg_commands(), [LegCommand::Reply, LegCommand::TakeTurns(Turns::Live)]);
}

#[test]
fn who_speaks_past_the_end_of_the_greeting_is_answered_and_not_disturbed() {
    let mut scene = Scene::live(greeting());
    scene.reply(1, 1);
    scene.speech(1, 1, 200);
    scene.reply_done(1, 1);
    scene.leg(LegEvent::SpeechStarted);
    scene.commands();
    scene.pass(200);
    scene.carrier(CarrierEvent::Mark(MarkId(2)));
    scene.pass(2_000);
    assert_eq!(scene.leg_commands(), [], "a change of turns in mid-speech would lose the turn");
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(2) });
    assert_eq!(scene.leg_commands(), [LegCommand::Reply, LegCommand::TakeTurns(Turns::Live)]);
}

#[test]
fn what_was_heard_stands_in_the_transcript() {
    let mut scene = Scene::live(Config::default());
    scene.reply(1, 1);
    let text = "We open at eight on weekdays.".to_owned();
    scene.leg(LegEvent::AgentWords { item: ITEM, text, whole: true });
    scene.speech(1, 1, 900);
    scene.reply_done(1, 1);
    scene.pass(450);
    scene.leg(LegEvent::SpeechStarted);
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(2) });
    scene.leg(LegEvent::CallerWords { item: ItemId(2), text: "And on Sundays?".into(), whole: true });
    scene.carrier(CarrierEvent::Stopped);
    let transcript = scene.ended().unwrap().transcript;
    let lines: Vec<_> = transcript.iter().map(|l| (l.speaker, l.said.as_str(), l.heard.as_deref())).collect();
    assert_eq!(
        lines,
        [
            (Speaker::Agent, "We open at eight on weekdays.", Some("We open at")),
            (Speaker::Caller, "And on Sundays?", None),
        ]
    );
}
