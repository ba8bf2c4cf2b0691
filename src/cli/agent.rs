//! The agent that `call` and `token` are about: a file's, or the line test.

use serde_json::{Value, json};

use crate::agent_file::AgentFile;

/// Reads an agent file, in TOML or JSON; `-` is standard input.
pub(super) fn read(path: &str) -> anyhow::Result<Value> {
    Ok(Value::Object(AgentFile::read(path)?.fields().clone()))
}

/// An agent for those who bring none: the line test.
pub(super) fn echo() -> Value {
    json!({ "agent": { "id": "line-test" }, "legs": [{ "kind": "echo", "pause_ms": 400 }] })
}
