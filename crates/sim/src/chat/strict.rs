//! What may a question look like?

use serde_json::Value;

const KNOWN: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "max_completion_tokens",
    "reasoning_effort",
    "reasoning_format",
    "include_reasoning",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "service_tier",
    "verbosity",
    "prompt_cache_key",
    "seed",
    "stop",
    "safety_identifier",
];
pub(super) const MODELS: &[&str] =
    &["openai/gpt-oss-20b", "openai/gpt-oss-120b", "gpt-6-luna", "gpt-5.4-mini"];

/// Everything that is wrong with a question's body.
pub(super) fn violations(body: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some(object) = body.as_object() else { return vec!["the body is no object".into()] };
    wrong.extend(
        object
            .keys()
            .filter(|name| !KNOWN.contains(&name.as_str()))
            .map(|name| format!("unknown field {name}")),
    );
    wrong.extend(
        object.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| format!("{name} is null")),
    );
    if body["stream"] != true {
        wrong.push("stream is not true".into());
    }
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    if messages.is_empty() {
        wrong.push("no messages".into());
    }
    for (at, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or("");
        if !matches!(role, "system" | "user" | "assistant" | "tool") {
            wrong.push(format!("message {at} has the role {role:?}"));
        }
        if role == "system" && at > 0 {
            wrong.push(format!("message {at} is a late system prompt"));
        }
        let fields = message.as_object().into_iter().flatten();
        wrong.extend(
            fields
                .filter(|(_, value)| value.is_null())
                .map(|(name, _)| format!("message {at}: {name} is null")),
        );
        if message["content"].as_str().is_none_or(str::is_empty) && message.get("tool_calls").is_none() {
            wrong.push(format!("message {at} says nothing"));
        }
    }
    if messages.last().is_some_and(|last| last["role"] == "assistant") {
        wrong.push("the last message is the assistant's".into());
    }
    wrong
}

/// What a real service answers with 400.
pub(super) fn refused(body: &Value) -> Option<(&'static str, String)> {
    let model = body["model"].as_str().unwrap_or("");
    let effort = body["reasoning_effort"].as_str();
    if model.contains("gpt-oss") && effort == Some("none") {
        return Some(("reasoning_effort", format!("`reasoning_effort` none is not supported by {model}")));
    }
    if model.starts_with("gpt-6") && body.get("temperature").is_some() && effort != Some("none") {
        return Some(("temperature", format!("`temperature` is not supported by {model} while it reasons")));
    }
    None
}
