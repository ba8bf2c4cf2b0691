//! The real binary with `serve --agent`: what stops it from starting, and what it prints.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use sim::twilio::{stream_document, webhook::Webhook};

use crate::desk::{ACCOUNT, AUTH, ECHO, PUBLIC, SECRET, call};

const USUAL: [(&str, &str); 6] = [
    ("RELAY_SECRET", SECRET),
    ("PORT", "0"),
    ("OPS_PORT", "0"),
    ("BIND", "127.0.0.1"),
    ("PUBLIC_URL", PUBLIC),
    ("TWILIO_AUTH_TOKEN", AUTH),
];

/// A file that is gone when it is dropped.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("patchcord-standalone-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn shown(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

fn serve(agent: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchcord"));
    command.args(["serve", "--agent", agent]).env_clear().envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn refused(agent: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = serve(agent, variables).output().unwrap();
    let all = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    assert!(!all.contains("canary"), "{all}");
    (status.code(), all)
}

#[test]
fn missing_settings_and_mistakes_of_the_agent_are_told_together() {
    let file = File::new("both.toml", &ECHO.replace("kind", "knid"));
    let (code, told) = refused(&file.shown(), &[("RELAY_SECRET", SECRET)]);
    assert_eq!(code, Some(2), "{told}");
    for words in
        ["PUBLIC_URL: is missing", "TWILIO_AUTH_TOKEN: is missing", "both.toml:4: `legs[0].kind` is missing"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn a_mistake_in_the_file_is_named_with_its_line() {
    for (name, text, words) in [
        (
            "typo.toml",
            ECHO.replace("id =", "idd ="),
            "typo.toml:2: `agent.idd` is not known: did you mean `id`?",
        ),
        ("typo.json", "{\n \"agnet\": {},\n \"legs\": []\n}".to_owned(), "typo.json:2: `agnet` is not known"),
        ("syntax.toml", "[agent]\nprompt = canary\n".to_owned(), "syntax.toml:2: is not TOML"),
        (
            "value.toml",
            ECHO.replace("300", "3"),
            "value.toml:6: `legs[0].pause_ms` must be between 100 and 10000",
        ),
        ("key.toml", "[[legs]]\nkind = \"openai\"\n".to_owned(), "key.toml: `keys.openai` is missing"),
    ] {
        let file = File::new(name, &text);
        let (code, told) = refused(&file.shown(), &USUAL);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(words), "{words}: {told}");
    }
    let (code, told) = refused("/nowhere/agent.toml", &USUAL);
    assert!(code == Some(2) && told.contains("/nowhere/agent.toml: cannot be read"), "{told}");
}

#[test]
fn a_port_that_is_taken_is_named_with_what_to_do() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let file = File::new("port.toml", ECHO);
    let mut variables = USUAL;
    variables[1].1 = &port;
    let (code, told) = refused(&file.shown(), &variables);
    assert_eq!(code, Some(1), "{told}");
    let words = format!("cannot listen on port {port} (variable PORT)");
    assert!(told.contains(&words) && told.contains("set PORT to another port"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_may_come_on_standard_input_and_nothing_personal_is_printed() {
    let more = [
        ("TWILIO_ACCOUNT_SID", ACCOUNT),
        ("TWILIO_NUMBER", "+15550111222"),
        ("TWILIO_BASE_URL", "http://127.0.0.1:1"),
        ("CALL_ME_SECRET", "canary-guard-0123456789"),
        ("LOG_FORMAT", "json"),
    ];
    let mut child = serve("-", &[&USUAL[..], &more].concat()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("keys = {{ openai = \"sk-canary\" }}\n{ECHO}").as_bytes())
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut all = String::new();
    let listening = loop {
        let line = lines.next().expect("it listens");
        all.push_str(&line);
        if line.contains("listening") {
            break line;
        }
    };
    let address = listening.split("\"address\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let webhook = |call: &str| {
        Webhook::of(&format!("{PUBLIC}/twiml"), AUTH, call, ACCOUNT)
            .field("From", "+15550133700")
            .sent_to(&address)
    };
    let answered = webhook(&call(1)).send().await.unwrap();
    assert!(stream_document(&answered.body).is_ok(), "{}", answered.body);
    assert_eq!(webhook(&call(2)).signed_with(Some("wrong")).send().await.unwrap().status, 403);
    let mut wish = webhook(&call(3)).field("to", "+15550133701").field("secret", "canary-guard-0123456789");
    wish.url = format!("{PUBLIC}/twilio/call-me");
    assert_eq!(wish.send().await.unwrap().status, 502, "there is no Twilio");
    wish.fields.last_mut().unwrap().1 = "canary-wrong".to_owned();
    assert_eq!(wish.send().await.unwrap().status, 403);
    assert!(Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap().success());
    all.extend(lines);
    child.stderr.take().unwrap().read_to_string(&mut all).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{all}");
    for words in [
        "webhook https://relay.example.com/twiml",
        "at https://relay.example.com/twilio/call-me",
        "twilio_signature",
        "call_me_secret",
    ] {
        assert!(all.contains(words), "{words}: {all}");
    }
    for personal in ["canary", "1555013370", "+15550111222"] {
        assert!(!all.contains(personal), "{personal}: {all}");
    }
}

#[test]
fn the_agent_in_the_document_is_the_one_to_copy() {
    let page = include_str!("../../docs/standalone.md");
    let shown = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let file = include_str!("../../docs/agents/standalone.toml");
    // The file says first what it is for.
    assert_eq!(shown, file.split_once("\n\n").unwrap().1);
}
