//! Tools, reports, recordings and idle callers, as they are written in a token.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

#[cfg(feature = "tools")]
use schemars::JsonSchema;

/// Something the agent can do, told apart by `kind`. Without one it is a function of the main app.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
#[cfg_attr(feature = "tools", schemars(tag = "kind", transform = function_needs_no_kind))]
pub(super) enum Tool {
    Function(Function),
    Knowledge(Knowledge),
    HangUp(Plain),
    Transfer(Transfer),
    SendDtmf(Plain),
    Mcp(Mcp),
}

impl Tool {
    /// Whether the carrier must not see it.
    pub fn holds_secret(&self) -> bool {
        matches!(self, Self::Mcp(Mcp { authorization: Some(_), .. }))
    }
}

/// A server of tools that the provider itself talks to (Model Context Protocol). Only `openai` legs do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Mcp {
    /// Your own name for it.
    pub server_label: String,
    /// An https address.
    pub server_url: String,
    pub server_description: Option<String>,
    /// What the server takes as its key. Seal the token then.
    #[cfg_attr(feature = "tools", schemars(with = "Option<String>"))]
    pub authorization: Option<SecretString>,
    /// All of them when left out.
    pub allowed_tools: Option<Vec<String>>,
    /// How long a call of one of its tools may take; 20000 when left out.
    #[cfg_attr(feature = "tools", schemars(range(min = 100, max = 60000)))]
    pub timeout_ms: Option<u64>,
    /// Spoken while the caller waits.
    pub say: Option<String>,
}

/// A signed POST to the main app, whose answer goes to the model.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Function {
    pub name: String,
    pub description: Option<String>,
    /// A JSON Schema.
    pub parameters: Option<Map<String, Value>>,
    /// An https address.
    pub url: String,
    /// 8000 when left out.
    #[cfg_attr(feature = "tools", schemars(range(min = 100, max = 60000)))]
    pub timeout_ms: Option<u64>,
    /// Spoken while the caller waits.
    pub say: Option<String>,
}

/// Sends the caller's question and gives the passages that come back to the model.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Knowledge {
    pub name: String,
    pub description: Option<String>,
    /// An https address.
    pub url: String,
    /// 8000 when left out.
    #[cfg_attr(feature = "tools", schemars(range(min = 100, max = 60000)))]
    pub timeout_ms: Option<u64>,
    /// Spoken while the caller waits.
    pub say: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Plain {
    pub name: Option<String>,
    /// When the agent should do it.
    pub description: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Transfer {
    pub name: Option<String>,
    pub description: Option<String>,
    /// Names the agent can choose from, and the numbers behind them.
    pub targets: BTreeMap<String, String>,
}

/// What to do when nobody speaks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Idle {
    #[cfg_attr(feature = "tools", schemars(range(min = 2, max = 3600)))]
    pub after_seconds: u64,
    /// Spoken one after the other, each after another `after_seconds`.
    #[cfg_attr(feature = "tools", schemars(length(max = 10)))]
    pub say: Option<Vec<String>>,
    /// When all is said. `nothing` when left out.
    pub then: Option<Then>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) enum Then {
    HangUp,
    Nothing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Record {
    /// Where the recording is PUT when the call is over: an https address, usually presigned.
    pub put_url: String,
    /// Said before anything else. The recording begins when the caller has heard it.
    #[cfg_attr(feature = "tools", schemars(length(max = 2000)))]
    pub say: Option<String>,
}

/// Where the main app hears of the call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
pub(super) struct Report {
    /// An https address.
    pub url: String,
    /// `call.ended` when left out. `call.action` comes whenever there is one.
    pub events: Option<Vec<Event>>,
    /// Signs the reports: `whsec_` and base64 of 24 to 64 bytes. Derived from `RELAY_SECRET` when left out.
    #[cfg_attr(feature = "tools", schemars(with = "Option<String>"))]
    pub secret: Option<SecretString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "tools", derive(JsonSchema))]
#[cfg_attr(feature = "tools", schemars(rename = "ReportEvent"))]
pub(super) enum Event {
    #[serde(rename = "call.started")]
    CallStarted,
    #[serde(rename = "turn.ended")]
    TurnEnded,
    #[serde(rename = "call.action")]
    CallAction,
    #[serde(rename = "call.ended")]
    CallEnded,
}

/// The schema of the variant `function` must not ask for a `kind`.
#[cfg(feature = "tools")]
fn function_needs_no_kind(schema: &mut schemars::Schema) {
    let variants = schema.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten();
    for variant in variants {
        let is_function = variant.pointer("/properties/kind/const").is_some_and(|kind| kind == "function");
        if let (true, Some(Value::Array(required))) = (is_function, variant.get_mut("required")) {
            required.retain(|field| field != "kind");
        }
    }
}
