//! What a report says, field by field.

use std::time::{Duration, SystemTime};

use call::{Failure, LegEnd, LegUse, Line, Speaker, Summary, ToolLine, Turn, TurnTold};
use serde_json::{Map, Value, json};

use super::bill;
use crate::{
    costs::Bill,
    gate::Config,
    recording::{Outcome, Trouble},
    utc::rfc3339,
};

/// Who and where.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Ours.
    pub call: String,
    /// The carrier's.
    pub carrier_call: String,
    pub account: Option<String>,
    pub region: Option<String>,
    pub machine: Option<String>,
}

/// `call.started`: caller and agent are connected.
pub fn started(names: &Names, config: &Config, at: SystemTime) -> Value {
    let data = json!({ "call": call(names, config), "context": config.context });
    json!({ "type": "call.started", "timestamp": rfc3339(at), "data": data })
}

/// `call.ended`: everything that there is to know of it.
pub fn ended(names: &Names, config: &Config, summary: &Summary, bill: &Bill, at: SystemTime) -> Value {
    let Summary {
        reason,
        lasted,
        was_live,
        tally,
        usage: _,
        transcript,
        turns,
        tools,
        legs,
        recorded_from: _,
        heard_by,
    } = summary;
    let began = at.checked_sub(*lasted).unwrap_or(at);
    json!({
        "type": "call.ended",
        "timestamp": rfc3339(at),
        "data": {
            "call": call(names, config),
            "started_at": rfc3339(began),
            "ended_at": rfc3339(at),
            "seconds": seconds(*lasted),
            "connected": was_live,
            "reason": reason.name(),
            "heard_by": heard_by.name(),
            "legs": legs.iter().map(|used| leg(config, used)).collect::<Vec<_>>(),
            "recording": null,
            "transcript": conversation(transcript, tools),
            "latency": turns.iter().map(answered).collect::<Vec<_>>(),
            "usage": bill::usage(bill),
            "cost": bill::cost(bill),
            "counts": {
                "turns": tally.turns,
                "replies": tally.replies,
                "interruptions": tally.barge_ins,
                "tools": tally.tools,
                "keys": tally.keys,
                "frames_in": tally.frames_in,
                "frames_out": tally.frames_out,
                "frames_dropped": tally.frames_dropped,
                "frames_mended": tally.mended.iter().sum::<u64>(),
                "gaps_ms": millis(tally.gaps),
            },
            "context": config.context,
        },
    })
}

/// `turn.ended`: what the caller said, and what became of the answer.
pub fn turn(names: &Names, config: &Config, told: &TurnTold, at: SystemTime) -> Value {
    let TurnTold { turn, caller, answer, tools } = told;
    let joined = |part: fn(&Line) -> &str| {
        let parts: Vec<_> =
            answer.iter().map(|line| part(line).trim()).filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    };
    let data = json!({
        "call": call(names, config),
        "turn": turn.number,
        "at_ms": millis(turn.at),
        "caller": caller.trim(),
        "agent": {
            "said": joined(|line| &line.said),
            "heard": joined(|line| line.heard.as_deref().unwrap_or(&line.said)),
        },
        "interrupted": turn.interrupted,
        "tools": tools.iter().map(tool).collect::<Vec<_>>(),
        "latency": latency(turn),
        "context": config.context,
    });
    json!({ "type": "turn.ended", "timestamp": rfc3339(at), "data": data })
}

/// How a turn's answer came, for the list of all turns.
fn answered(turn: &Turn) -> Value {
    let mut fields = Map::new();
    fields.insert("turn".into(), json!(turn.number));
    fields.insert("at_ms".into(), json!(millis(turn.at)));
    match latency(turn) {
        Value::Object(latency) => fields.extend(latency),
        _ => drop(fields.insert("silence_ms".into(), Value::Null)),
    }
    Value::Object(fields)
}

/// The segments in whole milliseconds, which add up like the real ones do; nothing when no answer was heard.
fn latency(turn: &Turn) -> Value {
    let Some(segments) = &turn.latency else { return Value::Null };
    let mut fields = Map::new();
    fields.insert("silence_ms".into(), json!(millis(segments.silence())));
    let mut so_far = Duration::ZERO;
    for (name, time) in segments.named() {
        let before = millis(so_far);
        so_far += time;
        fields.insert(format!("{name}_ms"), json!(millis(so_far) - before));
    }
    fields.insert("thought_ahead".into(), json!(turn.ahead));
    fields.insert("estimated".into(), json!(turn.estimated));
    Value::Object(fields)
}

