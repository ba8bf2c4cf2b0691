//! What does a script file say? TOML in, a [`Script`] out, or all that is wrong with it, by line and field.

use std::{fs, ops::Range, path::Path, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::{
    Action, Expect, Expected, Pattern, Pretend, Reply, Script, Speech, Step, Wanted,
    sheet::{Fields, Sheet, json},
};
use crate::cli::call::fit;

pub(in crate::cli::call) fn read(path: &Path) -> anyhow::Result<Script> {
    let shown = path.display().to_string();
    let size = fs::metadata(path).map(|about| about.len());
    let size = size.with_context(|| format!("the script {shown} cannot be read"))?;
    if size > LARGEST {
        bail!("{shown} has {size} bytes, and no script is longer than {LARGEST}");
    }
    let text = fs::read_to_string(path).with_context(|| format!("the script {shown} cannot be read"))?;
    let mut script = parse(path, &text).map_err(anyhow::Error::msg)?;
    if let Some(Value::String(file)) = &script.agent {
        let file = beside(path, file).to_string_lossy().into_owned();
        script.agent = Some(fit::read(&file)?);
    }
    Ok(script)
}

/// An agent in a file of its own is left as that file's name.
fn parse(path: &Path, text: &str) -> Result<Script, String> {
    let shown = path.display().to_string();
    let sheet = Sheet::new(&shown, text);
    let table = DeTable::parse(text).map_err(|error| sheet.broken(&error))?;
    let fields = Fields::new(&sheet, table.get_ref(), 0..0, "script");
    let stem = path.file_stem().map_or_else(|| shown.clone(), |stem| stem.to_string_lossy().into_owned());
    let within = fields.number("within_ms", WAITS).unwrap_or(USUAL_WAIT);
    let steps = fields.tables("step", "step");
    if steps.is_empty() {
        sheet.problem(&(0..0), "there is no [[step]] in it: nothing would happen, and nothing is expected");
    }
    if steps.len() > MOST_STEPS {
        sheet.problem(
            &(0..0),
            format!("it has {} steps, and no call has more than {MOST_STEPS}", steps.len()),
        );
    }
    let script = Script {
        path: path.to_owned(),
        name: fields.text("name").map_or(stem, str::to_owned),
        agent: inline(&fields),
        most: Duration::from_secs(fields.number("seconds", 1..=3_600).unwrap_or(USUAL_CALL)),
        pretend: fields.table("pretend").map(|fields| pretend(&fields)),
        steps: steps.iter().take(MOST_STEPS).map(|fields| step(path, fields, within)).collect(),
    };
    fields.no_more();
    sheet.verdict()?;
    if let Some(agent @ Value::Object(_)) = &script.agent
        && let Err(refusal) = fit::agent(agent)
    {
        let at = refusal.path.as_deref().and_then(|claim| place(table.get_ref(), claim));
        sheet.problem(&at.unwrap_or(0..0), format!("a relay would refuse this agent: {refusal}"));
        sheet.verdict()?;
    }
    Ok(script)
}

/// The agent's sections stand in the script as they do in an agent file; or `agent` is the name of one.
fn inline(fields: &Fields<'_>) -> Option<Value> {
    let there: Vec<_> = SECTIONS.iter().filter_map(|name| Some((*name, fields.raw(name)?))).collect();
    if let Some((_, (DeValue::String(file), _))) = there.iter().find(|(name, _)| *name == "agent") {
        for (name, (_, at)) in there.iter().filter(|(name, _)| *name != "agent") {
            fields.problem(at, format!("`{name}` belongs into the file that `agent` names"));
        }
        return Some(Value::String(file.to_string()));
    }
    let sections: Map<_, _> =
        there.iter().map(|(name, (value, _))| ((*name).to_owned(), json(value))).collect();
    (!sections.is_empty()).then_some(Value::Object(sections))
}

/// Where a claim such as `legs[0].turn.mode` stands, as far as it does.
fn place(table: &DeTable<'_>, claim: &str) -> Option<Range<usize>> {
    let (mut table, mut at) = (table, None);
    for part in claim.split('.') {
        let (name, index) = part
            .split_once('[')
            .map_or((part, None), |(name, index)| (name, index.trim_end_matches(']').parse::<usize>().ok()));
        let Some((key, value)) = table.get_key_value(name) else { break };
        at = Some(key.span());
        let mut value = value;
        if let (Some(index), Some(items)) = (index, value.get_ref().as_array()) {
            let Some(item) = items.get(index) else { break };
            at = Some(item.span());
            value = item;
        }
        let Some(inner) = value.get_ref().as_table() else { break };
        table = inner;
    }
    at
}

fn pretend(fields: &Fields<'_>) -> Pretend {
    let replies = fields.tables("reply", "pretend.reply");
    let pretend = Pretend {
        thinks: fields.number("think_ms", 0..=60_000).map(Duration::from_millis),
        replies: replies.iter().take(MOST_STEPS).map(reply).collect(),
    };
    fields.no_more();
    pretend
}

fn reply(fields: &Fields<'_>) -> Reply {
    let reply = Reply {
        says: fields.text("say").unwrap_or_default().to_owned(),
        calls: fields.text("call").map(str::to_owned),
        arguments: fields.value("arguments").unwrap_or_else(|| Value::Object(Map::new())),
        result: fields.value("result"),
    };
    if reply.says.is_empty() && reply.calls.is_none() {
        fields.problem(&fields.at, "a reply needs something to `say`, or a tool to `call`");
    }
    for name in ["arguments", "result"] {
        if let (None, Some(at)) = (&reply.calls, fields.place(name)) {
            fields.problem(&at, format!("`{name}` goes with `call`"));
        }
    }
    fields.no_more();
    reply
}

fn step(path: &Path, fields: &Fields<'_>, within: u64) -> Step {
    let step = Step {
        line: fields.line(&fields.at),
        action: action(path, fields),
        expects: expects(fields),
        within: Duration::from_millis(fields.number("within_ms", WAITS).unwrap_or(within)),
    };
    let all_known = fields.no_more();
    if all_known && step.action.is_none() && step.expects.is_empty() {
        let text = "this step does nothing and expects nothing: it needs one of ";
        let all: Vec<_> = ACTIONS.iter().chain(EXPECTATIONS).copied().collect();
        fields.problem(&fields.at, text.to_owned() + &all.join(", "));
    }
    step
}

fn action(path: &Path, fields: &Fields<'_>) -> Option<Action> {
    let there: Vec<_> = ACTIONS.iter().filter_map(|name| Some((*name, fields.place(name)?))).collect();
    if let [(first, _), (second, at), ..] = &there[..] {
        let text = format!("`{first}` and `{second}` are two things to do: give each a [[step]] of its own");
        fields.problem(at, text);
    }
    let goes_with = |name: &'static str, actions: &[&str]| {
        let at = fields.place(name).filter(|_| !there.iter().any(|(action, _)| actions.contains(action)));
        if let Some(at) = at {
            fields.problem(&at, format!("`{name}` goes with {}", actions.join(" or ")));
        }
    };
    goes_with("audio", &["say", "interrupt"]);
    goes_with("after_ms", &["interrupt"]);
    let audio = fields.text("audio").map(|file| beside(path, file));
    let after = fields.number("after_ms", 0..=600_000).unwrap_or(USUAL_INTERRUPTION);
    let speech = |text: &str| Speech { text: text.to_owned(), audio: audio.clone() };
    let name = there.first()?.0;
    Some(match name {
        "say" => Action::Say(speech(fields.text("say")?)),
        "interrupt" => {
            let after = Duration::from_millis(after);
            Action::Interrupt { with: speech(fields.text("interrupt")?), after }
        }
        "press" => {
            let keys = fields.text("press")?;
            let are_keys = |c: char| c.is_ascii_digit() || c == '*' || c == '#';
            if keys.is_empty() || keys.len() > MOST_KEYS || !keys.chars().all(are_keys) {
                let text = format!("`press` takes up to {MOST_KEYS} keys of 0 to 9, * and #");
                fields.problem(&there[0].1, text);
            }
            Action::Press(keys.to_owned())
        }
        "wait_ms" => Action::Wait(Duration::from_millis(fields.number("wait_ms", 1..=600_000)?)),
        _ => {
            if !fields.truth("hang_up")? {
                fields.problem(&there[0].1, "leave it out instead of saying false");
            }
            Action::HangUp
        }
    })
}

