//! What a question to a language model looks like.
//!
//! A parameter is sent only when somebody set it: every provider refuses some of them, and which ones differs
//! by model. What this does not know goes through `extra` untouched.

use bytes::Bytes;
use call::cascade::Message;
use serde_json::{Map, Value, json};

/// A model and how it is to answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mind {
    pub model: String,
    pub temperature: Option<f64>,
    /// The longest answer, thoughts included.
    pub max_tokens: Option<u64>,
    pub reasoning: Option<Reasoning>,
    /// More fields of the request, as they are.
    pub extra: Map<String, Value>,
}

/// How long a model thinks before it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reasoning {
    None,
    Minimal,
    Low,
    Medium,
    High,
}

impl Reasoning {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Mind {
    /// The body of the request.
    pub fn question(&self, thread: &[Message]) -> Bytes {
        let mut body = Map::new();
        body.insert("model".into(), self.model.as_str().into());
        body.insert("stream".into(), true.into());
        body.insert("stream_options".into(), json!({ "include_usage": true }));
        // First and always the same, so that the provider can keep what it has read before.
        body.insert("messages".into(), thread.iter().map(message).collect());
        if let Some(temperature) = self.temperature {
            body.insert("temperature".into(), temperature.into());
        }
        if let Some(most) = self.max_tokens {
            body.insert("max_completion_tokens".into(), most.into());
        }
        if let Some(reasoning) = self.reasoning.or_else(|| usual_reasoning(&self.model)) {
            body.insert("reasoning_effort".into(), reasoning.name().into());
        }
        for (name, value) in &self.extra {
            if value.is_null() {
                body.remove(name); // a field that this model does not take
            } else {
                body.insert(name.clone(), value.clone());
            }
        }
        Bytes::from(Value::Object(body).to_string())
    }
}

/// A caller waits while a model thinks: as little as each family allows.
fn usual_reasoning(model: &str) -> Option<Reasoning> {
    let name = model.rsplit('/').next().unwrap_or(model);
    if name.starts_with("gpt-oss") {
        Some(Reasoning::Low)
    } else if name.starts_with("qwen3") || name.starts_with("gpt-6-luna") || name.starts_with("gpt-5.6") {
        Some(Reasoning::None)
    } else {
        None
    }
}

fn message(message: &Message) -> Value {
    match message {
        Message::System(text) => json!({ "role": "system", "content": text }),
        Message::Caller(text) => json!({ "role": "user", "content": text }),
        Message::Agent(text) => json!({ "role": "assistant", "content": text }),
    }
}
