//! In which line does a field stand?
//!
//! Paths are written as the gate writes them, `legs[0].turn.mode`. What is missing has no line of its own; then the
//! line of what it is missing from is told.

use std::collections::BTreeMap;

use crate::gate::printable;

#[derive(Clone, Default)]
pub(super) struct Places(BTreeMap<String, usize>);

impl Places {
    pub fn note(&mut self, path: &str, line: usize) {
        self.0.insert(path.to_owned(), line);
    }

    pub fn line_of(&self, path: &str) -> Option<usize> {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return Some(*line);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

pub(super) fn field(parent: &str, name: &str) -> String {
    let name = printable(name, 40);
    if parent.is_empty() { name } else { format!("{parent}.{name}") }
}

pub(super) fn item(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}
