//! A leg dies, and the next one goes on where it was.

use std::time::Duration;

use call::*;

use crate::scene::*;

/// Events count from one again with each leg; the call's own numbers go on.
fn two_legs() -> Config {
    Config { legs: vec![LegRules::default(); 2], ..with_tools() }
}

fn dies(scene: &mut Scene) {
    scene.leg(LegEvent::Failed(failure(FailureKind::Closed)));
}

fn says(scene: &mut Scene, item: u32, words: &str) {
    scene.leg(LegEvent::AgentWords { item: ItemId(item), text: words.into(), whole: false });
}

/// The caller has asked, and the agent is a second into its answer.
fn answering() -> Scene {
    let mut scene = Scene::live(two_legs());
    caller_says(&mut scene, 1, "Where is my order?");
    scene.reply(1, 2);
    says(&mut scene, 2, "It is on its way");
    scene.speech(1, 2, 1_000);
    scene.commands();
    scene
}

fn dial(leg: usize) -> [Command; 2] {
    [Command::Leg(LegCommand::Close), Command::Dial { leg, turns: Turns::Live }]
}

fn agent(item: u32, words: &str) -> Past {
    Past::Agent { item: ItemId(item), words: words.into() }
}

fn caller(words: &str) -> Past {
    Past::Caller(words.into())
}