fn expects(fields: &Fields<'_>) -> Vec<Expected> {
    let tool = ["arguments", "outcome"];
    for (name, at) in tool.iter().filter_map(|name| Some((name, fields.place(name)?))) {
        if fields.raw("calls_tool").is_none_or(|(value, _)| value.as_str().is_none()) {
            fields.problem(&at, format!("`{name}` goes with `calls_tool`"));
        }
    }
    let expect = |name: &'static str| {
        let (value, at) = fields.raw(name)?;
        let what = match name {
            "agent_says" => Expect::Says(wanted(fields, name)?),
            "agent_does_not_say" => Expect::SaysNot(wanted(fields, name)?),
            "heard" => Expect::Heard(wanted(fields, name)?),
            "not_heard" => Expect::NotHeard(wanted(fields, name)?),
            "understood" => Expect::Understood(wanted(fields, name)?),
            "answers_within_ms" => Expect::AnswersWithin(Duration::from_millis(fields.number(name, WAITS)?)),
            "clears_playback" => Expect::Clears(fields.truth(name)?),
            "calls_tool" if value.as_bool() == Some(false) => Expect::CallsNothing,
            "calls_tool" => Expect::Calls {
                tool: fields.text(name)?.to_owned(),
                arguments: fields.value("arguments"),
                outcome: fields.text("outcome").map(str::to_owned),
            },
            _ if value.as_bool() == Some(true) => Expect::Ends(None),
            _ => Expect::Ends(Some(reason(fields, name, &at)?)),
        };
        Some((at.start, Expected { line: fields.line(&at), field: name, what }))
    };
    let mut all: Vec<_> = EXPECTATIONS.iter().filter_map(|name| expect(name)).collect();
    // A table forgets the order in which its fields were written.
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, expected)| expected).collect()
}

