//! The agent hangs up or hands over: after its last word was heard, unless the caller has more to say.

use call::*;

use crate::scene::*;

fn polite() -> Config {
    let hang_up = Tool { name: "hang_up".into(), does: Does::HangUp, ..with_tools().tools[1].clone() };
    Config { tools: vec![hang_up], ..Config::default() }
}

/// The agent says goodbye for so long, and calls its tool.
fn goodbye(ms: u64) -> Scene {
    let mut scene = Scene::live(polite());
    scene.reply(1, 1);
    if ms > 0 {
        scene.speech(1, 1, ms);
    }
    let (reply, id) = (REPLY, ToolId(1));
    scene.leg(LegEvent::ToolCalled { reply, id, name: "hang_up".into(), arguments: "{}".into() });
    scene
}

fn reason(scene: &mut Scene) -> Option<EndReason> {
    scene.ended().map(|summary| summary.reason)
}

#[test]
fn the_last_word_is_heard_first() {
    let mut scene = goodbye(5_000);
    scene.reply_done(1, 1);
    let mark = last_mark(&scene.commands());
    scene.pass(4_900);
    assert_eq!(scene.leg_commands(), []);
    assert!(!scene.call.is_over());
    scene.carrier(CarrierEvent::Mark(mark));
    assert_eq!(reason(&mut scene), Some(EndReason::AgentHungUp));
}

#[test]
fn a_mark_that_never_comes_back_does_not_keep_the_line_open() {
    let mut scene = goodbye(5_000);
    scene.reply_done(1, 1);
    scene.commands();
    scene.pass(6_900);
    assert!(!scene.call.is_over());
    scene.pass(200);
    assert_eq!(reason(&mut scene), Some(EndReason::AgentHungUp));
}

#[test]
fn without_a_goodbye_the_call_ends_at_once_but_not_before_the_reply_is_done() {
    let mut scene = goodbye(0);
    assert!(!scene.call.is_over(), "a word may still come");
    scene.leg(done(1, Outcome::Completed));
    assert_eq!(reason(&mut scene), Some(EndReason::AgentHungUp));
}

#[test]
fn a_caller_who_talks_over_the_goodbye_is_listened_to() {
    let mut scene = goodbye(5_000);
    scene.reply_done(1, 1);
    scene.commands();
    scene.pass(1_000);
    scene.leg(LegEvent::SpeechStarted);
    let refused = r#"{"error":"Not done: the caller still has something to say."}"#;
    let result = LegCommand::ToolResult { id: ToolId(1), result: refused.into() };
    assert!(scene.leg_commands().contains(&result));
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(100) });
    scene.reply(2, 2);
    scene.speech(2, 2, 500);
    scene.reply_done(2, 2);
    scene.pass(20_000);
    assert!(!scene.call.is_over());
}

#[test]
fn a_lookup_beside_it_is_spoken_about_first() {
    let mut config = polite();
    config.tools.push(with_tools().tools[1].clone());
    let mut scene = Scene::live(config);
    scene.leg(LegEvent::ReplyStarted { reply: REPLY });
    for (id, name) in [(1, "hang_up"), (2, "remember")] {
        let (id, name) = (ToolId(id), name.into());
        scene.leg(LegEvent::ToolCalled { reply: REPLY, id, name, arguments: "{}".into() });
    }
    scene.input(Input::Tool { id: ToolId(2), end: ToolEnd::Done, result: "42".into() });
    scene.leg(done(1, Outcome::Completed));
    assert!(!scene.call.is_over(), "it has something to tell");
    scene.reply(2, 2);
    scene.speech(2, 2, 500);
    scene.reply_done(2, 2);
    let mark = last_mark(&scene.commands());
    scene.carrier(CarrierEvent::Mark(mark));
    assert_eq!(reason(&mut scene), Some(EndReason::AgentHungUp));
}

/// The agent says who takes over for so long, and its wish was found good.
fn handing_over(ms: u64) -> (Scene, MarkId) {
    handing_over_by(false, ms)
}

fn handing_over_by(carrier_hands_over: bool, ms: u64) -> (Scene, MarkId) {
    let mut scene = Scene::live(Config { carrier_hands_over, ..with_tools() });
    scene.reply(1, 1);
    scene.speech(1, 1, ms);
    let (reply, id) = (REPLY, ToolId(1));
    scene.leg(LegEvent::ToolCalled { reply, id, name: "remember".into(), arguments: "{}".into() });
    scene.input(Input::Tool { id, end: ToolEnd::HandsOver, result: "sales".into() });
    scene.reply_done(1, 1);
    let mark = last_mark(&scene.commands());
    (scene, mark)
}

fn hand_over() -> Command {
    Command::HandOver { id: ToolId(1), tool: 1, target: "sales".into() }
}

#[test]
fn a_caller_is_handed_over_when_the_announcement_was_heard_and_somebody_takes_him() {
    let (mut scene, mark) = handing_over(3_000);
    scene.pass(2_900);
    assert_eq!(scene.leg_commands(), []);
    scene.carrier(CarrierEvent::Mark(mark));
    assert_eq!(scene.commands(), [hand_over()]);
    assert!(!scene.call.is_over(), "nobody has said yes");
    scene.leg(LegEvent::SpeechStarted); // too late to stay
    scene.input(Input::HandedOver { id: ToolId(1), done: true });
    assert_eq!(reason(&mut scene), Some(EndReason::Transferred));
}

