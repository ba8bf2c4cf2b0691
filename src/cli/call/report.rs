//! What became of a script? For people, for CI systems (JUnit), and for machines.

use std::{fmt::Write, time::Duration};

use serde_json::{Value, json};

use super::script::{
    Script,
    play::{Check, Outcome},
};
use crate::markup::escaped;

/// A script that was played.
#[derive(Debug)]
pub(super) struct Played {
    pub file: String,
    pub name: String,
    pub checks: Vec<Check>,
    /// There was no call, or it was refused.
    pub error: Option<String>,
    /// Somebody did not want to wait for its end.
    pub stopped: bool,
    pub took: Duration,
    pub phone: Value,
    pub call: Value,
    /// Sentences about the files that were written.
    pub written: Vec<String>,
}

impl Played {
    pub fn new(script: &Script) -> Self {
        let (checks, error, stopped, took, phone, call, written) = Default::default();
        let (file, name) = (script.path.display().to_string(), script.name.clone());
        Self { file, name, checks, error, stopped, took, phone, call, written }
    }

    pub fn passed(&self) -> bool {
        self.error.is_none() && !self.checks.iter().any(Check::failed)
    }
}

/// For people: what was expected, what came instead, and what was said around it.
pub(super) fn text(played: &Played) -> String {
    let mut text = String::new();
    let count = |is: fn(&Outcome) -> bool| played.checks.iter().filter(|check| is(&check.outcome)).count();
    let passed = count(|outcome| matches!(outcome, Outcome::Passed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped));
    for check in &played.checks {
        let Outcome::Failed(failed, around) = &check.outcome else { continue };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}:{}: step {} failed", played.file, check.line, check.step);
        let _ = writeln!(text, "  expected  {}\n  instead   {}", failed.expected, failed.got);
        if !around.is_empty() {
            let _ = writeln!(text, "  around it\n    {}", around.join("\n    "));
        }
    }
    if let Some(error) = &played.error {
        let _ = writeln!(text, "{}: {error}", played.file);
    }
    for line in &played.written {
        let _ = writeln!(text, "{line}");
    }
    let verdict = if played.passed() { "passed" } else { "FAILED" };
    let _ = write!(text, "{}: {verdict}, {passed} of {} held", played.name, played.checks.len());
    if skipped > 0 {
        let _ = write!(text, ", {skipped} were not tried");
    }
    let _ = write!(text, ", in {:.1} s", played.took.as_secs_f64());
    text
}

pub(super) fn json(played: &[Played]) -> Value {
    let scripts = played.iter().map(|one| {
        json!({
            "file": one.file, "name": one.name, "passed": one.passed(), "error": one.error,
            "checks": one.checks.iter().map(Check::json).collect::<Vec<_>>(),
            "phone": one.phone, "call": one.call,
        })
    });
    json!({ "passed": played.iter().all(Played::passed), "scripts": scripts.collect::<Vec<_>>() })
}

/// One suite a script, one case an action or expectation.
pub(super) fn junit(played: &[Played]) -> String {
    let mut xml =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"patchcord call\">\n");
    for one in played {
        let failures = one.checks.iter().filter(|check| check.failed()).count();
        let skipped = one.checks.iter().filter(|check| check.outcome == Outcome::Skipped).count();
        let errors = usize::from(one.error.is_some());
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{:.3}\">",
            escape(&one.name),
            one.checks.len() + errors,
            one.took.as_secs_f64()
        );
        if let Some(error) = &one.error {
            let _ = writeln!(
                xml,
                "    <testcase classname=\"{file}\" name=\"the call\" time=\"0.000\"><error message=\"{text}\">{text}</error></testcase>",
                file = escape(&one.file),
                text = escape(error)
            );
        }
        for check in &one.checks {
            let _ = write!(
                xml,
                "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
                escape(&one.file),
                escape(&format!("step {} (line {}): {}", check.step, check.line, check.title)),
                check.took.as_secs_f64()
            );
            let _ = match &check.outcome {
                Outcome::Passed(_) => writeln!(xml, "/>"),
                Outcome::Skipped => writeln!(xml, "><skipped/></testcase>"),
                Outcome::Failed(failed, around) => writeln!(
                    xml,
                    "><failure message=\"{}\">{}</failure></testcase>",
                    escape(&format!("expected: {}; instead: {}", failed.expected, failed.got)),
                    escape(&around.join("\n"))
                ),
            };
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// For text and attributes of XML. What XML cannot hold at all becomes a mark that says so.
pub(super) fn escape(text: &str) -> String {
    let held = |c: char| match c {
        '\n' => c,
        '\t' => ' ',
        '\u{FFFE}' | '\u{FFFF}' => '\u{FFFD}',
        c if c.is_control() => '\u{FFFD}',
        c => c,
    };
    escaped(&text.chars().map(held).collect::<String>()).replace('\n', "&#10;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::call::script::judge::Failed;

    fn played() -> Played {
        let check = |step, outcome| Check {
            step,
            line: step * 10,
            title: format!("say “{step} < 3 & \"so\"”"),
            took: Duration::from_millis(1_250),
            outcome,
        };
        let failed = Failed {
            expected: "the agent says “<rye>”".into(),
            got: "it said “a\u{1b}[2m & b”".into(),
        };
        Played {
            file: "a&b.toml".into(),
            name: "A <script>".into(),
            checks: vec![
                check(1, Outcome::Passed("said".into())),
                check(2, Outcome::Failed(failed, vec!["   1.00 s  agent   “x”".into(), "line 2".into()])),
                check(3, Outcome::Skipped),
            ],
            error: None,
            stopped: false,
            took: Duration::from_secs(3),
            phone: json!({}),
            call: json!({}),
            written: vec![],
        }
    }

    #[test]
    fn a_person_reads_where_what_and_what_instead() {
        let text = text(&played());
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("a&b.toml:20: step 2 failed"));
        assert_eq!(lines.next(), Some("  expected  the agent says “<rye>”"));
        assert!(lines.next().unwrap().starts_with("  instead   it said"));
        assert!(text.ends_with("A <script>: FAILED, 1 of 3 held, 1 were not tried, in 3.0 s"), "{text}");
    }

    #[test]
    fn junit_is_well_formed_whatever_was_said() {
        let mut broken = played();
        broken.error = Some("refused & gone".into());
        let xml = junit(&[played(), broken]);
        assert!(xml.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""), "{xml}");
        assert!(xml.contains("tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\""), "{xml}");
        assert!(
            xml.contains("name=\"step 1 (line 10): say “1 &lt; 3 &amp; &quot;so&quot;”\" time=\"1.250\"/>")
        );
        assert!(
            xml.contains("“&lt;rye&gt;”")
                && xml.contains("“a\u{FFFD}[2m &amp; b”")
                && xml.contains("&#10;line 2")
        );
        assert!(!xml.chars().any(|c| c.is_control() && c != '\n'), "{xml}");
        for tag in ["testsuite ", "testcase "] {
            let closed = xml.matches(&format!("</{}>", tag.trim())).count() + xml.matches("/>\n").count();
            assert!(closed >= xml.matches(&format!("<{tag}")).count(), "{tag}");
        }
    }

    #[test]
    fn a_machine_reads_the_same() {
        let json = json(&[played()]);
        assert_eq!(
            (&json["passed"], &json["scripts"][0]["checks"][1]["outcome"]),
            (&false.into(), &"failed".into())
        );
        assert_eq!(json["scripts"][0]["checks"][1]["expected"], "the agent says “<rye>”");
    }
}
