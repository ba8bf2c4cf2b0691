//! What a call must know before it can begin: the checked part of its token that concerns the conversation.

use std::time::Duration;

use crate::{Idle, Tool};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The leg's name for people: `openai`, `echo`.
    pub leg: &'static str,
    /// The agent speaks first, with these words.
    pub greeting: Option<String>,
    /// Whether the caller can stop the agent by talking over it.
    pub interruptible: bool,
    /// The longest this call may last.
    pub max: Duration,
    /// Spoken half a minute before that.
    pub warning: Option<String>,
    /// How long the leg waits in silence before it takes a turn for finished. A caller who stopped is known
    /// to have stopped only so much later.
    pub turn_silence: Duration,
    /// How long the leg may think before the first sign of an answer.
    pub patience: Duration,
    /// What the agent can have done.
    pub tools: Vec<Tool>,
    /// What happens when nobody speaks.
    pub idle: Option<Idle>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            leg: "the AI leg",
            greeting: None,
            interruptible: true,
            max: Duration::from_secs(1_800),
            warning: None,
            turn_silence: Duration::from_millis(500),
            patience: Duration::from_secs(5),
            tools: Vec::new(),
            idle: None,
        }
    }
}
