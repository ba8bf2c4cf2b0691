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
    /// Speech to text, language model and text to speech.
    Cascade(Cascade),
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Cascade {
    pub stt: Hearing,
    pub llm: Thinking,
    pub tts: Speaking,
    /// Who notices that the caller speaks. When left out: whoever is first, confirmed by the other.
    pub vad: Option<Vad>,
}

/// Who notices that the caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub enum Vad {
    /// The relay's own detector.
    Local,
    /// The speech-to-text provider.
    Provider,
}

/// Speech to text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Hearing {
    pub provider: HearingProvider,
    /// Deepgram: `flux-general-en` when left out; `flux-…` ends turns by itself, `nova-…` by silence. ElevenLabs:
    /// `scribe_v2_realtime` when left out.
    pub model: Option<String>,
    /// Words that are likely in this call, such as names.
    #[cfg_attr(feature = "tools", schemars(length(max = 100)))]
    pub keyterms: Option<Vec<String>>,
    /// Flux: how sure it must be that a turn is over.
    #[cfg_attr(feature = "tools", schemars(range(min = 0.5, max = 0.9)))]
    pub eot_threshold: Option<f64>,
    /// Flux: how sure it must be to begin an answer ahead of time. Never when left out.
    #[cfg_attr(feature = "tools", schemars(range(min = 0.3, max = 0.9)))]
    pub eager_eot_threshold: Option<f64>,
    /// Flux: the silence that ends a turn in any case.
    #[cfg_attr(feature = "tools", schemars(range(min = 500, max = 60000)))]
    pub eot_timeout_ms: Option<u64>,
    /// Nova and ElevenLabs: the silence that ends a turn. 300 for Nova and 500 for ElevenLabs when left out.
    #[cfg_attr(feature = "tools", schemars(range(min = 10, max = 5000)))]
    pub silence_ms: Option<u64>,
    /// The relay's own address of the provider, or one whose host is in `UPSTREAM_ALLOW`.
    pub base_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub enum HearingProvider {
    Deepgram,
    Elevenlabs,
}

/// The language model.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Thinking {
    pub provider: ThinkingProvider,
    /// Such as `openai/gpt-oss-20b` at Groq or `gpt-6-luna` at OpenAI.
    pub model: String,
    /// The longest answer in tokens, thoughts included.
    #[cfg_attr(feature = "tools", schemars(range(min = 1, max = 100000)))]
    pub max_tokens: Option<u64>,
    /// How long it thinks before it speaks. As short as the model allows when left out.
    pub reasoning: Option<ThinkingEffort>,
    /// More fields of the request as the provider names them; `null` takes one of ours out.
    pub extra: Option<serde_json::Map<String, serde_json::Value>>,
    /// The relay's own address of the provider, or one whose host is in `UPSTREAM_ALLOW`: any server that speaks
    /// chat completions.
    pub base_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub enum ThinkingProvider {
    Groq,
    #[serde(rename = "openai")]
    OpenAi,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub enum ThinkingEffort {
    None,
    Minimal,
    Low,
    Medium,
    High,
}

/// Text to speech.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Speaking {
    pub provider: SpeakingProvider,
    /// Such as `aura-2-thalia-en` or `flux-kit-en` at Deepgram; a voice id at ElevenLabs.
    pub voice: String,
    /// ElevenLabs: `eleven_flash_v2_5` when left out. Deepgram's voices are their own models.
    pub model: Option<String>,
    /// The relay's own address of the provider, or one whose host is in `UPSTREAM_ALLOW`.
    pub base_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub enum SpeakingProvider {
    Deepgram,
    Elevenlabs,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Echo {
    /// How long the caller must be silent before the echo. 600 when left out.
    #[cfg_attr(feature = "tools", schemars(range(min = 100, max = 10000)))]
    pub pause_ms: Option<u64>,
}