fn reason(fields: &Fields<'_>, name: &'static str, at: &Range<usize>) -> Option<String> {
    let reason = fields.text(name)?;
    if !REASONS.contains(&reason) {
        fields.problem(at, format!("a call never ends as `{reason}`, but as one of {}", REASONS.join(", ")));
    }
    Some(reason.to_owned())
}

/// `"text"`, `["both", "of these"]` or `{ any_of = ["this", "that"] }`.
fn wanted(fields: &Fields<'_>, name: &'static str) -> Option<Wanted> {
    let (value, at) = fields.raw(name)?;
    let texts = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(vec![text.to_string()]),
        DeValue::Array(items) => {
            items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        }
        _ => None,
    };
    let (written, any) = match value {
        DeValue::Table(table) => {
            let only = table.len() == 1;
            (table.get("any_of").filter(|_| only).and_then(|value| texts(value.get_ref())), true)
        }
        other => (texts(other), false),
    };
    let Some(written) = written.filter(|texts| !texts.is_empty()) else {
        let text = format!(
            "`{name}` should be \"words\", [\"all\", \"of these\"] or {{ any_of = [\"one\", \"of these\"] }}"
        );
        fields.problem(&at, text);
        return None;
    };
    let mut patterns = Vec::new();
    for text in &written {
        match Pattern::new(text) {
            Some(pattern) => patterns.push(pattern),
            None => fields.problem(&at, format!("there is no word to look for in {text:?}")),
        }
    }
    Some(Wanted { patterns, any })
}

/// A file is looked for where the script lies.
fn beside(script: &Path, file: &str) -> PathBuf {
    script.parent().map_or_else(|| PathBuf::from(file), |folder| folder.join(file))
}

const SECTIONS: [&str; 8] = ["agent", "legs", "keys", "tools", "call", "report", "context", "config"];

const ACTIONS: &[&str] = &["say", "interrupt", "press", "wait_ms", "hang_up"];

const EXPECTATIONS: &[&str] = &[
    "agent_says",
    "agent_does_not_say",
    "heard",
    "not_heard",
    "understood",
    "answers_within_ms",
    "calls_tool",
    "clears_playback",
    "ends",
];

const REASONS: [&str; 11] = [
    "caller_hung_up",
    "agent_hung_up",
    "transferred",
    "idle",
    "carrier_lost",
    "max_duration",
    "leg_failed",
    "drained",
    "refused",
    "never_started",
    "internal",
];

/// What a person writes by hand is a hundredth of that.
const LARGEST: u64 = 1 << 20;

const MOST_STEPS: usize = 500;

const MOST_KEYS: usize = 32;

/// For one expectation, in milliseconds.
const WAITS: std::ops::RangeInclusive<u64> = 1..=600_000;

/// An answer that takes longer is none; models with tools take some seconds.
const USUAL_WAIT: u64 = 10_000;

const USUAL_INTERRUPTION: u64 = 1_000;

