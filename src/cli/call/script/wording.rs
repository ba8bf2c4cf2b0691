//! How is a difference told? What was expected and what came instead, in words for whoever reads why a test failed.

use std::time::Duration;

use serde_json::Value;

use super::{
    Expect, Wanted,
    scope::{heard_lines, of},
};
use crate::cli::call::diary::{Diary, Line, Side, ToolCall};

pub(super) fn expected(expect: &Expect) -> String {
    let list = |wanted: &Wanted| {
        let all: Vec<_> = wanted.patterns.iter().map(|pattern| format!("“{}”", pattern.written)).collect();
        all.join(if wanted.any { " or " } else { " and " })
    };
    match expect {
        Expect::Says(wanted) => format!("the agent says {}", list(wanted)),
        Expect::SaysNot(wanted) => format!("the agent does not say {}", list(wanted)),
        Expect::Heard(wanted) => format!("the caller hears {}", list(wanted)),
        Expect::NotHeard(wanted) => format!("the caller does not hear {}", list(wanted)),
        Expect::Understood(wanted) => format!("the relay understands {} of the caller", list(wanted)),
        Expect::AnswersWithin(limit) => format!("the agent answers within {} ms", limit.as_millis()),
        Expect::Calls { tool, arguments, outcome } => {
            let with = arguments.as_ref().map(|it| format!(" with {it}")).unwrap_or_default();
            let end = outcome.as_ref().map(|it| format!(", with the outcome {it}")).unwrap_or_default();
            format!("the agent calls {tool}{with}{end}")
        }
        Expect::CallsNothing => "the agent calls no tool".to_owned(),
        Expect::Clears(true) => "the playback is cleared".to_owned(),
        Expect::Clears(false) => "the playback is not cleared".to_owned(),
        Expect::Ends(Some(reason)) => format!("the call ends: {reason}"),
        Expect::Ends(None) => "the call ends".to_owned(),
    }
}

pub(super) fn quoted<'a>(nothing: &str, lead: &str, texts: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<_> = texts.filter(|text| !text.is_empty()).map(|text| format!("“{text}”")).collect();
    if all.is_empty() { nothing.to_owned() } else { format!("{lead} {}", all.join(", then ")) }
}

pub(super) fn got_said(diary: &Diary, since: Duration) -> String {
    let texts = of(diary, Side::Agent, since).map(|line| line.said.as_str());
    quoted("the agent said nothing", "the agent said", texts)
}

pub(super) fn got_heard(diary: &Diary, since: Duration) -> String {
    let heard =
        quoted("the caller heard nothing", "the caller heard", heard_lines(diary, since).map(Line::heard));
    let cut = heard_lines(diary, since).filter(|line| line.heard.is_some());
    heard + &quoted("", " of", cut.map(|line| line.said.as_str()))
}

pub(super) fn got_understood(diary: &Diary, since: Duration) -> String {
    let texts = of(diary, Side::Caller, since).map(|line| line.said.as_str());
    quoted("it understood nothing", "it understood", texts)
}

/// Which of the words never came, when some did.
pub(super) fn missing(wanted: &Wanted, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut words: Vec<_> = wanted.patterns.iter().flat_map(|pattern| pattern.missing(text)).collect();
    words.dedup();
    match words.is_empty() {
        true => "; all the words are there, but not in this order".to_owned(),
        false => format!("; what is missing: {}", words.join(", ")),
    }
}

pub(super) fn shown(call: &ToolCall) -> String {
    let arguments = call.arguments.as_ref().map(Value::to_string).unwrap_or_default();
    let arguments: String = arguments.chars().take(LONGEST_SHOWN).collect();
    format!("{} {arguments}", call.name).trim_end().to_owned()
}

pub(in crate::cli::call) fn clock(at: Duration) -> String {
    format!("{:.2} s", at.as_secs_f64())
}

/// What a tool's call lacks.
pub(super) fn mismatch(
    call: &ToolCall,
    tool: &str,
    arguments: Option<&Value>,
    outcome: Option<&str>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if call.name != tool {
        return vec![format!("that is not {tool}")];
    }
    if let Some(wanted) = arguments {
        match &call.arguments {
            Some(found) => differences("", wanted, found, &mut wrong),
            None => wrong.push("its arguments were not told: they are no JSON, or too long".to_owned()),
        }
    }
    if let Some(wanted) = outcome.filter(|wanted| call.outcome.as_deref() != Some(wanted)) {
        let found = call.outcome.as_deref().unwrap_or("it is still running");
        wrong.push(format!("its outcome should be {wanted}, and is: {found}"));
    }
    wrong
}

/// Where `found` lacks something of `wanted`. What it has besides does not matter.
pub(super) fn differences(path: &str, wanted: &Value, found: &Value, wrong: &mut Vec<String>) {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (name, value) in wanted {
                match found.get(name) {
                    Some(found) => differences(&at(name), value, found, wrong),
                    None => wrong.push(format!("`{}` should be {value}, and is not there", at(name))),
                }
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        (wanted, found) if wanted == found => {}
        (wanted, found) => wrong.push(format!("`{path}` should be {wanted}, and is {found}")),
    }
}

/// More of a tool's arguments is not read in a message.
const LONGEST_SHOWN: usize = 500;