/// What the new leg is told that is no plain speech, cut down to what it is about.
fn facts(commands: &[LegCommand]) -> Vec<&str> {
    let told = commands.iter().filter_map(|command| match command {
        LegCommand::Remember(past) => Some(past),
        _ => None,
    });
    told.flatten()
        .filter_map(|past| match past {
            Past::Fact(words) => Some(words.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_leg_that_is_refused_while_the_phone_rings_is_replaced_before_anybody_notices() {
    let mut scene = Scene::open();
    scene.input(Input::Token(Box::new(Config { greeting: greeting().greeting, ..two_legs() })));
    scene.carrier(CarrierEvent::Started(Box::default()));
    scene.input(Input::Admitted);
    scene.commands();
    scene.leg(LegEvent::Failed(failure(FailureKind::BadKey)));
    let turns = Turns::Held; // nobody talks over a greeting that has not begun
    assert_eq!(scene.commands(), [Command::Leg(LegCommand::Close), Command::Dial { leg: 1, turns }]);
    scene.leg(LegEvent::Ready);
    let words = "Hello, this is Acme.".to_owned();
    assert_eq!(scene.leg_commands(), [LegCommand::Say(Say { text: words })]);
}

#[test]
fn a_leg_that_is_not_ready_in_three_seconds_is_replaced_and_the_last_has_a_little_longer() {
    let mut scene = Scene::open();
    scene.input(Input::Token(Box::new(two_legs())));
    scene.carrier(CarrierEvent::Started(Box::default()));
    scene.input(Input::Admitted);
    scene.commands();
    scene.pass(2_999);
    assert_eq!(scene.commands(), []);
    scene.pass(1);
    assert_eq!(scene.commands(), dial(1));
    scene.pass(4_499);
    assert_eq!(scene.leg_commands(), []);
    scene.pass(1);
    let summary = scene.ended().expect("an end");
    assert!(
        matches!(&summary.reason, EndReason::LegFailed(failure) if failure.kind == FailureKind::NotReady)
    );
    let ends: Vec<_> =
        summary.legs.iter().map(|leg| (leg.leg, matches!(leg.end, LegEnd::Failed(_)))).collect();
    assert_eq!(ends, [(0, true), (1, true)]);
}

#[test]
fn what_was_sent_is_still_heard_and_the_next_leg_goes_on_from_there() {
    let mut scene = answering();
    scene.pass(400);
    dies(&mut scene);
    let commands = scene.commands();
    assert!(!commands.contains(&Command::Carrier(CarrierCommand::Clear)), "{commands:?}");
    assert!(commands.ends_with(&dial(1)), "{commands:?}");
    scene.pass(300);
    scene.leg(LegEvent::Ready);
    let told = scene.leg_commands();
    let [LegCommand::Remember(past), LegCommand::Reply] = &told[..] else { panic!("{told:?}") };
    assert_eq!(past[..2], [caller("Where is my order?"), agent(2, "It is on its way")]);
    assert!(matches!(&past[2..], [Past::Fact(fault)] if fault.contains("cut you off")), "{past:?}");
    scene.reply(1, 1);
    scene.speech(1, 1, 500);
    assert!(matches!(scene.commands()[..], [Command::Carrier(CarrierCommand::Play(_)), ..]));
}

#[test]
fn an_answer_of_which_nothing_was_sent_is_asked_for_anew() {
    let mut scene = Scene::live(two_legs());
    caller_says(&mut scene, 1, "Where is my order?");
    scene.reply(1, 2);
    says(&mut scene, 2, "It is on");
    dies(&mut scene);
    scene.leg(LegEvent::Ready);
    assert_eq!(
        scene.leg_commands(),
        [LegCommand::Close, LegCommand::Remember(vec![caller("Where is my order?")]), LegCommand::Reply]
    );
}

#[test]
fn nobody_who_is_owed_nothing_hears_anything() {
    let mut scene = answering();
    scene.reply_done(1, 2);
    scene.pass(2_000);
    scene.commands();
    dies(&mut scene);
    scene.leg(LegEvent::Ready);
    let past = vec![caller("Where is my order?"), agent(2, "It is on its way")];
    assert_eq!(scene.leg_commands(), [LegCommand::Close, LegCommand::Remember(past)]);
}

#[test]
fn words_of_ours_are_said_to_their_end() {
    let mut scene = Scene::live(Config { greeting: Some("One two three four five.".into()), ..two_legs() });
    scene.reply(1, 1);
    says(&mut scene, 1, "One two");
    scene.speech(1, 1, 600);
    scene.commands();
    dies(&mut scene);
    scene.leg(LegEvent::Ready);
    let rest = LegCommand::Say(Say { text: "three four five.".into() });
    assert_eq!(
        scene.leg_commands(),
        [LegCommand::Close, LegCommand::Remember(vec![agent(1, "One two")]), rest]
    );
}

#[test]
fn a_sentence_that_the_old_leg_did_not_hear_to_its_end_is_heard_by_the_new_one() {
    let mut scene = Scene::live(two_legs());
    let audio = |byte: u8| Audio::ulaw(&[byte; 160]);
    let mut at = 0;
    let mut hears = |scene: &mut Scene, byte: u8| {
        at += 20;
        scene.carrier(CarrierEvent::Audio { at: Some(Duration::from_millis(at)), audio: audio(byte) });
        scene.pass(20);
    };
    hears(&mut scene, 1);
    hears(&mut scene, 2);
    scene.leg(LegEvent::SpeechStarted);
    hears(&mut scene, 3);
    dies(&mut scene);
    hears(&mut scene, 4);
    scene.commands();
    scene.leg(LegEvent::Ready);
    hears(&mut scene, 5);
    let heard: Vec<_> = scene
        .commands()
        .into_iter()
        .filter_map(|command| match command {
            Command::Leg(LegCommand::Hear(audio)) => Some(audio),
            _ => None,
        })
        .collect();
    assert_eq!(heard, [1, 2, 3, 4, 5].map(audio));
}

/// The caller has asked, and the agent answers before anybody has written down what it was.
fn answering_before_the_words_are_known() -> Scene {
    let mut scene = Scene::live(two_legs());
    scene.carrier(frame(0));
    scene.leg(LegEvent::SpeechStarted);
    scene.carrier(frame(20));
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(1) });
    scene.reply(1, 2);
    says(&mut scene, 2, "It is on its way");
    scene.speech(1, 2, 1_000);
    scene.commands();
    scene
}

#[test]
fn a_question_that_nobody_has_written_down_yet_is_heard_by_the_next_leg_and_answered_anew() {
    let mut scene = answering_before_the_words_are_known();
    scene.pass(400);
    dies(&mut scene);
    assert!(!scene.commands().contains(&Command::Carrier(CarrierCommand::Clear)), "until then it plays");
    scene.pass(200);
    scene.leg(LegEvent::Ready);
    let commands = scene.commands();
    let [Command::Carrier(CarrierCommand::Clear), rest @ ..] = &commands[..] else { panic!("{commands:?}") };
    let [Command::Leg(told), Command::Leg(LegCommand::Hear(_)), Command::Leg(LegCommand::Hear(_)), more @ ..] =
        rest
    else {
        panic!("{rest:?}")
    };
    assert_eq!(*told, LegCommand::Remember(vec![agent(2, "It is on")]));
    assert_eq!(more, [Command::Leg(LegCommand::Ping)], "nothing is asked for");
    scene.leg(LegEvent::SpeechStarted);
    scene.leg(LegEvent::SpeechStopped);
    caller_says(&mut scene, 3, "Where is my order?");
    scene.carrier(CarrierEvent::Stopped);
    let summary = scene.ended().expect("an end");
    let lines: Vec<_> = summary.transcript.iter().map(|line| line.said.as_str()).collect();
    assert_eq!(lines, ["It is on its way", "Where is my order?"]);
    assert_eq!(summary.tally.barge_ins, 0, "nobody has interrupted");
}

#[test]
fn a_question_that_was_answered_whole_is_not_answered_again_though_nobody_knows_its_words() {
    let mut scene = answering_before_the_words_are_known();
    scene.reply_done(1, 2);
    dies(&mut scene);
    scene.pass(200);
    scene.leg(LegEvent::Ready);
    let past = vec![agent(2, "It is on its way")];
    assert_eq!(scene.leg_commands(), [LegCommand::Close, LegCommand::Remember(past)]);
}

#[test]
fn a_greeting_that_the_caller_talks_into_plays_on_when_its_leg_dies() {
    let mut scene = Scene::live(Config { greeting: greeting().greeting, ..two_legs() });
    scene.reply(1, 1);
    says(&mut scene, 1, "Hello, this is Acme.");
    scene.speech(1, 1, 500);
    scene.leg(LegEvent::SpeechStarted);
    scene.pass(100);
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(2) });
    scene.speech(1, 1, 500);
    dies(&mut scene);
    scene.pass(200);
    scene.leg(LegEvent::Ready);
    let commands = scene.commands();
    assert!(!commands.contains(&Command::Carrier(CarrierCommand::Clear)), "{commands:?}");
}