/// Into such a report: what became of the recording, which begins there in the call.
pub fn tell_recording(ended: &mut Value, from: Option<Duration>, outcome: &Outcome) {
    let failure = |trouble: &Trouble| json!({ "kind": trouble.kind(), "detail": trouble.to_string() });
    ended["data"]["recording"] = json!({
        "outcome": outcome.name(),
        "complete": outcome.is_complete(),
        "from_ms": from.map(millis),
        "seconds": seconds(outcome.lasts),
        "bytes": outcome.bytes,
        "attempts": outcome.attempts,
        "failure": outcome.trouble.as_ref().map(failure),
    });
}

/// `call.action`: the main app has to do something, and says with 2xx that it will.
pub fn transfer(names: &Names, config: &Config, target: &str, number: &str, at: SystemTime) -> Value {
    let data = json!({
        "call": call(names, config),
        "action": "transfer",
        "target": target,
        "number": number,
        "context": config.context,
    });
    json!({ "type": "call.action", "timestamp": rfc3339(at), "data": data })
}

fn call(names: &Names, config: &Config) -> Value {
    json!({
        "id": names.call,
        "carrier_call_id": names.carrier_call,
        "account_id": names.account,
        "agent_id": config.agent.id,
        "region": names.region,
        "machine": names.machine,
    })
}

/// A leg that was opened, and what became of it.
fn leg(config: &Config, used: &LegUse) -> Value {
    let LegUse { leg, from, end } = used;
    let kind = config.legs.get(*leg).map(|leg| leg.kind());
    let (outcome, failure) = match end {
        LegEnd::Used => ("used", Value::Null),
        LegEnd::Renewed => ("renewed", Value::Null),
        LegEnd::Failed(Failure { provider, kind, detail }) => {
            ("failed", json!({ "provider": provider, "kind": kind.name(), "detail": detail }))
        }
    };
    json!({ "kind": kind, "from_ms": millis(*from), "outcome": outcome, "failure": failure })
}

/// What was said and what was done, in its order.
fn conversation(lines: &[Line], tools: &[ToolLine]) -> Vec<Value> {
    let said = lines.iter().map(|said| (said.at, line(said)));
    let done = tools.iter().map(|done| (done.at, tool(done)));
    let mut all: Vec<_> = said.chain(done).collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, entry)| entry).collect()
}

fn tool(tool: &ToolLine) -> Value {
    // As JSON where it is: a model may have written anything.
    let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    let ToolLine { at, name, arguments, result, .. } = tool;
    json!({
        "role": "tool",
        "at_ms": millis(*at),
        "name": name,
        "arguments": json(arguments),
        "result": result.as_deref().map(json),
    })
}

fn line(line: &Line) -> Value {
    let role = match line.speaker {
        Speaker::Caller => "caller",
        Speaker::Agent => "agent",
    };
    let said = line.said.trim();
    json!({
        "role": role,
        "at_ms": millis(line.at),
        "said": said,
        "heard": line.heard.as_deref().unwrap_or(said),
        "interrupted": line.heard.is_some(),
    })
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use call::Segments;

    use super::*;

    #[test]
    fn whole_milliseconds_add_up_too() {
        let us = Duration::from_micros;
        let (decided, thought, tools) = (us(500_600), us(80_600), us(0));
        let (voiced, sent, heard) = (us(90_600), us(600), us(60_600));
        let latency = Some(Segments { decided, thought, tools, voiced, sent, heard });
        let (number, at) = (3, us(7_000_900));
        let turn = Turn { number, at, latency, ahead: true, estimated: false, interrupted: false };
        let expected = json!({
            "turn": 3, "at_ms": 7_000, "silence_ms": 733,
            "decided_ms": 500, "thought_ms": 81, "tools_ms": 0, "voiced_ms": 90, "sent_ms": 1, "heard_ms": 61,
            "thought_ahead": true, "estimated": false,
        });
        assert_eq!(answered(&turn), expected);
        let unanswered = Turn { latency: None, ..turn };
        assert_eq!(answered(&unanswered), json!({ "turn": 3, "at_ms": 7_000, "silence_ms": null }));
    }
}
