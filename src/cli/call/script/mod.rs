//! `--script`: a conversation in a file, with what is expected of it.
//!
//! [`file`] reads it, [`judge`] decides by the diary alone whether an expectation is met, [`play`] drives the phone.

mod file;
pub(super) mod judge;
pub(super) mod play;
mod pretend;
mod scope;
mod sheet;
mod wording;
mod words;

use std::{path::PathBuf, time::Duration};

use serde_json::Value;

pub(super) use self::{
    file::read,
    pretend::{Pretend, Reply, stand_in, teach},
    scope::has_finished,
    wording::clock,
    words::Pattern,
};

/// A whole script.
#[derive(Debug)]
pub(super) struct Script {
    pub path: PathBuf,
    pub name: String,
    /// Who answers: an agent's claims, if the script says so.
    pub agent: Option<Value>,
    /// The longest the call may last.
    pub most: Duration,
    pub pretend: Option<Pretend>,
    pub steps: Vec<Step>,
}

/// Something that the caller does, and what is expected from then on until the caller does something else.
#[derive(Debug)]
pub(super) struct Step {
    /// Where it stands in its file.
    pub line: usize,
    pub action: Option<Action>,
    pub expects: Vec<Expected>,
    /// How long each of them may take.
    pub within: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// When the agent has finished, or does not speak.
    Say(Speech),
    /// When so much of what the agent says has been heard.
    Interrupt {
        with: Speech,
        after: Duration,
    },
    Press(String),
    Wait(Duration),
    HangUp,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Speech {
    pub text: String,
    /// Without one it is a made-up voice.
    pub audio: Option<PathBuf>,
}

/// An expectation, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expected {
    pub line: usize,
    /// As the file calls it.
    pub field: &'static str,
    pub what: Expect,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expect {
    Says(Wanted),
    SaysNot(Wanted),
    /// Of what the agent said the caller heard this.
    Heard(Wanted),
    NotHeard(Wanted),
    /// The relay understood this of the caller.
    Understood(Wanted),
    AnswersWithin(Duration),
    Calls {
        tool: String,
        arguments: Option<Value>,
        outcome: Option<String>,
    },
    CallsNothing,
    Clears(bool),
    /// The call ends, with this reason if there is one.
    Ends(Option<String>),
}

/// Words of which all, or any, are wanted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    pub patterns: Vec<Pattern>,
    pub any: bool,
}

impl Wanted {
    pub fn is_in(&self, text: &str) -> bool {
        let mut each = self.patterns.iter().map(|pattern| pattern.is_in(text));
        if self.any { each.any(|fits| fits) } else { each.all(|fits| fits) }
    }

    /// The first of them that is in it, as it was written.
    pub fn found_in(&self, text: &str) -> Option<&str> {
        self.patterns.iter().find(|pattern| pattern.is_in(text)).map(|pattern| pattern.written.as_str())
    }
}

impl Expect {
    /// Nobody but the relay itself can tell.
    pub fn needs_news(&self) -> bool {
        match self {
            Self::Says(_) | Self::SaysNot(_) | Self::Heard(_) | Self::NotHeard(_) | Self::Understood(_) => {
                true
            }
            Self::Calls { .. } | Self::CallsNothing => true,
            Self::Ends(reason) => reason.is_some(),
            Self::AnswersWithin(_) | Self::Clears(_) => false,
        }
    }
}

impl Action {
    pub fn title(&self) -> String {
        match self {
            Self::Say(speech) => format!("say “{}”", speech.text),
            Self::Interrupt { with, after } => {
                format!("interrupt after {} ms with “{}”", after.as_millis(), with.text)
            }
            Self::Press(keys) => format!("press {keys}"),
            Self::Wait(time) => format!("wait {} ms", time.as_millis()),
            Self::HangUp => "hang up".to_owned(),
        }
    }
}