#[test]
fn a_sentence_that_is_known_is_not_heard_again() {
    let mut scene = Scene::live(two_legs());
    scene.carrier(frame(0));
    caller_says(&mut scene, 1, "Where is my order?");
    scene.commands();
    dies(&mut scene);
    scene.leg(LegEvent::Ready);
    let heard = |command: &Command| matches!(command, Command::Leg(LegCommand::Hear(_)));
    assert!(!scene.commands().iter().any(heard));
}

#[test]
fn the_end_of_a_known_sentence_is_not_heard_again_before_the_next_one() {
    let mut scene = Scene::live(two_legs());
    let mut at = 0;
    let mut hears = |scene: &mut Scene, byte: u8, frames: u64| {
        for _ in 0..frames {
            at += 20;
            let (at, audio) = (Some(Duration::from_millis(at)), Audio::ulaw(&[byte; 160]));
            scene.carrier(CarrierEvent::Audio { at, audio });
            scene.pass(20);
        }
    };
    scene.leg(LegEvent::SpeechStarted);
    hears(&mut scene, 1, 20);
    hears(&mut scene, 2, 15);
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(1) });
    scene.leg(LegEvent::CallerWords { item: ItemId(1), text: "Hello?".into(), whole: true });
    hears(&mut scene, 3, 5);
    scene.leg(LegEvent::SpeechStarted);
    dies(&mut scene);
    scene.commands();
    scene.leg(LegEvent::Ready);
    let heard = scene.commands().into_iter().filter_map(|command| match command {
        Command::Leg(LegCommand::Hear(audio)) => Some(audio.decode()[0]),
        _ => None,
    });
    let heard: Vec<u8> = heard.collect();
    assert!(heard.ends_with(&[3; 5]) && !heard.contains(&1) && heard.contains(&2), "{heard:?}");
}

fn dies_while_a_tool_runs() -> Scene {
    let mut scene = Scene::live(two_legs());
    caller_says(&mut scene, 1, "Where is my order?");
    scene.leg(LegEvent::ReplyStarted { reply: REPLY });
    let (name, arguments) = ("remember".to_owned(), "{}".to_owned());
    scene.leg(LegEvent::ToolCalled { reply: REPLY, id: ToolId(1), name, arguments });
    scene.leg(done(1, Outcome::Completed));
    dies(&mut scene);
    scene
}

#[test]
fn a_tool_runs_on_and_its_result_is_told_as_a_fact() {
    let mut scene = dies_while_a_tool_runs();
    scene.commands();
    scene.leg(LegEvent::Ready);
    let told = scene.leg_commands();
    assert!(matches!(facts(&told)[..], [fact] if fact.contains("still running")), "{told:?}");
    assert!(!told.contains(&LegCommand::Reply), "the tool will ask for it: {told:?}");
    scene.input(Input::Tool { id: ToolId(1), end: ToolEnd::Done, result: "7".into() });
    let told = scene.leg_commands();
    assert!(matches!(facts(&told)[..], [fact] if fact.contains("answered: 7")), "{told:?}");
    assert_eq!(told.last(), Some(&LegCommand::Reply));
    // The new leg's first tool is another one, whatever it calls it.
    scene.leg(LegEvent::ReplyStarted { reply: REPLY });
    let (name, arguments) = ("lookup".to_owned(), "{}".to_owned());
    scene.leg(LegEvent::ToolCalled { reply: REPLY, id: ToolId(1), name, arguments });
    assert!(matches!(scene.commands()[..], [Command::Run { id: ToolId(2), tool: 0, .. }]));
    scene.input(Input::Tool { id: ToolId(2), end: ToolEnd::Done, result: "8".into() });
    scene.leg(done(1, Outcome::Completed));
    let result = LegCommand::ToolResult { id: ToolId(1), result: "8".into() };
    assert_eq!(scene.leg_commands(), [result, LegCommand::Reply]);
}

