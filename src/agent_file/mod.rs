//! An agent in a file: the fields of a call token, written by a person, as TOML or JSON.
//!
//! The gate's own code says what is wrong with a field; here it gets the line. So what is taken from a file is what
//! would be taken from a token, and a typo is found when the file is read, not when somebody calls.

mod json;
mod places;
mod toml;

use std::{
    fmt,
    fs::File,
    io::{self, Read},
};

use serde_json::{Map, Value};

use self::places::Places;
use crate::gate::{self, Gate, Wrong, config::Config};

/// An agent whose fields exist and have the right types.
#[derive(Clone)]
pub struct AgentFile {
    name: String,
    fields: Map<String, Value>,
    places: Places,
}

/// What is wrong with a file, a line for each fault. Names file, line and field, and holds no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<String>);

impl AgentFile {
    /// Reads a file; `-` is standard input.
    pub fn read(path: &str) -> Result<Self, Faults> {
        let (name, bytes) = match path {
            "-" => ("standard input", everything(io::stdin())),
            path => (path, File::open(path).and_then(everything)),
        };
        let fault = |text: String| Faults(vec![format!("{name}: {text}")]);
        let bytes = bytes.map_err(|error| fault(format!("cannot be read ({error})")))?;
        if bytes.len() as u64 > LARGEST {
            return Err(fault("is larger than 1 MB, which no token can hold".to_owned()));
        }
        let text = String::from_utf8(bytes).map_err(|_| fault("is not text in UTF-8".to_owned()))?;
        Self::parse(name, &text)
    }

    /// `name` is for people; its ending tells TOML from JSON, and without one of these the first character does.
    pub fn parse(name: &str, text: &str) -> Result<Self, Faults> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut places = Places::default();
        let read = if is_json(name, text) { json::read } else { toml::read };
        let fields = read(text, &mut places).map_err(|faults| Faults(located(name, faults)))?;
        let file = Self { name: name.to_owned(), fields, places };
        match gate::shape(&file.fields) {
            Ok(()) => Ok(file),
            Err(wrong) => Err(file.faults(wrong)),
        }
    }

    /// The fields as a token's claims have them.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Changes or adds a field. What is said about it later has no line.
    pub fn set(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    /// What this relay makes of it; `None` when the file only says where the rest is to be fetched.
    pub fn config(&self, gate: &Gate) -> Result<Option<Config>, Faults> {
        gate.agent(&self.fields).map_err(|wrong| self.faults(wrong))
    }

    /// A fault of one field, with its place.
    pub fn fault(&self, path: &str, text: &str) -> String {
        let line = self.places.line_of(path).map(|line| format!(":{line}")).unwrap_or_default();
        let field = if path.is_empty() { "the agent".to_owned() } else { format!("`{path}`") };
        format!("{}{line}: {field} {text}", self.name)
    }

    fn faults(&self, wrong: Vec<Wrong>) -> Faults {
        Faults(wrong.iter().map(|wrong| self.fault(&wrong.path, &wrong.text)).collect())
    }
}

/// Must never panic, whatever the bytes are. For fuzzing and tests.
#[doc(hidden)]
pub fn poke(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for name in ["agent.toml", "agent.json"] {
        if let Ok(file) = AgentFile::parse(name, &text) {
            file.fields().keys().for_each(|name| drop(file.fault(name, "")));
        }
    }
}

/// What a parser found: where, as far as it knows, and what.
struct Syntax {
    line: Option<usize>,
    text: String,
}

fn located(name: &str, faults: Vec<Syntax>) -> Vec<String> {
    let line = |line: Option<usize>| line.map(|line| format!(":{line}")).unwrap_or_default();
    faults.into_iter().map(|fault| format!("{name}{}: {}", line(fault.line), fault.text)).collect()
}

fn is_json(name: &str, text: &str) -> bool {
    let ends = |ending: &str| name.len() > ending.len() && name.to_ascii_lowercase().ends_with(ending);
    ends(".json") || !ends(".toml") && text.trim_start().starts_with('{')
}

