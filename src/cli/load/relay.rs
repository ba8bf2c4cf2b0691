//! The relay that a load run is about, when it is our own: a process of its own, so that what it costs is its own.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use serde_json::Value;

/// It ends with us.
pub struct Relay {
    process: Child,
    address: String,
    warnings: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Relay {
    /// `providers`: the variables that say where they are.
    pub fn start(providers: &[(&str, String)], calls: u32) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("serve")
            .env_clear()
            .envs([
                ("RELAY_SECRET", SECRET.to_owned()),
                ("PORT", "0".to_owned()),
                ("OPS_PORT", "0".to_owned()),
                ("BIND", "127.0.0.1".to_owned()),
                ("MAX_CALLS", (calls + SPARE).to_string()),
                ("MAX_PENDING", (calls + SPARE).to_string()),
                ("LOG_FORMAT", "json".to_owned()),
                // Agents that a token has no room for are kept on this machine.
                ("WEBHOOK_ALLOW_PRIVATE", "true".to_owned()),
            ])
            .envs(providers.iter().cloned())
            .stdout(Stdio::piped())
            .spawn()
            .context("the relay cannot be started")?;
        let mut lines = BufReader::new(process.stdout.take().context("the relay has no output")?).lines();
        let listening = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let line: Value = serde_json::from_str(&line).ok()?;
            (line["message"] == "listening").then(|| line["address"].as_str().map(str::to_owned)).flatten()
        });
        let warnings = Arc::<Mutex<BTreeMap<String, u64>>>::default();
        let relay = Self {
            process,
            address: listening.context("the relay did not come up")?,
            warnings: warnings.clone(),
        };
        // It must be read on, or the relay would wait for us to do so.
        std::thread::spawn(move || {
            for line in lines
                .map_while(Result::ok)
                .filter(|line| line.contains(r#""WARN""#) || line.contains(r#""ERROR""#))
            {
                let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
                let Some(words) = line["message"].as_str() else { continue };
                let mut warnings = warnings.lock().unwrap_or_else(PoisonError::into_inner);
                if warnings.len() < MOST_WARNINGS || warnings.contains_key(words) {
                    *warnings.entry(words.to_owned()).or_default() += 1;
                }
            }
        });
        Ok(relay)
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it warned of, and how often. That callers vanish is what they are here for.
    pub fn warnings(&self) -> Vec<(String, u64)> {
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        let expected = |words: &str| {
            words.starts_with("call ended: carrier_lost") || words.starts_with("call ended: never_started")
        };
        warnings
            .iter()
            .filter(|(words, _)| !expected(words))
            .map(|(words, count)| (words.clone(), *count))
            .collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Of a relay that we start, and of nothing else.
pub const SECRET: &str = "a secret for load runs on this machine only";

/// Callers who have just left still hold a place when the next ones come.
const SPARE: u32 = 100;

const MOST_WARNINGS: usize = 20;
