//! What may stand in a call token, exactly as it is written. `check` turns it into a [`super::Config`].
//!
//! The JSON Schema in `schema/call-token.schema.json` is made from these types, and the SDK's types from
//! that schema, so the comments on fields are written for people who mint tokens. A field added here must
//! be used or refused in `check`: nothing in a token may be lost silently.

use std::fmt;

use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Unexpected, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

use super::tools::{Idle, Record, Report, Tool};

#[cfg(feature = "tools")]
use schemars::JsonSchema;

/// Who the token is from and for, how long it lives, which call it is for, and the two short forms.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Registered {
    /// The main app, such as `https://app.example.com`. Returned in reports, a label in metrics.
    pub iss: String,
    /// Must name this relay (`RELAY_AUDIENCE`).
    #[cfg_attr(feature = "tools", schemars(with = "OneOrMany"))]
    pub aud: Audience,
    /// The carrier's call id, such as Twilio's `CallSid`. Needed unless `REQUIRE_CALL_BINDING=false`.
    pub sub: Option<String>,
    /// The carrier's account id.
    pub acct: Option<String>,
    /// When the token was made, in seconds since 1970.
    #[cfg_attr(feature = "tools", schemars(with = "f64"))]
    pub iat: Date,
    /// Until when a call may begin with it: at most 15 minutes after `iat`.
    #[cfg_attr(feature = "tools", schemars(with = "f64"))]
    pub exp: Date,
    /// From when on a call may begin with it.
    #[cfg_attr(feature = "tools", schemars(with = "Option<f64>"))]
    pub nbf: Option<Date>,
    /// A unique name for this token. A machine takes it only once.
    pub jti: Option<String>,
    /// The version of this format.
    #[cfg_attr(feature = "tools", schemars(range(min = 1, max = 1)))]
    pub v: Option<u32>,
    /// Take this call in that region of the relay.
    pub region: Option<String>,
    /// Instead of `agent` to `context`: where the relay fetches them.
    pub config: Option<Reference>,
    /// Flat form: the agent's id. The flat form is one `openai` leg, for apps that have just these five values.
    #[serde(rename = "agentId")]
    pub agent_id: Option<String>,
    /// Flat form: the OpenAI key.
    #[serde(rename = "openAIKey")]
    #[cfg_attr(feature = "tools", schemars(with = "Option<String>"))]
    pub openai_key: Option<SecretString>,
    /// Flat form: the agent's prompt.
    pub prompt: Option<String>,
    /// Flat form: the agent's voice.
    pub voice: Option<String>,
    /// Flat form: see `agent.temperature`.
    #[cfg_attr(feature = "tools", schemars(range(min = 0.0, max = 2.0)))]
    pub temperature: Option<f64>,
}

/// The call's configuration: in the token, or in the JSON that the token's `config` points to.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Body {
    pub agent: Option<Agent>,
    /// The AI legs. The first is used, the others are its fallbacks.
    #[cfg_attr(feature = "tools", schemars(length(min = 1, max = 8)))]
    pub legs: Option<Vec<Leg>>,
    pub keys: Option<Keys>,
    /// What the agent can do besides talking.
    pub tools: Option<Vec<Tool>>,
    pub call: Option<Call>,
    pub report: Option<Report>,
    /// Anything. Returned in every report and tool call.
    pub context: Option<Value>,
}

