//! What a session is asked to be, before anything is said.
//!
//! The model is not here: it is chosen by the address ([`super::path_and_query`]) and cannot be changed.

use std::fmt;

use call::Turns;
use serde::Serialize;
use serde_json::Value;

use crate::Function;

/// The settings of one session. Everything that is `None` is left to the provider.
#[derive(Clone, PartialEq)]
pub struct Setup {
    pub instructions: String,
    pub voice: Option<String>,
    /// 0.25 to 1.5.
    pub speed: Option<f64>,
    /// The caller's language, such as `en` or `de-CH`: a hint for the transcription.
    pub language: Option<String>,
    pub turn: Turn,
    pub noise_reduction: Option<NoiseReduction>,
    pub transcription: Option<Transcription>,
    /// Of one response.
    pub max_output_tokens: Option<u32>,
    /// Only models that reason take it; others refuse the whole session.
    pub reasoning_effort: Option<ReasoningEffort>,
    /// What it can call.
    pub tools: Vec<Function>,
    /// Servers whose tools the provider calls by itself, as it takes them.
    pub servers: Vec<Value>,
    /// Who answers the caller's turns at first.
    pub turns: Turns,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            instructions: String::new(),
            voice: None,
            speed: None,
            language: None,
            turn: Turn::default(),
            noise_reduction: None,
            transcription: None,
            max_output_tokens: None,
            reasoning_effort: None,
            tools: Vec::new(),
            servers: Vec::new(),
            turns: Turns::Held,
        }
    }
}

/// How the provider hears that a turn is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    /// By loudness and silence.
    ServerVad { threshold: f64, prefix_padding_ms: u32, silence_ms: u32 },
    /// By what was said.
    Semantic { eagerness: Eagerness },
}

impl Default for Turn {
    /// The documented defaults. The live service's own silence is 200 ms, which cuts people off.
    fn default() -> Self {
        Self::ServerVad { threshold: 0.5, prefix_padding_ms: 300, silence_ms: 500 }
    }
}

/// How soon a semantic turn is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Eagerness {
    Low,
    Medium,
    High,
    Auto,
}

/// How near the microphone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseReduction {
    NearField,
    FarField,
}

/// The caller's words as text, by another model and paid apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcription {
    pub model: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningEffort {
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
}

/// Without the instructions: they are the customer's, and may hold anything.
impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("voice", &self.voice)
            .field("turn", &self.turn)
            .field("turns", &self.turns)
            .finish_non_exhaustive()
    }
}
