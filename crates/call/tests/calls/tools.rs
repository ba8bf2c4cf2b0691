//! Tools that the model calls: each is answered once, and the agent goes on once, at the right moment.

use call::*;

use crate::scene::*;

fn called(scene: &mut Scene, reply: u32, id: u32, name: &str) {
    let (reply, id) = (ReplyId(reply), ToolId(id));
    scene.leg(LegEvent::ToolCalled { reply, id, name: name.into(), arguments: "{}".into() });
}

fn ended(scene: &mut Scene, id: u32, result: &str) {
    scene.input(Input::Tool { id: ToolId(id), end: ToolEnd::Done, result: result.into() });
}

fn run(id: u32, tool: usize) -> Command {
    Command::Run { id: ToolId(id), tool, arguments: "{}".into() }
}

fn result(id: u32, text: &str) -> LegCommand {
    LegCommand::ToolResult { id: ToolId(id), result: text.into() }
}

fn say(text: &str) -> LegCommand {
    LegCommand::Say(Say { text: text.into() })
}

/// The caller has asked, and the agent answers with a call of a tool and no word.
fn asked(tools: &[&str]) -> Scene {
    let mut scene = Scene::live(with_tools());
    turn(&mut scene, 100);
    scene.commands();
    scene.leg(LegEvent::ReplyStarted { reply: REPLY });
    for (at, name) in tools.iter().enumerate() {
        called(&mut scene, 1, at as u32 + 1, name);
    }
    scene.leg(done(1, Outcome::Completed));
    scene
}

fn turn(scene: &mut Scene, item: u32) {
    scene.leg(LegEvent::SpeechStarted);
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(item) });
}

#[test]
fn a_tool_is_run_and_the_agent_goes_on_with_its_result() {
    let mut scene = asked(&["lookup"]);
    assert_eq!(scene.commands(), [run(1, 0)]);
    ended(&mut scene, 1, "42");
    assert_eq!(scene.leg_commands(), [result(1, "42"), LegCommand::Reply]);
    ended(&mut scene, 1, "43");
    scene.pass(3_000);
    assert_eq!(scene.leg_commands(), [], "answered once");
}

#[test]
fn several_calls_of_one_reply_are_gone_on_with_once() {
    let mut scene = asked(&["lookup", "remember", "lookup"]);
    assert_eq!(scene.commands(), [run(1, 0), run(2, 1), run(3, 0)]);
    ended(&mut scene, 2, "b");
    ended(&mut scene, 3, "c");
    assert_eq!(scene.leg_commands(), [result(2, "b"), result(3, "c")]);
    ended(&mut scene, 1, "a");
    assert_eq!(scene.leg_commands(), [result(1, "a"), LegCommand::Reply]);
}

#[test]
fn a_result_that_comes_before_the_replys_end_waits_for_it() {
    let mut scene = Scene::live(with_tools());
    turn(&mut scene, 100);
    scene.reply(1, 1);
    scene.speech(1, 1, 800);
    called(&mut scene, 1, 1, "lookup");
    ended(&mut scene, 1, "42");
    assert_eq!(scene.leg_commands(), [result(1, "42")]);
    scene.reply_done(1, 1);
    assert_eq!(scene.leg_commands(), [LegCommand::Reply]);
}

