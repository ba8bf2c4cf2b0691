//! What is wrong with the settings, all of it at once.
//!
//! A problem names the variable and the cure. It never holds the value: that may be a key.

use std::fmt;

use crate::gate;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub variable: String,
    /// What is wrong, and what to do.
    pub text: String,
}

impl Problems {
    pub(super) fn add(&mut self, variable: &str, fault: impl fmt::Display, cure: impl fmt::Display) {
        let text = format!("{fault}: {cure}");
        self.0.push(Problem { variable: variable.to_owned(), text });
    }

    /// What the token gate finds in its part of the settings, unless that variable was named already.
    pub(super) fn add_from_gate(&mut self, found: Vec<gate::Problem>) {
        let fresh = |p: &gate::Problem| !self.names(p.setting);
        let found: Vec<_> = found.into_iter().filter(fresh).collect();
        self.0.extend(found.into_iter().map(|p| Problem { variable: p.setting.to_owned(), text: p.message }));
    }

    pub(super) fn names(&self, variable: &str) -> bool {
        self.0.iter().any(|p| p.variable == variable)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.iter().map(|p| format!("  {}: {}", p.variable, p.text)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}