/// Seconds.
const USUAL_CALL: u64 = 120;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Script, String> {
        parse(Path::new("scripts/bakery.toml"), text)
    }

    #[test]
    fn a_whole_script_is_read_with_its_agent_its_steps_and_their_order() {
        let script = read(
            r#"
            name = "The bakery"
            within_ms = 4000
            [agent]
            prompt = "You answer the phone for a bakery."
            [[legs]]
            kind = "openai"
            model = "gpt-realtime-2.1-mini"
            [pretend]
            think_ms = 300
            [[pretend.reply]]
            call = "lookup"
            arguments = { order = 7 }
            result = { status = "shipped" }
            [[step]]
            agent_says = "bakery"
            [[step]]
            say = "Where is my order?"
            audio = "order.wav"
            within_ms = 9000
            calls_tool = "lookup"
            arguments = { order = 7 }
            answers_within_ms = 1500
            agent_says = { any_of = ["on its way", "shipped"] }
            [[step]]
            interrupt = "Thanks."
            after_ms = 800
            clears_playback = true
            [[step]]
            press = "12#"
            [[step]]
            hang_up = true
            ends = "caller_hung_up"
            "#,
        )
        .unwrap();
        assert_eq!((script.name.as_str(), script.steps.len()), ("The bakery", 5));
        assert_eq!(script.agent.unwrap()["legs"][0]["kind"], "openai");
        let pretend = script.pretend.unwrap();
        assert_eq!(pretend.replies[0].result, Some(json!({ "status": "shipped" })));
        let step = &script.steps[1];
        let audio = Some(PathBuf::from("scripts/order.wav"));
        let text = "Where is my order?".to_owned();
        assert_eq!(step.action, Some(Action::Say(Speech { text, audio })));
        assert_eq!(step.within, Duration::from_secs(9));
        let fields: Vec<_> = step.expects.iter().map(|one| (one.field, one.line)).collect();
        assert_eq!(fields, [("calls_tool", 21), ("answers_within_ms", 23), ("agent_says", 24)]);
        assert_eq!(script.steps[0].within, Duration::from_secs(4));
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_what_was_meant() {
        let step = |text: &str| format!("[[step]]\n{text}");
        for (text, told) in [
            (step("agent_say = \"x\""), ":2: `agent_say` is not known in `step`: did you mean `agent_says`?"),
            (
                "nam = \"x\"\n[[step]]\nhang_up = true".into(),
                ":1: `nam` is not known in `script`: did you mean `name`?",
            ),
            (step("say = 7"), ":2: `say` is 7, and should be a text in quotes"),
            (step("say = \"a\"\npress = \"1\""), ":3: `say` and `press` are two things to do"),
            (step("after_ms = 7\nhang_up = true"), ":2: `after_ms` goes with interrupt"),
            (step("press = \"12a\""), ":2: `press` takes up to 32 keys"),
            (step("wait_ms = 0"), ":2: `wait_ms` is 0, and should be a whole number from 1 to 600000"),
            (step("agent_says = \"…\""), ":2: there is no word to look for in \"…\""),
            (step("agent_says = { all = [\"x\"] }"), ":2: `agent_says` should be \"words\""),
            (step("arguments = { a = 1 }\nhang_up = true"), ":2: `arguments` goes with `calls_tool`"),
            (step("ends = \"hung_up\""), ":2: a call never ends as `hung_up`, but as one of caller_hung_up"),
            (step("hang_up = false"), ":2: leave it out"),
            (step(""), ":1: this step does nothing and expects nothing"),
            ("step = 7".into(), ":1: `step` is 7, and should be tables: [[step]]"),
            ("name = \"x\"".into(), ":1: there is no [[step]] in it"),
            ("name = ".into(), ":1: this is no TOML"),
            (
                format!("[pretend]\nthink = 1\n{}", step("hang_up = true")),
                ":2: `think` is not known in `pretend`: did you mean `think_ms`?",
            ),
            (format!("[[pretend.reply]]\nsays = \"a\"\n{}", step("hang_up = true")), "did you mean `say`?"),
            (
                format!("[agent]\npromt = \"a\"\n[[legs]]\nkind = \"echo\"\n{}", step("hang_up = true")),
                ":2: a relay would refuse this agent",
            ),
            (
                format!("agent = \"a.json\"\n[[legs]]\nkind = \"echo\"\n{}", step("hang_up = true")),
                ":2: `legs` belongs into the file",
            ),
        ] {
            let problem = read(&text).err().unwrap_or_else(|| panic!("{text} was taken"));
            assert!(
                problem.contains(told) && problem.starts_with("scripts/bakery.toml:"),
                "{text}:\n{problem}"
            );
        }
    }

    #[test]
    fn several_mistakes_are_told_at_once() {
        let problem = read("[[step]]\nsays = \"x\"\nagent_say = \"x\"\n").err().unwrap();
        assert_eq!(problem.lines().count(), 2, "{problem}");
    }

    #[test]
    fn every_field_of_a_step_has_a_word_in_the_manual() {
        let manual = include_str!("../../../../docs/call.md");
        for field in ACTIONS.iter().chain(EXPECTATIONS) {
            assert!(manual.contains(&format!("`{field}`")), "docs/call.md says nothing of `{field}`");
        }
    }
}
