//! What a question to a language model looks like.
//!
//! A parameter is sent only when somebody set it: every provider refuses some of them, and which ones differs
//! by model. What this does not know goes through `extra` untouched.

use bytes::Bytes;
use call::cascade::{Message, ToolUse};
use serde_json::{Map, Value, json};

use crate::Function;

/// A model and how it is to answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mind {
    pub model: String,
    pub temperature: Option<f64>,
    /// The longest answer, thoughts included.
    pub max_tokens: Option<u64>,
    pub reasoning: Option<Reasoning>,
    /// What it can call.
    pub tools: Vec<Function>,
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
        if !self.tools.is_empty() {
            body.insert("tools".into(), self.tools.iter().map(function).collect());
        }
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

fn function(tool: &Function) -> Value {
    json!({ "type": "function", "function": tool.describe() })
}

fn called(call: &ToolUse) -> Value {
    let function = json!({ "name": call.name, "arguments": call.arguments });
    let mut called = json!({ "id": call.id, "type": "function", "function": function });
    if let Some(extra) = call.extra.as_deref().and_then(|extra| serde_json::from_str::<Value>(extra).ok()) {
        called["extra_content"] = extra;
    }
    called
}

fn message(message: &Message) -> Value {
    match message {
        Message::System(text) => json!({ "role": "system", "content": text }),
        Message::Caller(text) => json!({ "role": "user", "content": text }),
        Message::Agent(text) => json!({ "role": "assistant", "content": text }),
        Message::Calls { text, calls } => {
            let calls: Value = calls.iter().map(called).collect();
            json!({ "role": "assistant", "content": text, "tool_calls": calls })
        }
        Message::Result { id, text } => json!({ "role": "tool", "tool_call_id": id, "content": text }),
    }
}
