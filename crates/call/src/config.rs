//! What a call must know before it can begin: the checked part of its token that concerns the conversation.

use std::time::Duration;

use crate::{Idle, Tool};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// At least one. The first is used, the others take over when it dies.
    pub legs: Vec<LegRules>,
    /// The agent speaks first, with these words.
    pub greeting: Option<String>,
    /// Whether the caller can stop the agent by talking over it.
    pub interruptible: bool,
    /// The longest this call may last.
    pub max: Duration,
    /// Spoken half a minute before that.
    pub warning: Option<String>,
    /// Spoken when nobody can answer any more and a voice is left; then the call ends.
    pub error_message: Option<String>,
    /// What the agent can have done.
    pub tools: Vec<Tool>,
    /// What happens when nobody speaks.
    pub idle: Option<Idle>,
    /// The carrier itself is told who takes a caller. It ends the stream then, often before we hear that it will.
    pub carrier_hands_over: bool,
    /// What is said is recorded.
    pub record: Option<Record>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Said before anything else; the recording begins when the caller has heard it.
    pub say: Option<String>,
}

/// What is special about one of the legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegRules {
    /// Its name for people: `openai`, `echo`.
    pub name: &'static str,
    /// How long it waits in silence before it takes a turn for finished. A caller who stopped is known to
    /// have stopped only so much later.
    pub turn_silence: Duration,
    /// How long it may think before the first sign of an answer.
    pub patience: Duration,
    /// Its voice does not need its mind: it can say words of ours when the other answers no more.
    pub speaks_alone: bool,
    /// Its provider ends a session after so long.
    pub longest: Option<Duration>,
}

impl Default for LegRules {
    fn default() -> Self {
        Self {
            name: "the AI leg",
            turn_silence: Duration::from_millis(500),
            patience: Duration::from_secs(5),
            speaks_alone: false,
            longest: None,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            legs: vec![LegRules::default()],
            greeting: None,
            interruptible: true,
            max: Duration::from_secs(1_800),
            warning: None,
            error_message: None,
            tools: Vec::new(),
            idle: None,
            carrier_hands_over: false,
            record: None,
        }
    }
}
