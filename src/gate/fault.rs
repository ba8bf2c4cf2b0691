//! What is wrong with one claim, in words for whoever mints the token.
//!
//! serde's own texts quote the value that is wrong, and here that may be a key. So these name the kind of
//! value only, and the fields and choices that we know.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};
use serde_json::Value;

use super::refusal::Code;

/// serde's error, without the value it is about.
pub(super) struct Fault {
    pub code: Code,
    pub path: Option<String>,
    /// A field below the place that notices.
    pub field: Option<String>,
    pub text: String,
}

impl Fault {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, path: None, field: None, text: text.into() }
    }

    pub fn field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }
}

impl Error for Fault {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(Code::ClaimsValue, text.to_string())
    }

    fn invalid_type(got: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let got = match got {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            Unexpected::Unit | Unexpected::Option => "null",
            Unexpected::Seq => "a list",
            Unexpected::Map => "an object",
            _ => "a string",
        };
        Self::new(Code::ClaimsType, format!("is {got}, and should be {}", plain(expected)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Code::ClaimsValue, format!("is out of range, and should be {}", plain(expected)))
    }

    fn unknown_variant(_: &str, variants: &'static [&'static str]) -> Self {
        Self::new(Code::ClaimsValue, format!("is none of {}", list(variants)))
    }

    /// Comes here only from objects that may also be something else; the others note theirs themselves.
    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let text = format!("is not known: the fields here are {}", list(known));
        Self::new(Code::ClaimsUnknownField, text).field(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Code::ClaimsMissing, "is missing").field(field)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.as_deref().unwrap_or(""), self.text)
    }
}

impl std::error::Error for Fault {}

/// serde's expectations in words that a writer of TypeScript knows.
fn plain(expected: &dyn Expected) -> String {
    match expected.to_string().as_str() {
        "u8" | "u16" | "u32" | "u64" => "a whole number, not negative".into(),
        "f32" | "f64" => "a number".into(),
        "a sequence" => "a list".into(),
        "a map" => "an object".into(),
        other => other.into(),
    }
}

pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

pub(super) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The known name that somebody probably meant: equal but for case and separators, or one or two slips away.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let bare = |text: &str| {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    let name = bare(&name.chars().take(40).collect::<String>());
    let slips = |candidate: &&str| distance(&name, &bare(candidate));
    let best = known.iter().copied().min_by_key(|candidate| slips(candidate))?;
    let few = slips(&best) <= if name.len() > 3 { 2 } else { 1 };
    (few && slips(&best) < best.len()).then_some(best)
}

fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        let known = ["prompt", "max_seconds", "openai", "legs", "v"];
        for (name, meant) in [
            ("promt", Some("prompt")),
            ("maxSeconds", Some("max_seconds")),
            ("max_second", Some("max_seconds")),
            ("openAI", Some("openai")),
            ("leg", Some("legs")),
            ("temperature", None),
            ("", None),
            ("ü", None),
        ] {
            assert_eq!(nearest(name, &known), meant, "{name}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), &known), None);
    }
}
