//! What a new leg is told of the conversation so far: what was heard, not what was said.

use crate::{
    ItemId,
    transcript::{Line, Speaker, ToolLine},
};

/// One entry of a conversation that another leg has led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Past {
    Caller(String),
    /// What the caller heard of it. Its number is the call's: it may have to be put right, see
    /// [`crate::LegCommand::Rewrite`].
    Agent {
        item: ItemId,
        words: String,
    },
    /// What the agent should know, and nobody has said.
    Fact(String),
}

impl Past {
    fn len(&self) -> usize {
        match self {
            Self::Caller(words) | Self::Agent { words, .. } | Self::Fact(words) => words.len(),
        }
    }
}

/// The newest part of what was said and done, in its order.
pub(crate) fn told(lines: &[Line], tools: &[ToolLine]) -> Vec<Past> {
    let mut past: Vec<_> = lines.iter().filter_map(|line| Some((line.at, spoken(line)?))).collect();
    past.extend(tools.iter().map(|tool| (tool.at, Past::Fact(done(tool)))));
    past.sort_by_key(|(at, _)| *at);
    let mut room = BUDGET;
    let newest = past.into_iter().map(|(_, past)| past).rev().take(MOST_ENTRIES).take_while(|past| {
        let left = room.checked_sub(past.len());
        room = left.unwrap_or(0);
        left.is_some()
    });
    let mut newest: Vec<_> = newest.collect();
    newest.reverse();
    newest
}

fn spoken(line: &Line) -> Option<Past> {
    let words = line.heard.as_deref().unwrap_or(&line.said).trim();
    if words.is_empty() {
        return None;
    }
    Some(match line.speaker {
        Speaker::Caller => Past::Caller(words.to_owned()),
        Speaker::Agent => Past::Agent { item: line.item, words: words.to_owned() },
    })
}

/// What was done by tool. Not as a call of the new leg's own: it has made none, and would have to know its name.
pub(crate) fn done(tool: &ToolLine) -> String {
    let ToolLine { name, arguments, result, .. } = tool;
    match result {
        Some(result) => format!("Your tool {name} was called with {arguments} and answered: {result}"),
        None => format!("Your tool {name} was called with {arguments} and is still running."),
    }
}

/// The agent was cut off by a fault of ours, and shall go on as if nothing had been.
pub(crate) fn cut_off() -> Past {
    Past::Fact(
        "A fault cut you off in the middle of your last answer. Go on right where its words end: do not repeat \
         any of them, do not greet again, and do not speak of the fault."
            .to_owned(),
    )
}

/// As much as a cascade tells its mind: about 8,000 tokens.
const BUDGET: usize = 32 * 1024;

/// Each is a message of its own on some legs.
const MOST_ENTRIES: usize = 200;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(at: u64, speaker: Speaker, said: &str, heard: Option<&str>) -> Line {
        let item = ItemId(at as u32);
        let (said, heard) = (said.to_owned(), heard.map(str::to_owned));
        Line { item, speaker, at: Duration::from_secs(at), said, heard }
    }

    #[test]
    fn it_is_what_was_heard_with_what_was_done_in_its_place() {
        let lines = [
            line(1, Speaker::Agent, "Hello, this is the bakery.", Some("Hello,")),
            line(2, Speaker::Caller, " Where is my order? ", None),
            line(4, Speaker::Agent, "It is on", None),
            line(5, Speaker::Agent, "Nobody heard this.", Some("")),
        ];
        let (name, arguments) = ("lookup".to_owned(), "{}".to_owned());
        let tools = [ToolLine {
            id: crate::ToolId(1),
            at: Duration::from_secs(3),
            name,
            arguments,
            result: Some("7".into()),
        }];
        let agent = |item, words: &str| Past::Agent { item: ItemId(item), words: words.into() };
        assert_eq!(
            told(&lines, &tools),
            [
                agent(1, "Hello,"),
                Past::Caller("Where is my order?".into()),
                Past::Fact("Your tool lookup was called with {} and answered: 7".into()),
                agent(4, "It is on"),
            ]
        );
    }

    #[test]
    fn of_a_long_call_only_the_newest_is_told() {
        let long = "x".repeat(1_000);
        let lines: Vec<_> = (0..500).map(|at| line(at, Speaker::Caller, &long, None)).collect();
        assert_eq!(told(&lines, &[]).len(), BUDGET / 1_000);
        let lines: Vec<_> = (0..500).map(|at| line(at, Speaker::Caller, &at.to_string(), None)).collect();
        let past = told(&lines, &[]);
        assert_eq!((past.len(), past.last()), (MOST_ENTRIES, Some(&Past::Caller("499".into()))));
    }
}
