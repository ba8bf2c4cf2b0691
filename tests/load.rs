//! `load` and `sim`, as the real binary runs them.
#![cfg(feature = "tools")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::{Duration, Instant},
};

use call::{EndReason, Speaker};
use patchcord::{bridge::What, gate::mint::Minter, relay::Relay, settings::Settings};
use secrecy::SecretString;
use serde_json::{Value, json};
use sim::{
    phone::{Phone, PhoneOptions},
    voice::speech,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Long enough for a busy machine, short enough to notice what hangs.
const LIMIT: Duration = Duration::from_secs(30);

fn command(words: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchcord"));
    command.args(words).env_clear().env("RELAY_SECRET", SECRET).envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn patchcord(words: &[&str]) -> Output {
    command(words, &[]).output().unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn said(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A file of this test run.
fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("patchcord-load-{}-{name}", std::process::id()))
}

/// A program of ours that runs until it is told to end.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(words: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = command(words, variables).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line that is JSON and fits.
    fn line(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "it ended without the line");
            if let Some(told) = serde_json::from_str(&line).ok().filter(|told| fits(told)) {
                return told;
            }
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Asks it to end, and gives the rest of what it said and its exit code.
    fn end(mut self) -> (String, Option<i32>) {
        self.signal("-TERM");
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap().code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A relay that is already running, with room for so many calls, and its address.
fn relay(calls: &str) -> (Running, String) {
    let settings = [
        ("PORT", "0"),
        ("OPS_PORT", "0"),
        ("BIND", "127.0.0.1"),
        ("MAX_CALLS", calls),
        ("LOG_FORMAT", "json"),
    ];
    let mut relay = Running::start(&["serve"], &settings);
    let told = relay.line(|line| line["message"] == "listening");
    let address = told["address"].as_str().unwrap().to_owned();
    (relay, address)
}

fn get(address: &str, path: &str, headers: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn each_step_has_figures_of_its_own_and_the_report_needs_nothing_else() {
    let path = file("steps.html");
    let words = ["load", "--steps", "2,4", "--seconds", "2", "--json", "--report", path.to_str().unwrap()];
    let output = patchcord(&words);
    assert!(output.status.success(), "{output:?}");
    let told = json_of(&output);
    let steps = told["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2, "{told}");
    for (step, calls) in steps.iter().zip([2, 4]) {
        assert_eq!((&step["calls"], &step["calls_at_least"]), (&json!(calls), &json!(calls)), "{told}");
        assert!(step["frames"].as_u64() > Some(50), "{told}");
        assert!(step["to_provider_ms"]["p50"].as_f64() > Some(0.0), "{told}");
        assert!(step["driver_late_p99_ms"].is_number() && step["cores"]["driver"].is_number(), "{told}");
    }
    assert_eq!((&told["calls"], &told["calls_begun"], &told["failures"]), (&json!(4), &json!(4), &json!([])));
    let page = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("<polyline") && !page.contains("<script"));
}

#[test]
fn agents_of_several_kinds_are_measured_each_in_its_own_way() {
    let output = patchcord(&[
        "load",
        "--mix",
        "openai=1,cascade=1,echo=1",
        "--calls",
        "3",
        "--seconds",
        "10",
        "--json",
    ]);
    assert!(output.status.success(), "{output:?}");
    let told = json_of(&output);
    assert!(told["frames"].as_u64() > Some(250), "{told}");
    let kinds = told["kinds"].as_array().unwrap();
    let names: Vec<_> = kinds.iter().map(|kind| kind["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["cascade", "echo"], "{told}");
    for kind in kinds {
        assert!(kind["turns"].as_u64() > Some(0), "{told}");
        let (silence, given) = (kind["silence_ms"]["p50"].as_f64(), kind["providers_ms"].as_f64());
        assert!(silence > given.map(|given| given / 2.0) && given > Some(0.0), "{told}");
    }
}

#[test]
fn agents_from_files_are_called_by_weight_and_go_by_the_name_of_the_file() {
    let path = file("bakery.json");
    std::fs::write(&path, r#"{"agent":{"id":"x"},"legs":[{"kind":"echo","pause_ms":300}]}"#).unwrap();
    let agent = format!("{}=2", path.to_str().unwrap());
    let output = patchcord(&[
        "load",
        "--agent",
        &agent,
        "--mix",
        "echo=1",
        "--calls",
        "3",
        "--seconds",
        "6",
        "--json",
    ]);
    std::fs::remove_file(&path).unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = json_of(&output);
    let kinds = told["kinds"].as_array().unwrap();
    assert_eq!(kinds[0]["name"], "echo", "{told}");
    assert!(kinds[1]["name"].as_str().unwrap().ends_with("bakery"), "{told}");
    // Two lines of three; both kinds take as long for a turn.
    assert!(kinds.iter().all(|kind| kind["turns"].as_u64() > Some(0)), "{told}");
    assert_eq!(
        (&kinds[0]["providers_ms"], &kinds[1]["providers_ms"]),
        (&json!(400.0), &Value::Null),
        "{told}"
    );
}

#[test]
fn callers_who_leave_early_in_every_way_leave_nothing_behind_in_the_relay() {
    let output = patchcord(&[
        "load",
        "--calls",
        "8",
        "--hang-ups",
        "50%",
        "--seconds",
        "5",
        "--mix",
        "openai,echo",
        "--json",
    ]);
    assert!(output.status.success(), "{output:?}");
    let told = json_of(&output);
    let ways = told["hang_ups"].as_object().unwrap();
    assert_eq!(ways.len(), 6, "{told}");
    assert!(ways.values().all(|count| count.as_u64() > Some(0)), "{told}");
    assert!(told["calls_begun"].as_u64() > Some(12), "{told}");
    assert_eq!(
        (&told["after"]["active_calls"], &told["after"]["calls_left"]),
        (&json!(0), &json!(0)),
        "{told}"
    );
    assert_eq!(
        (&told["calls_lost"], &told["violations"], &told["refused"]),
        (&json!(0), &json!(0), &json!({}))
    );
}

#[test]
fn phones_of_any_carrier_load_a_relay_and_frames_are_timed_where_they_stay_the_same() {
    for (carrier, leg) in [("vonage", "echo"), ("exotel", "echo"), ("plivo", "openai")] {
        let words = ["load", "--carrier", carrier, "--leg", leg, "--calls", "2", "--seconds", "3", "--json"];
        let output = patchcord(&words);
        assert!(output.status.success(), "{carrier}: {output:?}");
        let told = json_of(&output);
        assert_eq!((&told["calls_lost"], &told["violations"]), (&0.into(), &0.into()), "{carrier}: {told}");
    }
    let output = patchcord(&["load", "--carrier", "vonage", "--calls", "2", "--seconds", "1"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("vonage changes the sound"), "{output:?}");
}

#[test]
fn a_relay_that_is_not_there_is_said_with_its_address() {
    let output = patchcord(&["load", "ws://127.0.0.1:1/stream/twilio"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("127.0.0.1:1 cannot be reached"), "{output:?}");
    assert!(said(&output).contains("is the relay running"), "{output:?}");
}

#[test]
fn a_full_relay_refuses_and_the_calls_that_it_took_go_on() {
    let (_relay, address) = relay("2");
    let url = format!("ws://{address}/stream/twilio");
    let output = patchcord(&["load", &url, "--calls", "5", "--seconds", "3", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = json_of(&output);
    assert!(told["refused"]["503 full"]["count"].as_u64() >= Some(3), "{told}");
    assert_eq!((&told["calls_at_least"], &told["calls_lost"]), (&json!(2), &json!(0)), "{told}");
    assert_eq!(told["after"]["active_calls"], 0, "{told}");
    assert!(said(&output).contains("503 full") && said(&output).contains("raise MAX_CALLS"), "{output:?}");
}

#[test]
fn a_secret_that_is_not_the_relays_ends_the_run_at_once_with_the_code() {
    let (_relay, address) = relay("10");
    let url = format!("ws://{address}/stream/twilio");
    let words = ["load", &url, "--calls", "3", "--seconds", "600", "--json"];
    let output =
        command(&words, &[("RELAY_SECRET", "another-secret-0123456789abcdef0123456789")]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = said(&output);
    assert!(told.contains("not one call was taken") && told.contains("401 token_"), "{told}");
    assert!(told.contains("RELAY_SECRET here must be the relay's own"), "{told}");
}

#[test]
fn who_ends_a_run_early_gets_the_figures_so_far() {
    let (_relay, address) = relay("10");
    let url = format!("ws://{address}/stream/twilio");
    let run = Running::start(&["load", &url, "--calls", "2", "--seconds", "600", "--json"], &[]);
    let (start, mut stood) = (Instant::now(), None);
    // Until calls have stood for a while: so long is added and settled, and the rest is held.
    while stood.is_none_or(|since: Instant| since.elapsed() < Duration::from_secs(5)) {
        assert!(start.elapsed() < LIMIT, "no call came");
        if get(&address, "/health", "").contains(r#""active_calls":2"#) {
            stood.get_or_insert_with(Instant::now);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    run.signal("-INT");
    let (rest, code) = run.end_without_asking();
    let told: Value = serde_json::from_str(&rest).unwrap();
    assert_eq!(
        (code, &told["cut_short"], &told["steps"][0]["complete"]),
        (Some(0), &json!(true), &json!(false))
    );
    assert_eq!(
        (&told["steps"][0]["calls_at_least"], &told["after"]["active_calls"]),
        (&json!(2), &json!(0)),
        "{told}"
    );
}

impl Running {
    fn end_without_asking(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap().code())
    }
}

#[test]
fn slips_in_what_was_typed_are_wrong_use_and_named() {
    let url = "ws://127.0.0.1:1/stream/twilio";
    for (words, named) in [
        (&["--mix", "opnai=3"][..], "`opnai` is no kind of agent"),
        (&["--steps", "5,4"], "4 comes after 5"),
        (&["--ramp", "fast"], "such as 20/s"),
        (&["--hang-ups", "0.1"], "such as 10%"),
        (&["https://relay.example.com"], "wss://relay.example.com/stream/twilio"),
        (&[url, "--mix", "openai=1"], "--provider-port"),
        (&["--steps", "5", "--calls", "5"], "cannot be used with"),
    ] {
        let output = patchcord(&[&["load"], words].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}: {output:?}");
        assert!(said(&output).contains(named), "{words:?}: {output:?}");
    }
}

const SCRIPT: &str = r#"
[[turn]]
hears = "When are you open?"
say = "At six on weekdays."

[[turn]]
hears = "That is all."
say = "Goodbye!"
call = "hang_up"
"#;

/// The pretend providers, and what a relay has to be told of them.
fn sim(words: &[&str]) -> (Running, Vec<(String, String)>, String) {
    let mut sim = Running::start(&[&["sim", "--port", "0", "--json"], words].concat(), &[]);
    let ready = sim.line(|line| line["event"] == "ready");
    let variable = |(name, value): (&String, &Value)| (name.clone(), value.as_str().unwrap().to_owned());
    let variables = ready["env"].as_object().unwrap().iter().map(variable).collect();
    let address = ready["address"].as_str().unwrap().trim_start_matches("http://").to_owned();
    (sim, variables, address)
}

/// Two turns over a relay that uses them. Who said what, and why it ended.
async fn talk(variables: &[(String, String)], leg: Value) -> (Vec<(Speaker, String)>, EndReason) {
    let own = [("RELAY_SECRET", SECRET), ("PORT", "0"), ("OPS_PORT", "0"), ("BIND", "127.0.0.1")];
    let all = own.into_iter().chain(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let relay = Relay::start(&Settings::read(all).unwrap(), Instant::now()).await.unwrap();
    let mut news = relay.exchange.watch();
    let options = PhoneOptions::new(format!("ws://{}/stream/twilio", relay.address));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let token = Minter::new(&SecretString::from(SECRET)).sign(&json!({
        "iss": "tests", "aud": "patchcord", "v": 1, "sub": options.ids.call_sid, "iat": now, "exp": now + 60, "jti": "1",
        "agent": { "prompt": "You answer the phone." }, "legs": [leg], "tools": [{ "kind": "hang_up" }],
    }));
    let phone = Phone::dial(options.token(&token)).await.unwrap();
    phone.say(speech(Duration::from_millis(900), 5));
    phone.agent_finished(Duration::from_millis(500), LIMIT).await.unwrap();
    phone.say(speech(Duration::from_millis(900), 6));
    phone.ended(LIMIT).await.unwrap();
    loop {
        let heard = tokio::time::timeout(LIMIT, news.recv()).await.unwrap().unwrap();
        if let What::Ended(summary) = heard.what {
            let lines = summary.transcript.iter().filter(|line| !line.said.is_empty());
            return (lines.map(|line| (line.speaker, line.said.clone())).collect(), summary.reason.clone());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_what_the_ear_hears_and_the_model_says_over_either_kind_of_leg() {
    let path = file("script.toml");
    std::fs::write(&path, SCRIPT).unwrap();
    let (sim, variables, _) = sim(&["--strict", "--first-audio", "50", "--script", path.to_str().unwrap()]);
    let cascade = json!({ "kind": "cascade", "stt": { "provider": "deepgram", "model": "flux-general-en" },
        "llm": { "provider": "groq", "model": "openai/gpt-oss-20b" }, "tts": { "provider": "deepgram", "voice": "aura-2-thalia-en" } });
    let wanted = [
        (Speaker::Caller, "When are you open?"),
        (Speaker::Agent, "At six on weekdays."),
        (Speaker::Caller, "That is all."),
        (Speaker::Agent, "Goodbye!"),
    ]
    .map(|(who, words)| (who, words.to_owned()));
    for leg in [json!({ "kind": "openai", "model": "gpt-realtime-2.1" }), cascade] {
        let (said, reason) = talk(&variables, leg.clone()).await;
        assert_eq!(said, wanted, "{leg}");
        assert_eq!(reason, EndReason::AgentHungUp, "{leg}");
    }
    std::fs::remove_file(&path).unwrap();
    let (over, code) = sim.end();
    let over: Value = serde_json::from_str(&over).unwrap();
    assert_eq!((code, &over["violations"]), (Some(0), &json!([])), "{over}");
    assert!(
        over["connections"]["openai"].as_u64() > Some(0) && over["connections"]["chat"].as_u64() > Some(0)
    );
}

#[test]
fn a_client_that_the_real_ones_would_not_like_fails_a_strict_run_only() {
    for (words, code) in [(&["--strict"][..], 1), (&[], 0)] {
        let (sim, _, address) = sim(words);
        // Without a user agent: the services take it, and a careful client sends one.
        let answer = get(&address, "/openai/v1/models", "authorization: Bearer sk-any\r\n");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (over, left) = sim.end();
        let over: Value = serde_json::from_str(&over).unwrap();
        assert_eq!((left, &over["violations"][0]["provider"]), (Some(code), &json!("chat")), "{over}");
    }
}

#[test]
fn a_key_with_invalid_in_it_is_refused_everywhere_and_an_outage_refuses_every_key() {
    let (_sim, _, address) = sim(&["--down", "openai"]);
    for (path, header) in [
        ("/openai/v1/models", "authorization: Bearer"),
        ("/v1/projects", "authorization: Token"),
        ("/v1/user", "xi-api-key:"),
    ] {
        let ask = |key: &str| get(&address, path, &format!("user-agent: tests\r\n{header} {key}\r\n"));
        assert!(ask("an-invalid-key").starts_with("HTTP/1.1 401"), "{path}");
        assert!(ask("any").starts_with("HTTP/1.1 200"), "{path}");
    }
    let upgrade = "authorization: Bearer sk-any\r\nupgrade: websocket\r\nconnection: upgrade\r\n";
    let answer = get(&address, "/v1/realtime?model=gpt-realtime-2.1", upgrade);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}

#[test]
fn a_typo_in_a_script_and_a_port_that_is_taken_are_named() {
    let path = file("typo.toml");
    std::fs::write(&path, "[[turn]]\nhears = \"Hi\"\nargments = {}\n").unwrap();
    let output = patchcord(&["sim", "--port", "0", "--script", path.to_str().unwrap()]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("typo.toml: line 3: unknown field `argments`"), "{output:?}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = patchcord(&["sim", "--port", &port]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains(&format!("port {port} cannot be opened")), "{output:?}");
}
