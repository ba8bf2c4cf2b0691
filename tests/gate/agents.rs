//! The agents in `docs/agents`, which people copy: does the gate take each of them?

use std::path::Path;

use serde_json::{Value, json};

use crate::scene::{config, gate, minter, with};

#[test]
fn every_agent_to_copy_is_taken_with_all_that_it_asks_for() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/agents");
    let readme = include_str!("../../README.md");
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(readme.contains(&format!("docs/agents/{name}")), "the README does not speak of {name}");
        let agent: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let mut claims = with(agent.clone());
        // The relay's own keys are not there.
        let keys = json!({ "openai": "k", "deepgram": "k", "groq": "k", "elevenlabs": "k" });
        claims["keys"].as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        claims["acct"] = agent["keys"]["twilio"]["account_sid"].clone();
        let config = config(&gate(), &minter().seal(&claims)).unwrap_or_else(|why| panic!("{name}: {why}"));
        let tools = agent["tools"].as_array().map_or(0, Vec::len);
        assert_eq!(
            (config.tools.len(), config.legs.len()),
            (tools, agent["legs"].as_array().unwrap().len()),
            "{name}"
        );
        assert_eq!(config.report.is_some(), agent["report"].is_object(), "{name}");
        assert_eq!(config.call.record.is_some(), agent["call"]["record"].is_object(), "{name}");
        seen += 1;
    }
    assert!(seen >= 9, "{seen} agents");
}
