//! The tools as a person uses them: against a relay that runs elsewhere, and stopped in the middle.
#![cfg(feature = "tools")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::process::{Binary, LIMIT, SECRET};

fn tool(words: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchcord"));
    command.args(words).env_clear().env("RELAY_SECRET", SECRET);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

/// Waits until `holds`, and no longer than a test may take.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "never: {what}");
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_elsewhere_is_called_with_an_agent_of_ones_own() {
    let relay = Binary::start(&[]);
    let url = format!("ws://{}/stream/twilio", relay.address);
    let mut child = tool(&["call", &url, "--agent", "-", "--json"]);
    let agent = r#"{"agent":{"id":"mine"},"legs":[{"kind":"echo","pause_ms":300}]}"#;
    child.stdin.take().unwrap().write_all(agent.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told["phone"]["played_ms"].as_u64() > Some(1_000), "{told}");
    relay.signal("TERM");
    assert!(relay.end().1.contains(r#""agent":"mine""#));
}

#[test]
fn a_demo_can_be_stopped_in_the_middle_of_its_calls() {
    let mut child = tool(&["demo", "--port", "0"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("The line test")));
    let start = Instant::now();
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(start.elapsed() < Duration::from_secs(5), "the calls alone take twice as long");
}

#[test]
fn a_load_run_that_is_stopped_takes_its_relay_with_it() {
    let child = tool(&["load", "--calls", "2", "--seconds", "600", "--json"]);
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let mut relay = String::new();
    until("it starts a relay", || {
        relay = fs::read_to_string(&children).unwrap_or_default().trim().to_owned();
        !relay.is_empty()
    });
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    until("the relay is gone", || !fs::exists(format!("/proc/{relay}")).unwrap());
}
