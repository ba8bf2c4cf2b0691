//! What a call is told by its token, checked: everything after the gate may trust it.
//!
//! Times are durations, defaults are filled in, keys are the ones to use. A debug print shows neither keys
//! nor prompts nor `context`, so any of this may be logged.

use std::{collections::BTreeMap, fmt, time::Duration};

use secrecy::SecretString;
use serde_json::Value;

use crate::outward::{report_secret::ReportSecret, twilio::Account};

pub use super::leg_claims::{
    Auth, Eagerness, Effort, HearingProvider, NoiseReduction, SpeakingProvider, ThinkingEffort,
    ThinkingProvider, Vad,
};

#[derive(Clone)]
pub struct Config {
    pub agent: Agent,
    /// At least one. The first is used, the others are its fallbacks.
    pub legs: Vec<Leg>,
    pub tools: Vec<Tool>,
    pub call: CallRules,
    pub report: Option<Reporting>,
    /// With it the relay itself tells Twilio to move the caller or to end the line.
    pub twilio: Option<Account>,
    /// The main app's own; `null` when it sent none.
    pub context: Value,
}

#[derive(Clone, Default, PartialEq)]
pub struct Agent {
    pub id: Option<String>,
    pub prompt: Option<String>,
    /// What the agent says first.
    pub greeting: Option<String>,
    pub voice: Option<String>,
    pub language: Option<String>,
    /// Existing apps send one. OpenAI's Realtime API no longer takes it, so the `openai` leg leaves it out.
    pub temperature: Option<f64>,
    pub speed: Option<f64>,
    /// For voices that can be told how to sound.
    pub accent: Option<String>,
    pub manner: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Leg {
    OpenAi(OpenAiLeg),
    Cascade(Box<CascadeLeg>),
    Echo(EchoLeg),
}

impl Leg {
    /// The name in metrics and logs, and the `kind` in the token.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::OpenAi(_) => "openai",
            Self::Cascade(_) => "cascade",
            Self::Echo(_) => "echo",
        }
    }
}

#[derive(Clone)]
pub struct OpenAiLeg {
    pub model: String,
    /// `https://api.openai.com/v1`, without a slash at the end. `http` only for this machine itself.
    pub base_url: String,
    /// It is the relay's own address of the provider.
    pub own: bool,
    pub auth: Auth,
    pub key: SecretString,
    /// The longest that a session may last.
    pub session: Duration,
    pub turn: Turn,
    pub noise_reduction: Option<NoiseReduction>,
    /// The model that writes down what the caller says; `None` is off.
    pub transcription: Option<String>,
    pub max_output_tokens: Option<u64>,
    pub reasoning: Option<Effort>,
}

/// Who decides that the caller's turn is over, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    /// Loudness and silence.
    Server { silence: Duration, threshold: Option<f64>, prefix_padding: Option<Duration> },
    /// A model.
    Semantic { eagerness: Eagerness },
}

/// An ear, a mind and a mouth.
#[derive(Clone, Debug)]
pub struct CascadeLeg {
    pub stt: Hearing,
    pub llm: Thinking,
    pub tts: Speaking,
    /// Nothing: whoever is first, confirmed by the other.
    pub vad: Option<Vad>,
}

/// Where a part of a cascade is, and with whose key.
#[derive(Clone)]
pub struct Place {
    /// Without a slash at the end.
    pub base_url: String,
    pub key: SecretString,
    /// It is the provider's own service, of which more is known than of a server that copies it.
    pub own: bool,
}

/// Speech to text.
#[derive(Clone, Debug)]
pub struct Hearing {
    pub provider: HearingProvider,
    pub place: Place,
    pub model: String,
    pub keyterms: Vec<String>,
    pub eot_threshold: Option<f64>,
    pub eager_eot_threshold: Option<f64>,
    pub eot_timeout: Option<Duration>,
    /// Where silence ends a turn: so much of it.
    pub silence: Duration,
}

#[derive(Clone)]
pub struct Thinking {
    pub provider: ThinkingProvider,
    pub place: Place,
    pub model: String,
    pub max_tokens: Option<u64>,
    pub reasoning: Option<ThinkingEffort>,
    pub extra: serde_json::Map<String, Value>,
}