#[test]
fn a_result_that_comes_while_no_leg_is_there_is_told_and_answered_once() {
    let mut scene = dies_while_a_tool_runs();
    scene.input(Input::Tool { id: ToolId(1), end: ToolEnd::Done, result: "7".into() });
    scene.commands();
    scene.leg(LegEvent::Ready);
    let told = scene.leg_commands();
    assert!(matches!(facts(&told)[..], [fact] if fact.contains("answered: 7")), "{told:?}");
    assert_eq!(told.iter().filter(|command| **command == LegCommand::Reply).count(), 1, "{told:?}");
}

#[test]
fn keys_and_sentences_of_ours_wait_for_the_new_leg() {
    let max = Duration::from_secs(60);
    let warning = Some("Half a minute left.".to_owned());
    let mut scene = Scene::live(Config { max, warning, ..two_legs() });
    scene.pass(27_900);
    scene.commands();
    dies(&mut scene);
    scene.pass(100);
    scene.carrier(CarrierEvent::Key('1'));
    scene.carrier(CarrierEvent::Key('#'));
    scene.pass(2_000);
    scene.commands();
    scene.leg(LegEvent::Ready);
    let told = scene.leg_commands();
    let key = LegCommand::Tell("(The caller pressed 1# on the phone's keypad.)".into());
    assert_eq!(told.iter().filter(|command| **command == key).count(), 1, "{told:?}");
    assert!(
        told.contains(&LegCommand::Reply) || told.iter().any(|c| matches!(c, LegCommand::Say(_))),
        "{told:?}"
    );
}

#[test]
fn who_talks_over_the_rest_of_the_old_leg_has_heard_so_much_of_it() {
    let mut scene = answering();
    scene.pass(100);
    dies(&mut scene);
    scene.pass(200);
    scene.leg(LegEvent::Ready);
    scene.commands();
    scene.pass(200);
    scene.leg(LegEvent::SpeechStarted);
    assert_eq!(
        scene.commands(),
        [
            Command::Carrier(CarrierCommand::Clear),
            Command::Leg(LegCommand::Cancel),
            Command::Leg(LegCommand::Rewrite { item: ItemId(2), words: "It is on".into() }),
        ]
    );
}

/// The agent says goodbye and hangs up, and then its leg dies.
fn dies_after_goodbye(legs: usize) -> Scene {
    let mut config = Config { legs: vec![LegRules::default(); legs], ..with_tools() };
    config.tools.push(Tool { name: "hang_up".into(), does: Does::HangUp, ..config.tools[1].clone() });
    let mut scene = Scene::live(config);
    scene.reply(1, 1);
    says(&mut scene, 1, "Goodbye!");
    scene.speech(1, 1, 800);
    let (name, arguments) = ("hang_up".to_owned(), "{}".to_owned());
    scene.leg(LegEvent::ToolCalled { reply: REPLY, id: ToolId(1), name, arguments });
    dies(&mut scene);
    scene.pass(700);
    assert!(!scene.call.is_over());
    scene
}

#[test]
fn who_was_about_to_hang_up_does_so_without_a_leg() {
    for legs in [1, 2] {
        let mut scene = dies_after_goodbye(legs);
        scene.pass(2_400);
        assert_eq!(scene.ended().map(|summary| summary.reason), Some(EndReason::AgentHungUp));
    }
}

#[test]
fn one_after_the_other_is_tried_and_then_the_call_ends() {
    let mut scene = Scene::live(Config { legs: vec![LegRules::default(); 3], ..Config::default() });
    scene.commands();
    dies(&mut scene);
    assert_eq!(scene.commands(), dial(1));
    dies(&mut scene);
    assert_eq!(scene.commands(), dial(2));
    dies(&mut scene);
    let summary = scene.ended().expect("an end");
    assert!(matches!(summary.reason, EndReason::LegFailed(_)));
    assert_eq!(summary.legs.len(), 3);
}

#[test]
fn a_leg_that_talks_before_it_is_ready_is_not_listened_to() {
    let mut scene = answering();
    dies(&mut scene);
    scene.commands();
    scene.reply(1, 1);
    scene.speech(1, 1, 500);
    scene.leg(LegEvent::SpeechStarted);
    assert_eq!(scene.commands(), []);
}
