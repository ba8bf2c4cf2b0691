//! What the page is told of its call while it goes on.
//!
//! Words and figures that the caller hears or could work out, for the page to show, and which tools were asked for what:
//! whoever tries an agent wants to see that it asks rightly. Not what they answered: that is between model and main app.

use std::time::Duration;

use call::{Line, Note, Segments, Speaker, Summary, TurnTold};
use serde_json::{Value, json};

/// `None`: nothing to show.
pub fn of(note: &Note) -> Option<Value> {
    Some(match note {
        Note::Live => json!({ "kind": "live" }),
        Note::LegReady { after } => json!({ "kind": "leg_ready", "after_ms": ms(*after) }),
        Note::FirstAudio { after } => json!({ "kind": "first_audio", "after_ms": ms(*after) }),
        Note::Words { speaker, item, text, whole } => {
            json!({ "kind": "words", "who": who(*speaker), "item": item.0, "text": text, "whole": whole })
        }
        Note::CutShort { item, heard, sent, words } => json!({
            "kind": "cut", "item": item.0, "heard": words, "heard_ms": ms(*heard), "sent_ms": ms(*sent),
        }),
        Note::BargeIn => json!({ "kind": "interrupted" }),
        Note::TurnEnded(told) => turn(told),
        Note::Key(key) => json!({ "kind": "key", "key": key }),
        Note::Idle { .. } => json!({ "kind": "idle" }),
        Note::ToolCalled { id, name, arguments } => json!({
            "kind": "tool_called", "id": id.0, "name": name, "arguments": asked(arguments),
        }),
        Note::Tool { id, end, after, .. } => {
            json!({ "kind": "tool", "id": id.0, "outcome": end.name(), "after_ms": ms(*after) })
        }
        Note::LegLost { failure, .. } => {
            json!({ "kind": "leg_lost", "why": format!("{}, {}", failure.provider, failure.kind.name()) })
        }
        Note::LegRenewed => json!({ "kind": "leg_renewed" }),
        Note::NotRecorded => json!({ "kind": "not_recorded" }),
        Note::Retry(kind) => json!({ "kind": "retry", "why": kind.name() }),
        Note::Answered { .. } | Note::Odd(_) | Note::Mended(_) | Note::Complaint(_) | Note::Unfit(_) => {
            return None;
        }
    })
}

/// The last: how it ended, and which sentences the end cut.
pub fn ended(summary: &Summary) -> Value {
    let cut = summary.transcript.iter().rev().filter(|line| line.heard.is_some()).take(MOST_CUT);
    json!({
        "kind": "ended",
        "reason": summary.reason.name(),
        "text": summary.reason.to_string(),
        "cut": cut.map(line).collect::<Vec<_>>(),
    })
}

fn turn(TurnTold { turn, answer, .. }: &TurnTold) -> Value {
    let segments = |all: Segments| all.named().map(|(name, time)| json!({ "name": name, "ms": ms(time) }));
    json!({
        "kind": "turn",
        "number": turn.number,
        "at_ms": ms(turn.at),
        "silence_ms": turn.latency.map(|all| ms(all.silence())),
        "segments": turn.latency.map(segments),
        "interrupted": turn.interrupted,
        "estimated": turn.estimated,
        "answer": answer.iter().map(line).collect::<Vec<_>>(),
    })
}

/// What the model wrote, if it is JSON and short enough to be shown.
fn asked(arguments: &str) -> Option<Value> {
    (arguments.len() <= LONGEST_ASKED).then(|| serde_json::from_str(arguments).ok())?
}

fn line(line: &Line) -> Value {
    json!({ "who": who(line.speaker), "item": line.item.0, "said": line.said, "heard": line.heard })
}

fn who(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Caller => "caller",
        Speaker::Agent => "agent",
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// An order of a hundred things; more is not read on a page, and must not crowd out other news.
const LONGEST_ASKED: usize = 8 * 1024;

/// The end cuts what plays at that moment. All others were told when they were cut.
const MOST_CUT: usize = 4;
