//! Would a relay take this agent? Asked before anybody is called, so that a typo has its file and line.

use std::{sync::LazyLock, time::SystemTime};

use anyhow::bail;
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    agent_file::AgentFile,
    cli::stage::claims,
    gate::{Code, Gate, Refusal, mint::Minter},
    settings::Settings,
};

/// Only what is wrong wherever the call goes: which keys, addresses and regions a relay has, it knows itself.
pub(super) fn agent(agent: &Value) -> Result<(), Refusal> {
    let Some(gate) = &*GATE else { return Ok(()) };
    let token = Minter::new(&SecretString::from(SECRET)).seal(&claims(agent, Some("CA1"), 60));
    match gate.open(&token, SystemTime::now()) {
        Err(refusal) if ALWAYS_WRONG.contains(&refusal.code) => Err(refusal),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// An agent out of a file. What is wrong is said with the file and the line.
pub(super) fn read(path: &str) -> anyhow::Result<Value> {
    let file = AgentFile::read(path)?;
    let fields = Value::Object(file.fields().clone());
    if let Err(refusal) = agent(&fields) {
        let field = refusal.path.as_deref().unwrap_or_default();
        bail!("{}", file.fault(field, &format!("would be refused by a relay: {refusal}")));
    }
    Ok(fields)
}

/// It has all keys, so that none of them can be missing.
static GATE: LazyLock<Option<Gate>> = LazyLock::new(|| {
    let keys = ["OPENAI_API_KEY", "DEEPGRAM_API_KEY", "GROQ_API_KEY", "ELEVENLABS_API_KEY"];
    let mut variables = keys.map(|name| (name, "some".to_owned())).to_vec();
    variables.push(("RELAY_SECRET", SECRET.to_owned()));
    Gate::new(Settings::read(variables).ok()?.for_gate()).ok()
});

/// This gate lets nobody in anywhere.
const SECRET: &str = "00000000000000000000000000000000";

const ALWAYS_WRONG: [Code; 7] = [
    Code::ClaimsUnknownField,
    Code::ClaimsMissing,
    Code::ClaimsType,
    Code::ClaimsValue,
    Code::ClaimsMixed,
    Code::ClaimsDuplicate,
    Code::ClaimsMalformed,
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_typo_is_found_and_what_only_the_relay_knows_is_left_to_it() {
        let leg = json!({ "kind": "openai", "model": "gpt-realtime-2.1" });
        assert!(agent(&json!({ "agent": { "prompt": "x" }, "legs": [leg] })).is_ok());
        let refusal = agent(&json!({ "agent": { "promt": "x" }, "legs": [leg] })).unwrap_err();
        assert_eq!(refusal.path.as_deref(), Some("agent.promt"));
        let refusal = agent(&json!({ "agent": { "prompt": "x" }, "leg": [leg] })).unwrap_err();
        assert_eq!(refusal.path.as_deref(), Some("leg"));
        let flat = json!({ "prompt": "x", "openAIKey": "sk-x", "voice": "marin" });
        assert!(agent(&flat).is_ok(), "as apps put it into an address");
        let reference =
            json!({ "config": { "url": "https://app.example.com/agent", "sha256": "0".repeat(64) } });
        assert!(agent(&reference).is_ok(), "nobody fetches it here");
        let elsewhere =
            json!({ "kind": "openai", "model": "m", "base_url": "https://models.example.com/v1" });
        assert!(agent(&json!({ "agent": {}, "legs": [elsewhere] })).is_ok(), "UPSTREAM_ALLOW is the relay's");
    }
}