#[test]
fn when_nobody_takes_the_caller_the_agent_says_so_and_goes_on() {
    for silent in [false, true] {
        let (mut scene, mark) = handing_over(3_000);
        scene.carrier(CarrierEvent::Mark(mark));
        scene.commands();
        if silent {
            scene.pass(8_000);
        } else {
            scene.input(Input::HandedOver { id: ToolId(1), done: false });
        }
        let commands = scene.leg_commands();
        let failed = |command: &&LegCommand| matches!(command, LegCommand::ToolResult { result, .. } if result.contains("could not be arranged"));
        assert_eq!(commands.iter().filter(failed).count(), 1, "{commands:?}");
        assert_eq!(commands.last(), Some(&LegCommand::Reply));
        scene.input(Input::HandedOver { id: ToolId(1), done: true }); // late
        assert!(!scene.call.is_over());
    }
}

#[test]
fn a_caller_who_talks_over_the_announcement_is_not_handed_over() {
    let (mut scene, mark) = handing_over(3_000);
    scene.pass(1_000);
    scene.leg(LegEvent::SpeechStarted);
    scene.commands();
    scene.carrier(CarrierEvent::Mark(mark));
    scene.pass(10_000);
    assert!(!scene.commands().contains(&hand_over()) && !scene.call.is_over());
}

/// The carrier was asked to move the caller.
fn moving() -> Scene {
    let (mut scene, mark) = handing_over_by(true, 3_000);
    scene.carrier(CarrierEvent::Mark(mark));
    assert_eq!(scene.commands(), [hand_over()]);
    scene
}

fn handed_over(done: bool) -> Input {
    Input::HandedOver { id: ToolId(1), done }
}

#[test]
fn a_stream_that_ends_because_the_caller_is_moved_is_a_transfer_in_whatever_order_we_hear_of_it() {
    let (stop, close) = (CarrierEvent::Stopped, CarrierEvent::Gone(Gone::Closed));
    let broken = CarrierEvent::Gone(Gone::Broken);
    for before in [vec![], vec![stop.clone()], vec![stop, close.clone()], vec![close], vec![broken]] {
        let mut scene = moving();
        for event in before.clone() {
            scene.carrier(event);
            scene.leg(LegEvent::SpeechStarted); // crossed, and of no use to anybody
            scene.leg(LegEvent::Failed(failure(FailureKind::Closed)));
            scene.carrier(CarrierEvent::Mark(MarkId(9)));
            scene.pass(500);
            assert!(!scene.call.is_over(), "{before:?}: nobody has said what it was");
        }
        scene.input(handed_over(true));
        assert_eq!(reason(&mut scene), Some(EndReason::Transferred), "{before:?}");
    }
}

#[test]
fn a_caller_who_hangs_up_while_the_carrier_is_asked_has_hung_up() {
    for (event, expected) in [
        (CarrierEvent::Stopped, EndReason::CallerHungUp),
        (CarrierEvent::Gone(Gone::Closed), EndReason::CallerHungUp),
        (CarrierEvent::Gone(Gone::Broken), EndReason::CarrierLost),
    ] {
        let mut scene = moving();
        scene.carrier(event.clone());
        scene.input(handed_over(false));
        assert_eq!(reason(&mut scene).as_ref(), Some(&expected), "{event:?}");
        // And when nobody ever says so.
        let mut scene = moving();
        scene.carrier(event.clone());
        scene.pass(2_900);
        assert!(!scene.call.is_over(), "{event:?}");
        scene.pass(200);
        assert_eq!(reason(&mut scene), Some(expected), "{event:?}");
    }
}

#[test]
fn where_the_main_app_dials_a_stream_that_ends_is_a_caller_who_hung_up() {
    let (mut scene, mark) = handing_over(3_000);
    scene.carrier(CarrierEvent::Mark(mark));
    scene.carrier(CarrierEvent::Stopped);
    assert_eq!(reason(&mut scene), Some(EndReason::CallerHungUp));
}

#[test]
fn a_caller_who_hangs_up_during_the_announcement_is_not_waited_for() {
    let (mut scene, _) = handing_over_by(true, 3_000);
    scene.pass(1_000);
    scene.carrier(CarrierEvent::Stopped);
    assert_eq!(reason(&mut scene), Some(EndReason::CallerHungUp));
}

#[test]
fn only_the_agents_own_wish_ends_the_line_as_well() {
    let failed = EndReason::LegFailed(failure(FailureKind::Closed));
    let all = [
        (EndReason::AgentHungUp, true),
        (EndReason::Idle, true),
        (EndReason::CallerHungUp, false),
        (EndReason::Transferred, false),
        (EndReason::MaxDuration, false),
        (EndReason::Drained, false),
        (EndReason::Internal, false),
        (failed, false),
    ];
    for (reason, hangs_up) in all {
        assert_eq!(reason.hangs_up(), hangs_up, "{reason}");
    }
}
