//! What may stand in `legs`, exactly as it is written.
//!
//! As in `claims`, the comments on fields end up in the JSON Schema, and nothing here may go unused.

use serde::Deserialize;

use super::loose::Switchable;

#[cfg(feature = "tools")]
use schemars::JsonSchema;

/// An AI leg, told apart by `kind`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
#[cfg_attr(feature = "tools", schemars(tag = "kind"))]
pub(super) enum Leg {
    /// One OpenAI Realtime session.
    #[serde(rename = "openai")]
    OpenAi(OpenAi),
    /// Speech to text, language model and text to speech. Not in this version.
    Cascade(#[expect(dead_code, reason = "read for its grammar, then refused")] Cascade),
    /// No provider: says back what it hears. The line test.
    Echo(Echo),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct OpenAi {
    /// `gpt-realtime-2.1-mini` when left out.
    pub model: Option<String>,
    pub turn: Option<Turn>,
    pub noise_reduction: Option<NoiseReduction>,
    /// How the caller's words become text; `false` switches it off.
    #[serde(default)]
    #[cfg_attr(feature = "tools", schemars(with = "super::loose::TranscriptionOrOff"))]
    pub transcription: Switchable<Transcription>,
    /// The relay's own address of OpenAI, or one whose host is in `UPSTREAM_ALLOW`, such as Azure's.
    pub base_url: Option<String>,
    /// How the key is sent. `api-key` for hosts of Azure, else `bearer`.
    pub auth: Option<Auth>,
    #[cfg_attr(feature = "tools", schemars(range(min = 1, max = 1000000)))]
    pub max_output_tokens: Option<u64>,
    pub reasoning: Option<Reasoning>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Turn {
    /// `server_vad` when left out.
    pub mode: Option<TurnMode>,
    /// `server_vad`: the silence that ends a turn. 500 when left out.
    #[cfg_attr(feature = "tools", schemars(range(min = 20, max = 10000)))]
    pub silence_ms: Option<u64>,
    /// `server_vad`: how loud speech must be.
    #[cfg_attr(feature = "tools", schemars(range(min = 0.0, max = 1.0)))]
    pub threshold: Option<f64>,
    /// `server_vad`: how much audio before the detected speech belongs to it.
    #[cfg_attr(feature = "tools", schemars(range(min = 0, max = 5000)))]
    pub prefix_padding_ms: Option<u64>,
    /// `semantic_vad`: how soon to answer.
    pub eagerness: Option<Eagerness>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) enum TurnMode {
    ServerVad,
    SemanticVad,
}

/// How soon `semantic_vad` takes the caller's turn for finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub enum Eagerness {
    Low,
    Medium,
    High,
    Auto,
}

/// Which kind of microphone the caller's noise is filtered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub enum NoiseReduction {
    NearField,
    FarField,
}

/// In which header the provider's key is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub enum Auth {
    /// `Authorization: Bearer`.
    Bearer,
    /// `api-key`, as Azure wants it.
    ApiKey,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Transcription {
    /// `gpt-transcribe` when left out.
    pub model: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Reasoning {
    pub effort: Effort,
}

/// How long a reasoning model thinks before it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub enum Effort {
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
}

// Read so that a typo in a cascade is told as one; the leg itself is refused in `check`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
#[expect(dead_code, reason = "this version reads the grammar of a cascade, and refuses it")]
pub(super) struct Cascade {
    pub stt: Hearing,
    pub llm: Thinking,
    pub tts: Speaking,
}

/// Speech to text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
#[expect(dead_code, reason = "this version reads the grammar of a cascade, and refuses it")]
pub(super) struct Hearing {
    pub provider: String,
    pub model: Option<String>,
}

/// The language model.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
#[expect(dead_code, reason = "this version reads the grammar of a cascade, and refuses it")]
pub(super) struct Thinking {
    pub provider: String,
    pub model: String,
}

/// Text to speech.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
#[expect(dead_code, reason = "this version reads the grammar of a cascade, and refuses it")]
pub(super) struct Speaking {
    pub provider: String,
    pub voice: String,
    pub model: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Echo {
    /// How long the caller must be silent before the echo. 600 when left out.
    #[cfg_attr(feature = "tools", schemars(range(min = 100, max = 10000)))]
    pub pause_ms: Option<u64>,
}
