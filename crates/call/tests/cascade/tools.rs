//! Tools in a cascade: what the mind is told of them, and that a guess runs none.

use std::time::Duration;

use call::{
    cascade::{EarEvent, Message, MouthEvent, ToolUse},
    *,
};

use crate::duo::Duo;

fn live() -> Duo {
    let tool = Tool { name: "lookup".into(), patience: Duration::from_secs(8), say: None, does: Does::Ask };
    Duo::live(Config { tools: vec![tool], ..Config::default() })
}

fn calls(text: &str, arguments: &str) -> Message {
    called("a", text, arguments)
}

fn called(id: &str, text: &str, arguments: &str) -> Message {
    let call = ToolUse { id: id.into(), name: "lookup".into(), arguments: arguments.into(), extra: None };
    Message::Calls { text: text.into(), calls: vec![call] }
}

fn result(text: &str) -> Message {
    Message::Result { id: "a".into(), text: text.into() }
}

fn caller(words: &str) -> Message {
    Message::Caller(words.into())
}

impl Duo {
    fn tool_ends(&mut self, id: u32, result: &str) {
        self.input(Input::Tool { id: ToolId(id), end: ToolEnd::Done, result: result.into() });
    }

    fn has_run(&self) -> Vec<&str> {
        self.ran.iter().map(|(_, arguments)| arguments.as_str()).collect()
    }
}

#[test]
fn a_tool_is_run_and_its_result_spoken_about() {
    let mut duo = live();
    duo.turn("Where is my order?");
    let (ask, _) = duo.asked();
    duo.words(ask, "One moment.");
    duo.calls(ask, "a", "{\"order\":7}");
    duo.thought(ask);
    assert_eq!(duo.has_run(), ["{\"order\":7}"]);
    assert_eq!(duo.said(1), "One moment.");
    duo.speech(1, 900);
    duo.mouth(MouthEvent::Done(ReplyId(1)));
    duo.tool_ends(1, "{\"status\":\"shipped\"}");
    let (ask, thread) = duo.asked();
    assert_eq!(
        thread[1..],
        [
            caller("Where is my order?"),
            calls("One moment.", "{\"order\":7}"),
            result("{\"status\":\"shipped\"}"),
        ]
    );
    duo.words(ask, "It is on its way.");
    duo.thought(ask);
    assert_eq!(duo.said(2), "It is on its way.");
}

#[test]
fn a_tool_is_not_run_while_the_turn_is_only_probably_over() {
    let mut duo = live();
    duo.ear(EarEvent::Started);
    duo.ear(EarEvent::Perhaps("Cancel my order".into()));
    let (ask, _) = duo.asked();
    duo.calls(ask, "a", "{}");
    duo.thought(ask);
    assert_eq!(duo.has_run(), [""; 0]);
    duo.ear(EarEvent::Resumed);
    duo.ear(EarEvent::Ended("Cancel my order? No, never.".into()));
    duo.calls(ask, "a", "{}"); // late
    assert_eq!(duo.has_run(), [""; 0]);
    let (_, thread) = duo.asked();
    assert_eq!(thread[1..], [caller("Cancel my order? No, never.")], "without trace");
}

#[test]
fn a_tool_of_a_right_guess_is_run_when_the_turn_is_over() {
    for thought_first in [true, false] {
        let mut duo = live();
        duo.ear(EarEvent::Started);
        duo.ear(EarEvent::Perhaps("Where is my order?".into()));
        let (ask, _) = duo.asked();
        duo.calls(ask, "a", "{}");
        if thought_first {
            duo.thought(ask);
        }
        duo.ear(EarEvent::Ended("Where is my order?".into()));
        assert_eq!(duo.has_run(), ["{}"]);
        if !thought_first {
            duo.thought(ask);
        }
        duo.tool_ends(1, "42");
        let (_, thread) = duo.asked();
        assert_eq!(thread[1..], [caller("Where is my order?"), calls("", "{}"), result("42")]);
    }
}

#[test]
fn a_caller_who_talks_meanwhile_is_answered_by_a_mind_that_knows_what_is_running() {
    let mut duo = live();
    duo.turn("Where is my order?");
    let (ask, _) = duo.asked();
    duo.calls(ask, "a", "{}");
    duo.thought(ask);
    duo.turn("Are you still there?");
    let (ask, thread) = duo.asked();
    assert_eq!(
        thread[1..],
        [
            caller("Where is my order?"),
            calls("", "{}"),
            result("{\"status\":\"still running, no result yet\"}"),
            caller("Are you still there?"),
        ]
    );
    duo.words(ask, "Yes, I am looking.");
    duo.thought(ask);
    duo.tool_ends(1, "42");
    duo.speech(2, 900);
    duo.mouth(MouthEvent::Done(ReplyId(2)));
    let (_, thread) = duo.asked();
    assert_eq!(
        thread[4..],
        [
            caller("Are you still there?"),
            Message::Agent("Yes, I am looking.".into()),
            called("a_again", "", "{}"),
            Message::Result { id: "a_again".into(), text: "42".into() },
        ]
    );
}

#[test]
fn a_reply_that_only_called_a_tool_has_no_line_in_the_transcript() {
    let mut duo = live();
    duo.turn("Where is my order?");
    let (ask, _) = duo.asked();
    duo.calls(ask, "a", "{}");
    duo.thought(ask);
    let transcript = duo.transcript();
    assert_eq!(transcript, [(Speaker::Caller, "Where is my order?".into(), None)]);
}
