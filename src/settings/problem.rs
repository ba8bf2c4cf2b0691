//! What is wrong with the settings, all of it at once.
//!
//! A problem names the variable and the cure. It never holds the value: that may be a key.

use std::fmt;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub variable: String,
    pub fault: String,
    pub cure: String,
}

impl Problems {
    pub fn add(&mut self, variable: &str, fault: impl Into<String>, cure: impl Into<String>) {
        self.0.push(Problem { variable: variable.to_owned(), fault: fault.into(), cure: cure.into() });
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
        let lines: Vec<String> =
            self.iter().map(|p| format!("  {} {}: {}.", p.variable, p.fault, p.cure)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}