impl Body {
    /// The names of the fields above.
    pub const FIELDS: [&str; 7] = ["agent", "legs", "keys", "tools", "call", "report", "context"];
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
#[cfg_attr(feature = "tools", schemars(rename = "ConfigReference"))]
pub(super) struct Reference {
    /// An https address. The relay sends the call token as `Authorization: Bearer`.
    pub url: String,
    /// SHA-256 of the JSON's bytes, in hex or base64url.
    pub sha256: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Agent {
    /// Your own name for the agent. Returned in reports.
    pub id: Option<String>,
    pub prompt: Option<String>,
    /// What the agent says first. Without one it waits for the caller.
    #[cfg_attr(feature = "tools", schemars(length(max = 2000)))]
    pub greeting: Option<String>,
    #[cfg_attr(feature = "tools", schemars(length(max = 64)))]
    pub voice: Option<String>,
    /// BCP 47, such as `en` or `pt-BR`.
    pub language: Option<String>,
    /// Accepted because apps send it. OpenAI's Realtime API no longer takes a temperature, so `openai` legs leave it out.
    #[cfg_attr(feature = "tools", schemars(range(min = 0.0, max = 2.0)))]
    pub temperature: Option<f64>,
    #[cfg_attr(feature = "tools", schemars(range(min = 0.25, max = 1.5)))]
    pub speed: Option<f64>,
}

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
    #[cfg_attr(feature = "tools", schemars(with = "TranscriptionOrOff"))]
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

/// Keys of providers. What is left out is taken from the relay's own settings.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Keys {
    #[cfg_attr(feature = "tools", schemars(with = "Option<String>"))]
    pub openai: Option<SecretString>,
    #[cfg_attr(feature = "tools", schemars(with = "Option<String>"))]
    pub deepgram: Option<SecretString>,
    #[cfg_attr(feature = "tools", schemars(with = "Option<String>"))]
    pub groq: Option<SecretString>,
    #[cfg_attr(feature = "tools", schemars(with = "Option<String>"))]
    pub elevenlabs: Option<SecretString>,
    /// A restricted key, so that the relay can transfer and hang up over REST.
    pub twilio: Option<TwilioKey>,
}

impl Keys {
    /// Whether the token has a key that nobody on its way should read.
    pub fn any(&self) -> bool {
        let Self { openai, deepgram, groq, elevenlabs, twilio } = self;
        [openai, deepgram, groq, elevenlabs].iter().any(|key| key.is_some()) || twilio.is_some()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
#[expect(dead_code, reason = "transfers over REST are not in this version")]
pub(super) struct TwilioKey {
    pub account_sid: String,
    pub api_key: String,
    #[cfg_attr(feature = "tools", schemars(with = "String"))]
    pub api_secret: SecretString,
}

/// Rules of the call.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
#[cfg_attr(feature = "tools", schemars(rename = "CallRules"))]
pub(super) struct Call {
    /// The longest call. Never more than the relay's `MAX_CALL_SECONDS`.
    #[cfg_attr(feature = "tools", schemars(range(min = 1)))]
    pub max_seconds: Option<u64>,
    /// Spoken 30 seconds before `max_seconds` is over.
    #[cfg_attr(feature = "tools", schemars(length(max = 2000)))]
    pub warning_message: Option<String>,
    /// Whether the caller can talk over the agent. `true` when left out.
    pub interruptible: Option<bool>,
    /// Spoken when the call cannot go on and a voice is left.
    #[cfg_attr(feature = "tools", schemars(length(max = 2000)))]
    pub error_message: Option<String>,
    pub idle: Option<Idle>,
    pub record: Option<Record>,
}

/// Seconds since 1970; parts of a second are dropped.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct Date(pub u64);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(json)?;
        // Beyond the year 5000 it is milliseconds, a common slip.
        if (0.0..1e11).contains(&seconds) {
            return Ok(Self(seconds as u64));
        }
        Err(D::Error::invalid_value(Unexpected::Float(seconds), &"seconds since 1970, not milliseconds"))
    }
}

/// `aud`: a name or a list of names.
pub(super) struct Audience(pub Vec<String>);

#[cfg(feature = "tools")]
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E>(self, name: &str) -> Result<Audience, E> {
                Ok(Audience(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Audience, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(Audience(names))
            }
        }
        json.deserialize_any(Names)
    }
}

/// A setting that `false` or `null` switches off, and that is on by default.
pub(super) enum Switchable<T> {
    On(T),
    Off,
}

impl<T: Default> Default for Switchable<T> {
    fn default() -> Self {
        Self::On(T::default())
    }
}

#[cfg(feature = "tools")]
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum TranscriptionOrOff {
    On(Transcription),
    Switch(bool),
    Null(()),
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Switchable<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Switch<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Switch<T> {
            type Value = Switchable<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, or `false`")
            }

            fn visit_bool<E>(self, on: bool) -> Result<Self::Value, E> {
                Ok(if on { Switchable::default() } else { Switchable::Off })
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Switchable::Off)
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Switchable::On)
            }
        }
        json.deserialize_any(Switch(std::marker::PhantomData))
    }
}
