//! All that is wrong with some claims, told at once.
//!
//! Whoever mints tokens should not have to fix one typo per call. The first problem gives the refusal its code.

use super::refusal::{Code, Refusal, printable};

/// One thing that is wrong with some claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Such as `legs[0].turn.mode`; empty for all of them together. Written by whoever wrote the claims.
    pub path: String,
    /// What is wrong with it, and what to do: a sentence without its subject.
    pub text: String,
}

#[derive(Default)]
pub(super) struct Problems {
    found: Vec<(Code, String, String)>,
    more: usize,
}

impl Problems {
    pub fn add(&mut self, code: Code, path: impl Into<String>, text: impl Into<String>) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.found.push((code, path.into(), text.into()));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether one more would only be counted.
    pub fn is_full(&self) -> bool {
        self.found.len() >= MOST
    }

    /// Each on its own, for whoever can tell where it stands.
    pub fn into_list(self) -> Vec<Wrong> {
        let more = (self.more > 0)
            .then(|| Wrong { path: String::new(), text: format!("has {} more faults", self.more) });
        let told = self.found.into_iter().map(|(_, path, text)| Wrong { path: printable(&path, 128), text });
        told.chain(more).collect()
    }

    pub fn into_refusal(self) -> Refusal {
        let first = self.found.first().map(|(code, path, _)| (*code, path.clone()));
        let (code, path) = first.unwrap_or((Code::ClaimsMalformed, String::new()));
        let told: Vec<String> = self.found.iter().map(|(_, path, text)| sentence(path, text)).collect();
        let mut message = told.join("; ");
        if self.more > 0 {
            message.push_str(&format!("; and {} more", self.more));
        }
        message.push_str(". The main app writes these claims.");
        let refusal = Refusal::new(code, message);
        if path.is_empty() { refusal } else { refusal.at(printable(&path, 128)) }
    }
}

fn sentence(path: &str, text: &str) -> String {
    if path.is_empty() { format!("the token {text}") } else { format!("`{}` {text}", printable(path, 128)) }
}

/// More would not be read by anybody, and a token can hold thousands.
const MOST: usize = 12;
