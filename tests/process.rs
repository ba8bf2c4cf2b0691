//! The binary itself: what it says about wrong settings, and how it starts and stops.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::{Duration, Instant},
};

const SECRET: &str = "canary-0123456789abcdef0123456789";

fn patchcord(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchcord"));
    command.env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A relay that runs, killed when a test fails half way.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
}

impl Running {
    fn start(more: &[(&str, &str)]) -> Self {
        let free = [("PORT", "0"), ("OPS_PORT", "0"), ("RELAY_SECRET", SECRET), ("LOG_FORMAT", "json")];
        let mut child = patchcord(&[&free, more].concat()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended before it was ready");
            let event: serde_json::Value = serde_json::from_str(&line).expect("one JSON object a line");
            if let Some(address) = event["address"].as_str() {
                break address.rsplit(':').next().unwrap().parse().unwrap();
            }
        };
        Self { child, lines, port }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    fn send(&self, request: &str) -> TcpStream {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        socket
    }

    fn ask(&self, request: &str) -> String {
        let mut answer = String::new();
        self.send(request).read_to_string(&mut answer).unwrap();
        answer
    }

    /// A call that waits for its `start`.
    fn call(&self) -> TcpStream {
        let mut socket = self.send(&upgrade());
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        socket
    }

    /// The exit code and everything that it still had to say.
    fn wait(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn upgrade() -> String {
    "GET /stream/twilio HTTP/1.1\r\nhost: relay\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
     sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_owned()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn wrong_settings_are_told_all_at_once_without_their_values_and_end_with_2() {
    let wrong = [
        ("RELAY_SECRET", "canary-short"),
        ("PORT", "canary"),
        ("MAX_CALLS", "canary"),
        ("OPENAI_BASE_URL", "http://canary.example.com"),
        ("LOG", "canary"),
        ("RELAY_CANARY", "canary"),
    ];
    let output = patchcord(&wrong).output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for (name, _) in wrong {
        assert!(said.contains(name), "{name} is not in\n{said}");
    }
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn words_it_does_not_know_are_wrong_use_and_help_is_not() {
    for (word, code) in [("--version", 0), ("--help", 0), ("sevre", 2), ("--no-such-flag", 2)] {
        let output = patchcord(&[]).arg(word).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{word}: {}", text(&output));
    }
    let version = text(&patchcord(&[]).arg("--version").output().unwrap());
    assert_eq!(version.trim(), concat!("patchcord ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn either_signal_ends_an_idle_relay_with_0() {
    for signal in ["TERM", "INT"] {
        let relay = Running::start(&[]);
        assert!(relay.ask("GET /ready HTTP/1.1\r\nhost: r\r\n\r\n").starts_with("HTTP/1.1 200"));
        relay.signal(signal);
        let (code, said) = relay.wait();
        assert_eq!(code, Some(0), "{signal}: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
}

#[test]
fn while_it_drains_the_door_answers_and_the_call_goes_on() {
    let relay = Running::start(&[("FLY_MACHINE_ID", "m1")]);
    let call = relay.call();
    relay.signal("TERM");
    // The signal takes its time to arrive; a call waits five seconds for its `start`, longer than this needs.
    let since = Instant::now();
    while !relay.ask("GET /ready HTTP/1.1\r\nhost: r\r\n\r\n").starts_with("HTTP/1.1 503") {
        assert!(since.elapsed() < Duration::from_secs(4), "it never began to drain");
    }
    let refused = relay.ask(&upgrade());
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("fly-replay: elsewhere=true\r\n"), "{refused}");
    let health = relay.ask("GET /health HTTP/1.1\r\nhost: r\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 200") && health.contains("\"draining\""), "{health}");
    drop(call);
    let (code, said) = relay.wait();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_second_signal_does_not_wait_for_the_grace() {
    let relay = Running::start(&[("DRAIN_SECONDS", "86400")]);
    let _call = relay.call();
    relay.signal("TERM");
    relay.signal("INT");
    let (code, said) = relay.wait();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the grace is over"), "a day of grace was cut short: {said}");
}

#[test]
fn a_port_that_is_taken_is_said_with_its_variable() {
    let taken = std::net::TcpListener::bind("[::]:0").or_else(|_| std::net::TcpListener::bind("0.0.0.0:0"));
    let taken = taken.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = patchcord(&[("RELAY_SECRET", SECRET), ("PORT", &port), ("OPS_PORT", "0")]).output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("PORT") && said.contains(&port), "{said}");
}