#[test]
fn a_slow_tool_is_excused_and_then_given_up() {
    let mut scene = asked(&["lookup"]);
    scene.commands();
    scene.pass(499);
    assert_eq!(scene.leg_commands(), []);
    scene.pass(1);
    assert_eq!(scene.leg_commands(), [say("One moment, please.")]);
    scene.reply(2, 2);
    scene.speech(2, 2, 900);
    scene.reply_done(2, 2);
    scene.commands();
    scene.pass(7_499);
    assert_eq!(scene.leg_commands(), [], "said once");
    scene.pass(1);
    assert_eq!(
        scene.commands(),
        [
            Command::StopTool(ToolId(1)),
            Command::Leg(result(1, r#"{"error":"It did not answer in time."}"#)),
            Command::Leg(LegCommand::Reply),
        ]
    );
    ended(&mut scene, 1, "late");
    assert_eq!(scene.commands(), []);
}

#[test]
fn nobody_needs_an_excuse_while_the_agent_or_the_caller_speaks() {
    let mut scene = Scene::live(with_tools());
    turn(&mut scene, 100);
    scene.reply(1, 1);
    scene.speech(1, 1, 800);
    called(&mut scene, 1, 1, "lookup");
    scene.reply_done(1, 1);
    scene.commands();
    scene.pass(600);
    assert_eq!(scene.leg_commands(), [], "its own words are still playing");
    let mut scene = asked(&["lookup"]);
    scene.leg(LegEvent::SpeechStarted);
    scene.commands();
    scene.pass(600);
    assert_eq!(scene.leg_commands(), []);
    let mut scene = asked(&["remember"]);
    scene.commands();
    scene.pass(600);
    assert_eq!(scene.leg_commands(), [], "a tool without an excuse");
}

#[test]
fn what_cannot_be_run_is_answered_with_a_sentence() {
    let mut scene = asked(&["nothing"]);
    assert_eq!(
        scene.leg_commands(),
        [result(1, r#"{"error":"There is no tool of this name."}"#), LegCommand::Reply]
    );
    let mut scene = asked(&["lookup"; 9]);
    let commands = scene.commands();
    assert_eq!(commands.iter().filter(|command| matches!(command, Command::Run { .. })).count(), 8);
    let refused = result(9, r#"{"error":"Not done: too many tools are running."}"#);
    assert_eq!(commands.last(), Some(&Command::Leg(refused)));
}

#[test]
fn a_caller_who_talks_while_a_tool_runs_is_answered_first() {
    let mut scene = asked(&["remember"]);
    scene.commands();
    scene.leg(LegEvent::SpeechStarted);
    ended(&mut scene, 1, "42");
    assert_eq!(scene.leg_commands(), [result(1, "42")], "not over the caller");
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(101) });
    scene.reply(2, 2); // the leg's own answer, which knows the result
    scene.speech(2, 2, 500);
    scene.reply_done(2, 2);
    scene.pass(2_000);
    assert_eq!(scene.leg_commands(), []);
}

#[test]
fn a_noise_while_a_result_waits_is_no_answer() {
    let mut scene = asked(&["remember"]);
    scene.leg(LegEvent::SpeechStarted);
    ended(&mut scene, 1, "42");
    scene.leg(LegEvent::SpeechStopped);
    scene.commands();
    scene.pass(999);
    assert_eq!(scene.leg_commands(), []);
    scene.pass(1);
    assert_eq!(scene.leg_commands(), [LegCommand::Reply]);
}

#[test]
fn a_result_that_an_answer_did_not_know_is_spoken_about_after_it() {
    let mut scene = asked(&["remember"]);
    turn(&mut scene, 101);
    scene.reply(2, 2);
    scene.speech(2, 2, 500);
    scene.commands();
    ended(&mut scene, 1, "42");
    assert_eq!(scene.leg_commands(), [result(1, "42")]);
    scene.reply_done(2, 2);
    assert_eq!(scene.leg_commands(), [LegCommand::Reply]);
}

#[test]
fn an_excuse_of_ours_knows_no_results() {
    let mut scene = asked(&["lookup"]);
    scene.pass(500);
    ended(&mut scene, 1, "42"); // crossed with the excuse
    scene.commands();
    scene.reply(2, 2);
    scene.speech(2, 2, 900);
    scene.reply_done(2, 2);
    assert_eq!(scene.leg_commands(), [LegCommand::Reply]);
}

#[test]
fn a_call_of_an_interrupted_reply_is_not_run() {
    let mut scene = Scene::live(with_tools());
    turn(&mut scene, 100);
    scene.reply(1, 1);
    scene.speech(1, 1, 800);
    scene.leg(LegEvent::SpeechStarted);
    scene.commands();
    called(&mut scene, 1, 1, "lookup");
    let refused = r#"{"error":"Not done: the caller interrupted before it began."}"#;
    assert_eq!(scene.commands(), [Command::Leg(result(1, refused))]);
    scene.leg(LegEvent::SpeechStopped);
    scene.pass(2_000);
    assert_eq!(scene.leg_commands(), [], "the caller's turn is answered by the leg");
}

#[test]
fn a_tool_that_runs_when_its_reply_is_interrupted_is_not_forgotten() {
    let mut scene = Scene::live(with_tools());
    turn(&mut scene, 100);
    scene.reply(1, 1);
    scene.speech(1, 1, 800);
    called(&mut scene, 1, 1, "remember");
    turn(&mut scene, 101);
    scene.reply(2, 2);
    scene.reply_done(2, 2);
    scene.commands();
    ended(&mut scene, 1, "42");
    assert_eq!(scene.leg_commands(), [result(1, "42"), LegCommand::Reply]);
}

#[test]
fn a_model_that_only_calls_tools_is_told_to_talk_and_then_left_alone() {
    let mut scene = asked(&["remember"]);
    scene.commands();
    let mut runs = 1;
    let mut replies = 0;
    for reply in 2..30 {
        ended(&mut scene, reply - 1, "42");
        replies += scene.leg_commands().iter().filter(|one| **one == LegCommand::Reply).count();
        scene.leg(LegEvent::ReplyStarted { reply: ReplyId(reply) });
        called(&mut scene, reply, reply, "remember");
        let commands = scene.commands();
        runs += commands.iter().filter(|one| matches!(one, Command::Run { .. })).count();
        scene.leg(done(reply, Outcome::Completed));
        replies += scene.leg_commands().iter().filter(|one| **one == LegCommand::Reply).count();
    }
    assert_eq!((runs, replies), (8, 9));
    // A word of the caller, and all is well again.
    turn(&mut scene, 101);
    scene.leg(LegEvent::ReplyStarted { reply: ReplyId(40) });
    scene.commands();
    called(&mut scene, 40, 40, "remember");
    assert_eq!(scene.commands(), [run(40, 1)]);
}

#[test]
fn after_the_call_nothing_is_run_and_nothing_answered() {
    let mut scene = asked(&["lookup"]);
    scene.carrier(CarrierEvent::Stopped);
    scene.commands();
    ended(&mut scene, 1, "42");
    called(&mut scene, 2, 2, "lookup");
    scene.pass(20_000);
    assert_eq!(scene.commands(), []);
}

/// The provider has two tools of its own run in one answer.
fn elsewhere() -> Scene {
    let does = Does::Elsewhere;
    let server = Tool { name: "calendar".into(), say: None, does, ..with_tools().tools[0].clone() };
    let mut scene = Scene::live(Config { tools: vec![server], ..Config::default() });
    turn(&mut scene, 100);
    scene.leg(LegEvent::ReplyStarted { reply: REPLY });
    for id in [1, 2] {
        let (server, name) = ("calendar".to_owned(), "list".to_owned());
        let arguments = "{}".to_owned();
        scene.leg(LegEvent::ToolElsewhere { reply: REPLY, id: ToolId(id), server, name, arguments });
    }
    scene.leg(done(1, Outcome::Completed));
    scene.commands();
    scene
}

fn ended_elsewhere(scene: &mut Scene, id: u32, result: Option<&str>) {
    let result = result.map(str::to_owned);
    scene.leg(LegEvent::ToolElsewhereDone { id: ToolId(id), failed: false, result });
}

#[test]
fn what_the_provider_runs_by_itself_is_waited_for_and_gone_on_with_once() {
    let mut scene = elsewhere();
    ended_elsewhere(&mut scene, 2, None);
    assert!(!scene.leg_commands().contains(&LegCommand::Reply), "the other one still runs");
    ended_elsewhere(&mut scene, 1, None);
    assert_eq!(scene.leg_commands().last(), Some(&LegCommand::Reply));
    ended_elsewhere(&mut scene, 1, Some("[7]"));
    assert_eq!(scene.commands(), [], "the result is only for the books");
    scene.input(Input::Stop);
    let tools = scene.ended().unwrap().tools;
    assert_eq!(tools[0].result.as_deref(), Some("[7]"));
}

#[test]
fn a_provider_that_forgets_its_own_tool_is_asked_to_go_on() {
    let mut scene = elsewhere();
    scene.pass(8_000);
    assert_eq!(scene.leg_commands().iter().filter(|command| **command == LegCommand::Reply).count(), 1);
    ended_elsewhere(&mut scene, 1, None);
    assert_eq!(scene.leg_commands(), []);
}

#[test]
fn a_server_is_no_tool_that_a_model_can_call() {
    let mut scene = elsewhere();
    scene.reply(2, 5);
    called(&mut scene, 2, 3, "calendar");
    assert!(!scene.commands().iter().any(|command| matches!(command, Command::Run { .. })));
}

#[test]
fn each_call_of_a_tool_is_told_when_it_is_made_and_once_more_when_it_is_answered() {
    let mut scene = asked(&["lookup", "nonsense"]);
    ended(&mut scene, 1, "42");
    let told = |command: Command| match command {
        Command::Note(Note::ToolCalled { id, name, arguments }) => {
            Some((id.0, format!("{name} {arguments}")))
        }
        Command::Note(Note::Tool { id, end, .. }) => Some((id.0, end.name().to_owned())),
        _ => None,
    };
    let told: Vec<_> = scene.all_commands().into_iter().filter_map(told).collect();
    let expected = [(1, "lookup {}"), (2, "nonsense {}"), (2, "refused"), (1, "done")];
    assert_eq!(told, expected.map(|(id, text)| (id, text.to_owned())));
}
