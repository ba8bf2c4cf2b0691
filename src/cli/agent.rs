//! The agent file: what a token asks for, as JSON.

use std::{fs, io::Read};

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// Reads an agent file; `-` is standard input.
pub(super) fn read(path: &str) -> anyhow::Result<Value> {
    let text = if path == "-" {
        let mut text = String::new();
        std::io::stdin().take(LARGEST).read_to_string(&mut text).context("standard input cannot be read")?;
        text
    } else {
        fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?
    };
    let agent: Value = serde_json::from_str(&text).with_context(|| format!("{path} is not JSON"))?;
    if !agent.is_object() {
        bail!("{path} must hold an object with `agent`, `legs` and so on, as a token's claims do");
    }
    Ok(agent)
}

/// An agent for those who bring none: the line test.
pub(super) fn echo() -> Value {
    json!({ "agent": { "id": "line-test" }, "legs": [{ "kind": "echo", "pause_ms": 400 }] })
}

/// More than a token can hold.
const LARGEST: u64 = 1 << 20;
