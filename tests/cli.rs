//! The commands that people type, as the real binary runs them.
#![cfg(feature = "tools")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn patchcord(words: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchcord"));
    command.args(words).env_clear().env("RELAY_SECRET", SECRET);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

const AGENT: &str = r#"{"agent":{"prompt":"CANARY prompt"},"legs":[{"kind":"openai","model":"gpt-realtime-2.1"}],"keys":{"openai":"sk-CANARY"}}"#;

#[test]
fn a_demo_without_any_account_has_audio_both_ways_and_a_transcript() {
    demo("openai");
}

#[test]
fn a_demo_of_a_cascade_is_the_same_conversation() {
    demo("cascade");
}

#[test]
fn a_demo_that_stays_names_a_page_and_gives_it_tokens_for_its_agents() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchcord"));
    command.args(["demo", "--port", "0"]).env_clear();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("/phone")).expect("a line that names the page");
    let url = line.split_once("http://").unwrap().1;
    let (host, path) = url.split_once('/').unwrap();
    let ask = |method: &str, path: &str| {
        let mut socket = TcpStream::connect(host).unwrap();
        write!(socket, "{method} {path} HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("GET", &format!("/{path}")).contains("<title>Patchcord phone</title>"));
    let agents = ask("GET", "/phone/agents");
    let agents: Value = serde_json::from_str(agents.split_once("\r\n\r\n").unwrap().1).unwrap();
    let agents = agents["agents"].as_array().unwrap();
    assert_eq!(agents.len(), 2, "{agents:?}");
    for agent in agents {
        for leg in agent["legs"].as_array().unwrap() {
            let [agent, leg] = [&agent["id"], &leg["id"]].map(|id| id.as_str().unwrap());
            let answer = ask("POST", &format!("/phone/token/{agent}/{leg}/CA1"));
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#"{"token":""#), "{answer}");
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn demo(leg: &str) {
    let output = patchcord(&["demo", "--once", "--json", "--port", "0", "--leg", leg], "");
    assert!(output.status.success(), "{output:?}");
    let told = json(&output);
    for call in ["echo", "conversation"] {
        assert!(
            told[call]["frames_in"].as_u64() > Some(50) && told[call]["frames_out"].as_u64() > Some(3),
            "{told}"
        );
        assert_eq!(told[call]["reason"], "caller_hung_up");
    }
    let transcript = told["conversation"]["transcript"].as_array().unwrap();
    assert_eq!(transcript.len(), 5, "{told}");
    assert!(transcript[0]["said"].as_str().unwrap().starts_with("Hello, this is the bakery"), "{told}");
    let (said, heard) = (transcript[2]["said"].as_str().unwrap(), transcript[2]["heard"].as_str().unwrap());
    assert!(said.starts_with(heard) && heard.len() < said.len() / 2 && !heard.is_empty(), "{told}");
    assert_eq!(told["conversation"]["barge_ins"], 1);
}

#[test]
fn a_call_is_recorded_with_both_sides() {
    let path = std::env::temp_dir().join(format!("patchcord-call-{}.wav", std::process::id()));
    let output = patchcord(&["call", "--json", "--out", path.to_str().unwrap()], "");
    assert!(output.status.success(), "{output:?}");
    assert!(json(&output)["phone"]["played_ms"].as_u64() > Some(1_000), "{output:?}");
    let loud = loudness(&path);
    std::fs::remove_file(&path).unwrap();
    assert!(loud.iter().all(|level| *level > 100.0), "caller and agent: {loud:?}");
}

/// The mean level of the left and of the right channel of a 16-bit stereo file.
fn loudness(path: &PathBuf) -> [f64; 2] {
    let bytes = std::fs::read(path).unwrap();
    let samples: Vec<f64> = bytes[44..]
        .chunks_exact(2)
        .map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])).abs())
        .collect();
    [0, 1].map(|side| {
        let side: Vec<f64> = samples.iter().skip(side).step_by(2).copied().collect();
        side.iter().sum::<f64>() / side.len() as f64
    })
}

#[test]
fn a_small_load_run_counts_every_frame_and_loses_no_call() {
    let output = patchcord(&["load", "--calls", "5", "--seconds", "2", "--json"], "");
    assert!(output.status.success(), "{output:?}");
    let figures = json(&output);
    assert!(figures["frames"].as_u64() > Some(300), "{figures}");
    assert_eq!((&figures["calls_lost"], &figures["violations"]), (&0.into(), &0.into()), "{figures}");
    assert!(figures["to_provider_ms"]["p50"].as_f64() > Some(0.0), "{figures}");
    assert!(
        figures["cpu_ms_per_call_second"].is_number() && figures["memory_kb_per_call"].is_number(),
        "{figures}"
    );
}

#[test]
fn a_token_can_be_made_and_explained_and_its_keys_stay_hidden() {
    for seal in [&["--seal"][..], &[]] {
        let words = [&["token", "--agent", "-", "--call", "CA1"], seal].concat();
        let token = patchcord(&words, AGENT);
        assert!(token.status.success(), "{token:?}");
        let told = patchcord(&["token", "--inspect", "-"], text(&token.stdout));
        assert!(told.status.success(), "{told:?}");
        let told = text(&told.stdout);
        assert!(told.contains("takes it") && told.contains("CA1") && !told.contains("sk-CANARY"), "{told}");
    }
}

#[test]
fn an_agent_in_toml_is_the_same_agent() {
    let toml =
        "[agent]\nprompt = \"CANARY prompt\"\n[[legs]]\nkind = \"openai\"\n[keys]\nopenai = \"sk-CANARY\"\n";
    let token = patchcord(&["token", "--agent", "-", "--call", "CA1", "--seal"], toml);
    assert!(token.status.success(), "{token:?}");
    let told = patchcord(&["token", "--inspect", "-"], text(&token.stdout));
    assert!(text(&told.stdout).contains("takes it"), "{told:?}");
    let typo = patchcord(&["token", "--agent", "-"], &toml.replace("prompt", "promt"));
    assert_eq!(typo.status.code(), Some(1));
    let told = text(&typo.stderr);
    assert!(told.contains("standard input:2: `agent.promt`") && !told.contains("CANARY"), "{told}");
    let value = patchcord(&["token", "--agent", "-"], &format!("{toml}\n[call]\nmax_seconds = 0\n"));
    assert!(text(&value.stderr).contains("standard input:9: `call.max_seconds`"), "{value:?}");
}

#[test]
fn a_typo_in_an_agent_file_is_named_with_its_place() {
    let output = patchcord(&["token", "--agent", "-"], &AGENT.replace("prompt", "promt"));
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.contains("agent.promt") && told.contains("prompt") && !told.contains("CANARY"), "{told}");
}

#[test]
fn wrong_use_is_2_and_what_failed_is_1() {
    for words in [&["token"][..], &["demo", "--nothing"], &["load", "--calls", "0"], &["fly"]] {
        assert_eq!(patchcord(words, "").status.code(), Some(2), "{words:?}");
    }
    for words in
        [&["call", "ws://127.0.0.1:1/stream/twilio", "--token", "x"][..], &["token", "--agent", "/nowhere"]]
    {
        let output = patchcord(words, "");
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(text(&output.stderr).starts_with("patchcord: "), "{output:?}");
    }
}

#[test]
fn the_committed_schema_is_what_the_command_prints() {
    let printed = patchcord(&["token", "--schema"], "");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/call-token.schema.json");
    assert_eq!(text(&printed.stdout), std::fs::read_to_string(path).unwrap());
}
