//! The relay that a load run is about: a process of its own, so that what it costs is its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::Context;
use serde_json::Value;

/// A relay as a process of its own. It ends with us.
pub(super) struct Relay {
    process: Child,
    address: String,
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
                ("MAX_CALLS", (calls + 10).to_string()),
                ("MAX_PENDING", (calls + 10).to_string()),
                ("LOG_FORMAT", "json".to_owned()),
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
        let relay = Self { process, address: listening.context("the relay did not come up")? };
        // It must be read on, or the relay would wait for us to do so.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(relay)
    }

    pub fn url(&self) -> String {
        format!("ws://{}/stream/twilio", self.address)
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Of a relay that we start, and of nothing else.
pub(super) const SECRET: &str = "a secret for load runs on this machine only";

/// CPU seconds that a process has used.
pub(super) fn cpu(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / TICKS)
}

/// Resident memory in kilobytes.
pub(super) fn memory(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?
        .trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .ok()
}

/// The kernel counts CPU time in hundredths of a second, on every Linux that matters here.
const TICKS: f64 = 100.0;
