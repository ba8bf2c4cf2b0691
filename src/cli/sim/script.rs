//! What is said: a file that the pretend ear, the pretend model and the pretend OpenAI all go by.
//!
//! The ear hears the caller's words turn by turn, whatever the sound was. The chat model answers what it is asked, by
//! the caller's words; OpenAI answers turn by turn.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::dials::{Dials, Provider};
use crate::gate::nearest;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    pub turn: Vec<Turn>,
    /// When the turns are used up.
    pub afterwards: Afterwards,
    openai: Speaker,
    deepgram: Part,
    chat: Model,
    elevenlabs: Part,
    twilio: Api,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// The caller's words. A `|` is where the caller pauses.
    pub hears: String,
    pub say: Option<String>,
    /// A tool, called after that.
    pub call: Option<String>,
    pub arguments: Option<Map<String, Value>>,
    /// What the agent says when the tool's result is there; nothing for tools that end the call.
    pub then: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Afterwards {
    pub hears: Option<String>,
    pub say: Option<String>,
}

/// The dials that have a meaning for OpenAI.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Speaker {
    latency_ms: Option<u64>,
    first_audio_ms: Option<u64>,
    fail: Option<u32>,
    quota: Option<bool>,
    cut_after_ms: Option<u64>,
    stall_after_ms: Option<u64>,
    down: bool,
}

/// An ear and a voice.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Part {
    latency_ms: Option<u64>,
    first_audio_ms: Option<u64>,
    quota: Option<bool>,
    cut_after_ms: Option<u64>,
    stall_after_ms: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Model {
    latency_ms: Option<u64>,
    first_audio_ms: Option<u64>,
    fail: Option<u32>,
    quota: Option<bool>,
    down: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Api {
    latency_ms: Option<u64>,
    fail: Option<u32>,
}

impl Script {
    pub fn dials(&self, provider: Provider) -> Dials {
        match provider {
            Provider::Openai => self.openai.dials(),
            Provider::Deepgram => self.deepgram.dials(),
            Provider::Chat => self.chat.dials(),
            Provider::Elevenlabs => self.elevenlabs.dials(),
            Provider::Twilio => {
                Dials { latency_ms: self.twilio.latency_ms, fail: self.twilio.fail, ..Dials::default() }
            }
        }
    }

    /// What no type can say.
    fn check(self) -> Result<Self, String> {
        for (number, turn) in self.turn.iter().enumerate() {
            let name = format!("turn {}", number + 1);
            if turn.heard().is_empty() {
                return Err(format!("{name}: `hears` is empty: the ear would hear nothing"));
            }
            match (&turn.say, &turn.call, &turn.then) {
                (None, None, _) => {
                    return Err(format!("{name}: the agent does nothing: give it `say`, `call` or both"));
                }
                (_, None, _) if turn.arguments.is_some() => {
                    return Err(format!("{name}: `arguments` are for a tool, and there is no `call`"));
                }
                (_, None, Some(_)) => {
                    return Err(format!(
                        "{name}: `then` is said after a tool's result, and there is no `call`"
                    ));
                }
                (_, Some(_), _) | (Some(_), None, None) => {}
            }
            let again = self.turn[..number]
                .iter()
                .any(|other| turn.call.is_some() && other.call == turn.call && other.then != turn.then);
            if again {
                return Err(format!(
                    "{name}: its tool is called in an earlier turn with another `then`: a result does not tell which of \
                     them is meant, so make them the same"
                ));
            }
        }
        Ok(self)
    }
}

impl Speaker {
    fn dials(&self) -> Dials {
        let Self { latency_ms, first_audio_ms, fail, quota, cut_after_ms, stall_after_ms, down } = *self;
        let own_first_audio_ms = None;
        Dials {
            latency_ms,
            first_audio_ms,
            fail,
            quota,
            cut_after_ms,
            stall_after_ms,
            down,
            own_first_audio_ms,
        }
    }
}

impl Part {
    fn dials(&self) -> Dials {
        let Self { latency_ms, first_audio_ms, quota, cut_after_ms, stall_after_ms } = *self;
        Dials { latency_ms, first_audio_ms, quota, cut_after_ms, stall_after_ms, ..Dials::default() }
    }
}

impl Model {
    fn dials(&self) -> Dials {
        let Self { latency_ms, first_audio_ms, fail, quota, down } = *self;
        Dials { latency_ms, first_audio_ms, fail, quota, down, ..Dials::default() }
    }
}

impl Turn {
    /// The words, for those who know no pauses.
    pub fn heard(&self) -> String {
        self.hears.split('|').map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// As a model writes them: JSON in a string.
    pub fn arguments(&self) -> String {
        Value::Object(self.arguments.clone().unwrap_or_default()).to_string()
    }
}

/// TOML, unless the file's name ends with `.json`.
pub fn read(path: &Path) -> anyhow::Result<Script> {
    let name = path.display();
    let length = fs::metadata(path).with_context(|| format!("{name} cannot be read"))?.len();
    if length > LARGEST {
        bail!("{name} is larger than {LARGEST} bytes: that is no script");
    }
    let text = fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
    let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let script = if is_json { parse_json(&text) } else { parse_toml(&text) };
    script.and_then(Script::check).map_err(|wrong| anyhow::anyhow!("{name}: {wrong}"))
}

pub(super) fn parse_toml(text: &str) -> Result<Script, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        explained(line, error.message())
    })
}