fn everything(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Faults {}

/// Keys stand in it.
impl fmt::Debug for AgentFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentFile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// More than a token can hold; a wrong path must not fill the memory.
const LARGEST: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "\
# The bakery
[agent]
prompt = \"\"\"
You answer
the phone.\"\"\"
speed = 1.1

[[legs]]
kind = \"openai\"
turn = { mode = \"server_vad\", silence_ms = 0x1F4 }

[[legs]]
kind = \"echo\"

[context]
open = true
hours = [8, 18]
";

    const JSON: &str = r#"{
  "agent": { "prompt": "You answer\nthe phone.", "speed": 1.1 },
  "legs": [ { "kind": "openai", "turn": { "mode": "server_vad", "silence_ms": 500 } }, { "kind": "echo" } ],
  "context": { "open": true, "hours": [8, 18] }
}"#;

    fn faults(name: &str, text: &str) -> Vec<String> {
        AgentFile::parse(name, text).unwrap_err().0
    }

    #[test]
    fn the_same_agent_in_both_forms_is_the_same() {
        let toml = AgentFile::parse("agent.toml", TOML).unwrap();
        let json = AgentFile::parse("agent.json", JSON).unwrap();
        assert_eq!(toml.fields(), json.fields());
        for (name, text) in [("-", TOML), ("-", JSON), ("agent", TOML), ("a.JSON", JSON), (".toml", JSON)] {
            assert_eq!(AgentFile::parse(name, text).unwrap().fields(), json.fields(), "{name}");
        }
        assert!(AgentFile::parse("agent.toml", &format!("\u{feff}{TOML}")).is_ok());
    }

    #[test]
    fn a_typo_is_named_with_file_line_and_field() {
        for (name, text, line) in [
            ("agent.toml", TOML.replace("speed", "sped"), 6),
            ("agent.json", JSON.replace("speed", "sped"), 2),
        ] {
            let told = faults(name, &text);
            assert_eq!(told, [format!("{name}:{line}: `agent.sped` is not known: did you mean `speed`?")]);
        }
        assert_eq!(
            faults("agent.toml", &TOML.replace("silence_ms = 0x1F4", "silence = 1")),
            ["agent.toml:10: `legs[0].turn.silence` is not known: did you mean `silence_ms`?"]
        );
        let twice = TOML.replace("[context]", "[contxt]").replace("[agent]", "[agnt]");
        let told = faults("agent.toml", &twice);
        assert!(told[0].starts_with("agent.toml:2: `agnt`"), "{told:?}");
        assert!(told[1].starts_with("agent.toml:15: `contxt`"), "{told:?}");
    }

    #[test]
    fn a_wrong_type_is_named_with_its_line_and_without_its_value() {
        let told = faults("agent.toml", &TOML.replace("1.1", "\"sk-CANARY\""));
        assert_eq!(told, ["agent.toml:6: `agent.speed` is a string, and should be a number"]);
        let told = faults("a.json", &JSON.replace("\"echo\"", "7"));
        assert_eq!(told, ["a.json:3: `legs[1].kind` should be a string"]);
    }

    #[test]
    fn what_cannot_be_read_at_all_says_where() {
        for (name, text, place) in [
            ("a.toml", "[agent]\nprompt = sk-CANARY\n", "a.toml:2: "),
            ("a.toml", "[agent]\nprompt = \"a\"\nprompt = \"b\"\n", "a.toml:3: "),
            ("a.toml", "[agent\n", "a.toml:1: "),
            ("a.toml", "[agent]\nprompt = \"sk-CANARY\n", "a.toml:2: "),
            ("a.toml", "[context]\n\nsince = 2026-11-30\n", "a.toml:3: `context.since` is a date"),
            ("a.toml", "[agent]\nspeed = inf\n", "a.toml:2: `agent.speed` is no number that JSON has"),
            ("a.toml", "[context]\nn = 99999999999999999999\n", "a.toml:2: `context.n` "),
            ("a.json", "{\n  \"agent\": sk-CANARY\n}", "a.json:2: is not JSON"),
            (
                "a.json",
                "{\n  \"agent\": {},\n\n  \"agent\": {}\n}",
                "a.json:4: `agent` stands here a second time",
            ),
            (
                "a.json",
                "{\"agent\": {\"id\": \"a\",\n \"i\\u0064\": \"b\"}}",
                "a.json:2: `agent.id` stands here",
            ),
            ("a.json", "{ \"agent\": {}", "a.json:1: is not JSON"),
            ("a.json", "[]", "a.json:1: "),
            ("a.json", "", "a.json:1: "),
            ("a.json", "7", "a.json:1: "),
        ] {
            let told = faults(name, text);
            assert!(told[0].starts_with(place), "{text}: {told:?}");
            assert!(!told.join("").contains("CANARY"), "{told:?}");
        }
        let missing = AgentFile::read("/nowhere/agent.toml").unwrap_err().to_string();
        assert!(missing.starts_with("/nowhere/agent.toml: cannot be read (No such file"), "{missing}");
    }

    #[test]
    fn nothing_that_is_too_deep_harms_anybody() {
        for (name, text) in [
            ("a.json", format!("{{\"context\":{}", "[".repeat(100_000))),
            ("a.toml", format!("context = {}", "[".repeat(100_000))),
            ("a.toml", format!("context{} = 1", ".a".repeat(100_000))),
        ] {
            assert!(AgentFile::parse(name, &text).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_only_missing_is_placed_where_it_belongs() {
        let file = AgentFile::parse("agent.toml", TOML).unwrap();
        assert!(file.fault("legs[0].turn.threshold", "x").starts_with("agent.toml:10: "));
        assert!(file.fault("legs[1].pause_ms", "x").starts_with("agent.toml:12: "));
        assert!(file.fault("keys.openai", "x").starts_with("agent.toml: `keys.openai` x"));
        assert!(file.fault("", "x").starts_with("agent.toml: the agent x"));
    }
}