/// Text to speech.
#[derive(Clone, Debug)]
pub struct Speaking {
    pub provider: SpeakingProvider,
    pub place: Place,
    pub voice: String,
    /// ElevenLabs' only.
    pub model: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoLeg {
    pub pause: Duration,
}

/// Something that the agent can have done.
#[derive(Clone)]
pub struct Tool {
    pub name: String,
    /// When the model should call it.
    pub description: Option<String>,
    /// A JSON Schema of its arguments.
    pub parameters: Option<serde_json::Map<String, Value>>,
    /// Spoken while the caller waits.
    pub say: Option<String>,
    pub does: Does,
}

/// A server of tools that a provider talks to by itself.
#[derive(Clone)]
pub struct Server {
    pub url: String,
    pub description: Option<String>,
    pub authorization: Option<SecretString>,
    /// Nothing: all.
    pub allowed: Option<Vec<String>>,
}

/// Where the main app hears of the call, and of what.
#[derive(Clone)]
pub struct Reporting {
    pub url: reqwest::Url,
    /// Signs them instead of the key that is derived for all.
    pub secret: Option<ReportSecret>,
    pub started: bool,
    pub turns: bool,
    pub ended: bool,
}

/// Who does it.
#[derive(Clone)]
pub enum Does {
    /// The main app, behind a signed POST.
    Ask { url: reqwest::Url, timeout: Duration },
    /// The call ends.
    HangUp,
    /// Somebody else takes the caller: names for the model, and the numbers behind them.
    Transfer { targets: BTreeMap<String, String> },
    /// Keys are pressed, as tones on the line.
    SendDtmf,
    /// A server that the provider itself talks to, as it is told of it.
    Elsewhere { server: Server, timeout: Duration },
}

#[derive(Clone, PartialEq, Eq)]
pub struct CallRules {
    pub max: Duration,
    /// Spoken 30 s before `max` is over.
    pub warning: Option<String>,
    pub interruptible: bool,
    pub error_message: Option<String>,
    /// What happens when nobody speaks.
    pub idle: Option<call::Idle>,
    pub record: Option<Recording>,
}

/// The call is recorded.
#[derive(Clone, PartialEq, Eq)]
pub struct Recording {
    /// Where it is PUT afterwards. Whoever knows it may write there.
    pub url: reqwest::Url,
    /// Said before anything else.
    pub say: Option<String>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { agent, legs, tools, call, report, twilio, context } = self;
        let context = if context.is_null() { Some("none") } else { None };
        f.debug_struct("Config")
            .field("agent", agent)
            .field("legs", legs)
            .field("tools", tools)
            .field("call", call)
            .field("report", report)
            .field("twilio", twilio)
            .field("context", &format_args!("{}", context.unwrap_or("***")))
            .finish()
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, prompt, greeting, voice, language, temperature, speed, accent, manner } = self;
        f.debug_struct("Agent")
            .field("id", id)
            .field("prompt", &Length(prompt))
            .field("greeting", &Length(greeting))
            .field("voice", voice)
            .field("language", language)
            .field("temperature", temperature)
            .field("speed", speed)
            .field("accent", &Length(accent))
            .field("manner", &Length(manner))
            .finish()
    }
}

impl fmt::Debug for CallRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { max, warning, interruptible, error_message, idle, record } = self;
        f.debug_struct("CallRules")
            .field("max", max)
            .field("warning", &Length(warning))
            .field("interruptible", interruptible)
            .field("error_message", &Length(error_message))
            .field("idle", &idle.as_ref().map(|idle| idle.after))
            .field("record", record)
            .finish()
    }
}

/// Without the URL, which lets anybody write there.
impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("say", &Length(&self.say)).finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenAiLeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiLeg")
            .field("model", &self.model)
            .field("base_url", &self.base_url)
            .field("own", &self.own)
            .field("auth", &self.auth)
            .field("key", &format_args!("***"))
            .field("turn", &self.turn)
            .field("noise_reduction", &self.noise_reduction)
            .field("transcription", &self.transcription)
            .field("max_output_tokens", &self.max_output_tokens)
            .field("reasoning", &self.reasoning)
            .finish()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("base_url", &self.base_url).field("key", &format_args!("***")).finish()
    }
}

impl fmt::Debug for Thinking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thinking")
            .field("provider", &self.provider)
            .field("place", &self.place)
            .field("model", &self.model)
            .field("max_tokens", &self.max_tokens)
            .field("reasoning", &self.reasoning)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Without the URL: it may hold a secret of the main app's.
impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// Without the URL, as above.
impl fmt::Debug for Reporting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporting")
            .field("secret", &self.secret)
            .field("started", &self.started)
            .field("turns", &self.turns)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// Without the URL, as above.
impl fmt::Debug for Does {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask { timeout, .. } => write!(f, "Ask({timeout:?})"),
            Self::HangUp => f.write_str("HangUp"),
            Self::SendDtmf => f.write_str("SendDtmf"),
            Self::Elsewhere { timeout, .. } => write!(f, "Elsewhere({timeout:?})"),
            Self::Transfer { targets } => write!(f, "Transfer({} targets)", targets.len()),
        }
    }
}

/// A text of which only the length is shown.
struct Length<'a>(&'a Option<String>);

impl fmt::Debug for Length<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(text) => write!(f, "({} characters)", text.chars().count()),
            None => f.write_str("None"),
        }
    }
}
