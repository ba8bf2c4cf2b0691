//! Would a relay take this agent? Asked before anybody is called, so that a typo has its file and line.

use std::{fs, path::Path, sync::LazyLock, time::SystemTime};

use anyhow::bail;
use secrecy::SecretString;
use serde_json::Value;

use crate::{
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

/// The same for an agent out of a file, in a sentence with the file, and the line if it can be found.
pub(super) fn file(path: &str, claims: &Value) -> anyhow::Result<()> {
    let Err(refusal) = agent(claims) else { return Ok(()) };
    let field = refusal.path.as_deref().unwrap_or_default();
    let name = field.rsplit('.').next().unwrap_or_default();
    let line = fs::read_to_string(Path::new(path)).ok().and_then(|text| only_line(&text, name));
    let line = line.map(|line| format!(":{line}")).unwrap_or_default();
    bail!("{path}{line}: a relay would refuse this agent: {refusal}");
}

/// Where a field of this name stands, if it stands in one place alone.
fn only_line(text: &str, name: &str) -> Option<usize> {
    let bare = name.split('[').next().unwrap_or_default();
    let is_field = |line: &str| {
        let quoted =
            line.split(&format!("\"{bare}\"")).nth(1).is_some_and(|rest| rest.trim_start().starts_with(':'));
        quoted || line.split('=').next().is_some_and(|key| key.trim() == bare && line.contains('='))
    };
    let mut lines = text.lines().zip(1..).filter(|(line, _)| is_field(line)).map(|(_, number)| number);
    let first = lines.next().filter(|_| !bare.is_empty())?;
    lines.next().is_none().then_some(first)
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

    #[test]
    fn a_line_is_named_only_when_there_is_no_doubt() {
        assert_eq!(only_line("{\n \"agent\": {\n  \"promt\" : \"a\"\n} }", "promt"), Some(3));
        assert_eq!(only_line("[agent]\npromt = \"a\"\n", "promt"), Some(2));
        assert_eq!(only_line("{ \"a\": 1,\n \"a\": 2 }", "a"), None);
        assert_eq!(only_line("{ \"x\": \"promt\" }", "promt"), None);
        assert_eq!(only_line("", ""), None);
    }
}
