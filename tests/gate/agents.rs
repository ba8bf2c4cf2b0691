//! The agents in `docs/agents`, which people copy: does the gate take each of them?

use std::path::Path;

use patchcord::agent_file::AgentFile;
use serde_json::{Value, json};

use crate::scene::{config, gate, minter, with};

#[test]
fn every_agent_to_copy_is_taken_with_all_that_it_asks_for() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/agents");
    let pages = [include_str!("../../README.md"), include_str!("../../docs/standalone.md")];
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(
            pages.iter().any(|page| page.contains(&format!("agents/{name}"))),
            "no page speaks of {name}"
        );
        let agent = AgentFile::read(file.to_str().unwrap()).unwrap_or_else(|faults| panic!("{faults}"));
        let agent = Value::Object(agent.fields().clone());
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
