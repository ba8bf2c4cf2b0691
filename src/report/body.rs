//! What a report says, field by field.

use std::time::{Duration, SystemTime};

use call::{Failure, LegEnd, LegUse, Line, Speaker, Summary, ToolLine};
use serde_json::{Value, json};

use crate::{
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
pub fn ended(names: &Names, config: &Config, summary: &Summary, at: SystemTime) -> Value {
    let Summary { reason, lasted, was_live, tally, usage, transcript, tools, legs, recorded_from: _ } =
        summary;
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
            "legs": legs.iter().map(|used| leg(config, used)).collect::<Vec<_>>(),
            "recording": null,
            "transcript": conversation(transcript, tools),
            "usage": {
                "text_tokens_in": usage.text_in,
                "text_tokens_cached": usage.text_cached,
                "text_tokens_out": usage.text_out,
                "audio_tokens_in": usage.audio_in,
                "audio_tokens_cached": usage.audio_cached,
                "audio_tokens_out": usage.audio_out,
                "transcription_tokens": usage.transcription_tokens,
                "transcription_seconds": (usage.transcription_seconds * 10.0).round() / 10.0,
            },
            "counts": {
                "turns": tally.turns,
                "replies": tally.replies,
                "interruptions": tally.barge_ins,
                "tools": tally.tools,
                "keys": tally.keys,
                "frames_in": tally.frames_in,
                "frames_out": tally.frames_out,
                "frames_dropped": tally.frames_dropped,
                "gaps_ms": millis(tally.gaps),
            },
            "context": config.context,
        },
    })
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