fn parse_json(text: &str) -> Result<Script, String> {
    serde_json::from_str(text).map_err(|error| {
        let told = error.to_string();
        // The place stands behind the words, and we name it in front.
        explained(Some(error.line()), told.rsplit_once(" at line ").map_or(told.as_str(), |(words, _)| words))
    })
}

/// With the line in front, and behind it what was probably meant.
fn explained(line: Option<usize>, words: &str) -> String {
    let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let names: Vec<&str> = words.split('`').skip(1).step_by(2).collect();
    let meant = match names.split_first() {
        Some((wrong, known)) if words.starts_with("unknown field") => nearest(wrong, known),
        Some(_) | None => None,
    };
    let meant = meant.map(|meant| format!(". Did you mean `{meant}`?")).unwrap_or_default();
    format!("{line}{words}{meant}")
}

/// Hours of talk.
const LARGEST: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOML: &str = r#"
        [[turn]]
        hears = "Where is | order 42?"
        say = "One moment."
        call = "lookup_order"
        arguments = { order = 42 }
        then = "It is on its way."

        [[turn]]
        hears = "Thank you."
        say = "You are welcome."

        [afterwards]
        say = "Are you still there?"

        [openai]
        fail = 1
        [chat]
        down = true
    "#;

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = parse_toml(TOML).unwrap().check().unwrap();
        let json = json!({
            "turn": [
                { "hears": "Where is | order 42?", "say": "One moment.", "call": "lookup_order", "arguments": { "order": 42 },
                  "then": "It is on its way." },
                { "hears": "Thank you.", "say": "You are welcome." },
            ],
            "afterwards": { "say": "Are you still there?" }, "openai": { "fail": 1 }, "chat": { "down": true },
        });
        assert_eq!(parse_json(&json.to_string()).unwrap(), toml);
        assert_eq!(toml.turn[0].heard(), "Where is order 42?");
        assert_eq!(toml.turn[0].arguments(), r#"{"order":42}"#);
        assert_eq!(toml.dials(Provider::Openai).fail, Some(1));
        assert!(toml.dials(Provider::Chat).down && !toml.dials(Provider::Deepgram).down);
    }

    #[test]
    fn a_typo_is_named_with_its_line_and_what_was_meant() {
        let toml = parse_toml("[[turn]]\nhears = \"Hi\"\nargments = {}\n").unwrap_err();
        assert!(
            toml.starts_with("line 3: unknown field `argments`")
                && toml.contains("Did you mean `arguments`?"),
            "{toml}"
        );
        let json = parse_json("{\"turn\": [\n{\"haers\": \"Hi\"}]}").unwrap_err();
        assert!(
            json.starts_with("line 2: unknown field `haers`") && json.contains("Did you mean `hears`?"),
            "{json}"
        );
        let dial = parse_toml("[twilio]\nquota = true").unwrap_err();
        assert!(dial.starts_with("line 2: unknown field `quota`, expected `latency_ms` or `fail`"), "{dial}");
        assert!(parse_toml("[[turn]]\nhears = 7").unwrap_err().contains("line 2"));
    }

    #[test]
    fn the_script_in_the_documentation_works() {
        let page = include_str!("../../../docs/sim.md");
        let scripts: Vec<_> =
            page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(scripts.len(), 1);
        let script = parse_toml(scripts[0]).and_then(Script::check).unwrap();
        assert_eq!((script.turn.len(), script.dials(Provider::Deepgram).first_audio_ms), (3, Some(120)));
    }

    #[test]
    fn what_cannot_work_is_said_before_anybody_calls() {
        for (turns, named) in [
            ("[[turn]]\nhears = \"|\"\nsay = \"a\"", "turn 1: `hears` is empty"),
            ("[[turn]]\nhears = \"Hi\"", "turn 1: the agent does nothing"),
            ("[[turn]]\nhears = \"Hi\"\nsay = \"a\"\nthen = \"b\"", "`then` is said after a tool's result"),
            ("[[turn]]\nhears = \"Hi\"\nsay = \"a\"\narguments = {}", "`arguments` are for a tool"),
            (
                "[[turn]]\nhears = \"a\"\ncall = \"t\"\nthen = \"1\"\n[[turn]]\nhears = \"b\"\ncall = \"t\"\nthen = \"2\"",
                "turn 2: its tool is called in an earlier turn",
            ),
        ] {
            let said = parse_toml(turns).unwrap().check().unwrap_err();
            assert!(said.contains(named), "{turns}: {said}");
        }
    }
}
