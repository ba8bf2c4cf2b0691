//! What did the relay say of its call? News as they come on the call's socket, or from a relay in this process.
//!
//! Both are the same JSON, so there is one way to read them. What a newer relay adds is passed over.

use std::time::Duration;

use serde_json::Value;

use super::diary::Side;

/// One piece of news.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) enum Told {
    Live,
    LegReady {
        after: Duration,
    },
    FirstAudio {
        after: Duration,
    },
    /// More words of an item, or with `whole` all of them.
    Words {
        who: Side,
        item: u64,
        text: String,
        whole: bool,
    },
    /// Of this item the caller heard only so much.
    Cut {
        item: u64,
        heard: String,
        heard_for: Duration,
        sent_for: Duration,
    },
    Interrupted,
    Turn(Turn),
    Key(String),
    ToolCalled {
        id: u64,
        name: String,
        arguments: Option<Value>,
    },
    ToolEnded {
        id: u64,
        outcome: String,
        after: Duration,
    },
    /// Something for people to read.
    Remark(&'static str, String),
    Ended {
        reason: String,
        text: String,
        cut: Vec<(u64, String)>,
    },
}

/// How long a turn's answer took, and what the silence was made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cli) struct Turn {
    pub number: u64,
    /// When the caller fell silent, by the relay's clock of the call.
    pub at: Option<Duration>,
    pub silence: Option<Duration>,
    pub segments: Vec<(String, Duration)>,
    pub interrupted: bool,
}

/// `None`: nothing that is shown or asked for.
pub(super) fn read(news: &Value) -> Option<Told> {
    let text = |name: &str| printable(news[name].as_str().unwrap_or_default());
    let ms = |name: &str| Duration::from_millis(news[name].as_u64().unwrap_or(0));
    let number = |name: &str| news[name].as_u64().unwrap_or(0);
    Some(match news["kind"].as_str()? {
        "live" => Told::Live,
        "leg_ready" => Told::LegReady { after: ms("after_ms") },
        "first_audio" => Told::FirstAudio { after: ms("after_ms") },
        "words" => {
            let who = if news["who"] == "caller" { Side::Caller } else { Side::Agent };
            Told::Words { who, item: number("item"), text: text("text"), whole: news["whole"] == true }
        }
        "cut" => Told::Cut {
            item: number("item"),
            heard: text("heard"),
            heard_for: ms("heard_ms"),
            sent_for: ms("sent_ms"),
        },
        "interrupted" => Told::Interrupted,
        "turn" => Told::Turn(turn(news)),
        "key" => Told::Key(text("key")),
        "tool_called" => {
            let arguments = Some(news["arguments"].clone()).filter(|arguments| !arguments.is_null());
            Told::ToolCalled { id: number("id"), name: text("name"), arguments }
        }
        "tool" => Told::ToolEnded { id: number("id"), outcome: text("outcome"), after: ms("after_ms") },
        "idle" => Told::Remark("line", "nobody speaks".to_owned()),
        "leg_lost" => Told::Remark("leg", format!("{}; the next one takes over", text("why"))),
        "leg_renewed" => Told::Remark("leg", "its session is nearly over, a new one is opened".to_owned()),
        "not_recorded" => {
            Told::Remark("line", "the caller was not told of the recording: there is none".to_owned())
        }
        "retry" => Told::Remark("leg", format!("an answer failed ({}), asking again", text("why"))),
        "ended" => {
            let cut = news["cut"].as_array().into_iter().flatten();
            let cut =
                cut.filter_map(|line| Some((line["item"].as_u64()?, printable(line["heard"].as_str()?))));
            Told::Ended { reason: text("reason"), text: text("text"), cut: cut.collect() }
        }
        _ => return None,
    })
}

/// A stranger's text for a terminal: it must not move the cursor or change colours.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn turn(news: &Value) -> Turn {
    let ms = |value: &Value| value.as_u64().map(Duration::from_millis);
    let segments = news["segments"].as_array().into_iter().flatten();
    let segment = |one: &Value| Some((printable(one["name"].as_str()?), ms(&one["ms"])?));
    Turn {
        number: news["number"].as_u64().unwrap_or(0),
        at: ms(&news["at_ms"]),
        silence: ms(&news["silence_ms"]),
        segments: segments.filter_map(segment).take(MOST_SEGMENTS).collect(),
        interrupted: news["interrupted"] == true,
    }
}

/// There are six. A foreign relay may have others, but not any number.
const MOST_SEGMENTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_relay_writes_is_read_back() {
        let ms = Duration::from_millis;
        let cut = json!({ "kind": "cut", "item": 3, "heard": "We open", "heard_ms": 700, "sent_ms": 2_000 });
        let told = Told::Cut { item: 3, heard: "We open".into(), heard_for: ms(700), sent_for: ms(2_000) };
        assert_eq!(read(&cut), Some(told));
        let called = json!({ "kind": "tool_called", "id": 1, "name": "lookup", "arguments": { "order": 7 } });
        let told = Told::ToolCalled { id: 1, name: "lookup".into(), arguments: Some(json!({ "order": 7 })) };
        assert_eq!(read(&called), Some(told));
        let turn = json!({ "kind": "turn", "number": 2, "at_ms": 5_000, "silence_ms": 400, "interrupted": true,
                           "segments": [{ "name": "decided", "ms": 300 }, { "name": "heard", "ms": 100 }] });
        let segments = vec![("decided".to_owned(), ms(300)), ("heard".to_owned(), ms(100))];
        let told =
            Turn { number: 2, at: Some(ms(5_000)), silence: Some(ms(400)), segments, interrupted: true };
        assert_eq!(read(&turn), Some(Told::Turn(told)));
        let ended = json!({ "kind": "ended", "reason": "idle", "text": "idle",
                            "cut": [{ "item": 4, "said": "a b", "heard": "a" }] });
        let told = Told::Ended { reason: "idle".into(), text: "idle".into(), cut: vec![(4, "a".to_owned())] };
        assert_eq!(read(&ended), Some(told));
    }

    #[test]
    fn what_a_stranger_says_does_not_move_the_cursor() {
        let words =
            json!({ "kind": "words", "who": "agent", "item": 1, "text": "a\u{1b}[2Jb\nc", "whole": true });
        let text = "a [2Jb c".to_owned();
        assert_eq!(read(&words), Some(Told::Words { who: Side::Agent, item: 1, text, whole: true }));
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        for news in [json!({ "kind": "weather" }), json!({}), json!("live"), json!(null)] {
            assert_eq!(read(&news), None, "{news}");
        }
        assert!(read(&json!({ "kind": "turn", "segments": "none" })).is_some());
    }
}
