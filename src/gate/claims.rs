//! What may stand in a call token, exactly as it is written. `check` turns it into a [`super::Config`].
//!
//! The JSON Schema in `schema/call-token.schema.json` is made from these types, and the SDK's types from
//! that schema, so the comments on fields are written for people who mint tokens. A field added here must
//! be used or refused in `check`: nothing in a token may be lost silently.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::{
    leg_claims::Leg,
    loose::{Audience, Date},
    tools::{Idle, Record, Report, Tool},
};

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
    #[cfg_attr(feature = "tools", schemars(with = "super::loose::OneOrMany"))]
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
    /// Of the voice's usual speed. Each voice has its own limits within these.
    #[cfg_attr(feature = "tools", schemars(range(min = 0.25, max = 1.5)))]
    pub speed: Option<f64>,
    /// Such as `Scottish`. Only for voices that can be told: `openai` legs.
    #[cfg_attr(feature = "tools", schemars(length(max = 200)))]
    pub accent: Option<String>,
    /// Such as `warm and unhurried`. Only for voices that can be told: `openai` legs.
    #[cfg_attr(feature = "tools", schemars(length(max = 200)))]
    pub manner: Option<String>,
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
    /// A restricted key, so that the relay can transfer and hang up over Twilio's REST API.
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
pub(super) struct TwilioKey {
    /// `AC…`: the account whose call it is. Must be `acct` when the token has that.
    pub account_sid: String,
    /// `SK…`: an API key that may update calls.
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
