//! `call --script`, as the real binary runs it: what it says of each expectation that is not met, and of whatever else
//! is wrong, here and at a relay in another process.
#![cfg(feature = "tools")]

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use serde_json::Value;
use sim::openai::{Behaviour, OpenAi, OpenAiOptions, Reply};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn patchcord(words: &[&str]) -> Output {
    with(&[("RELAY_SECRET", SECRET)], words)
}

fn with(variables: &[(&str, &str)], words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchcord"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(words).env_clear().envs(variables.iter().copied());
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A folder that goes when the test goes.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("patchcord-script-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

const AGENT: &str = r#"
within_ms = 4000
[agent]
prompt = "You answer the phone for a bakery."
[[legs]]
kind = "openai"
model = "gpt-realtime-2.1-mini"
[[tools]]
name = "lookup"
url = "https://app.example.com/lookup"
"#;

/// The differences of a script that fails, as JSON tells them: title and what came instead.
fn differences(script: &str) -> Vec<(String, String)> {
    let folder = Folder::new();
    let file = folder.write("a.toml", &format!("{AGENT}{script}"));
    let output = patchcord(&["call", "--json", "--script", &file]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(text(&output.stderr), "patchcord: 1 of 1 scripts failed\n");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["passed"], false);
    let checks = told["scripts"][0]["checks"].as_array().unwrap();
    let failed = checks.iter().filter(|check| check["outcome"] == "failed");
    let shown = failed.map(|check| {
        let part = |name: &str| check[name].as_str().unwrap().to_owned();
        (part("expected"), part("got"))
    });
    shown.collect()
}

/// The one difference whose expectation begins so.
fn got<'a>(all: &'a [(String, String)], expected: &str) -> &'a str {
    let found = all.iter().find(|(title, _)| title.starts_with(expected));
    &found.unwrap_or_else(|| panic!("no “{expected}” in {all:?}")).1
}

#[test]
fn each_broken_expectation_about_an_answer_is_told_in_words() {
    let all = differences(
        r#"
        [[pretend.reply]]
        call = "lookup"
        arguments = { order = 7, shop = { town = "Aarau" } }
        [[pretend.reply]]
        say = "It is on its way to you."
        [[step]]
        say = "Where is my order?"
        agent_says = "rye on its way"
        agent_does_not_say = "on * way"
        heard = "rye"
        not_heard = "its way"
        understood = "bread"
        answers_within_ms = 1
        calls_tool = "lookup"
        arguments = { order = 8, shop = { town = "Aarau", floor = 1 } }
        clears_playback = true
        ends = "idle"
        "#,
    );
    assert_eq!(all.len(), 9, "{all:#?}");
    let said = "the agent said “It is on its way to you.”";
    let missing = format!("{said}; what is missing: rye");
    assert_eq!(got(&all, "the agent says “rye on its way”"), missing);
    // Known while it is still being said.
    let early = got(&all, "the agent does not say");
    assert!(early.starts_with("it said “on * way”: the agent said “It is on its way"), "{early}");
    let heard = "the caller heard “It is on its way to you.”";
    assert_eq!(got(&all, "the caller hears “rye”"), format!("{heard}; what is missing: rye"));
    assert_eq!(got(&all, "the caller does not hear"), format!("“its way” was heard: {heard}"));
    let understood = "it understood “Where is my order?”; what is missing: bread";
    assert_eq!(got(&all, "the relay understands “bread” of the caller"), understood);
    assert!(got(&all, "the agent answers within 1 ms").starts_with("it answered after "), "{all:?}");
    let call = got(&all, r#"the agent calls lookup with {"order":8,"#);
    assert!(call.starts_with(r#"it called lookup {"order":7,"shop":{"town":"Aarau"}}: "#), "{call}");
    assert!(
        call.contains("`order` should be 8, and is 7; `shop.floor` should be 1, and is not there"),
        "{call}"
    );
    assert!(got(&all, "the playback is cleared").contains("nothing was cleared"), "{all:?}");
    assert_eq!(got(&all, "the call ends: idle"), "the call goes on");
}

#[test]
fn each_broken_expectation_about_an_interruption_is_told_in_words() {
    let all = differences(
        r#"
        [[pretend.reply]]
        say = "We open at six on weekdays and at seven on Saturdays, and on Sundays we are closed all day long."
        [[pretend.reply]]
        say = "Bye."
        [[step]]
        say = "When are you open?"
        agent_says = "at six"
        [[step]]
        interrupt = "Thanks."
        after_ms = 1200
        clears_playback = false
        heard = "Sundays"
        calls_tool = "lookup"
        agent_says = "bye"
        "#,
    );
    assert_eq!(all.len(), 3, "{all:#?}");
    assert!(got(&all, "the playback is not cleared").starts_with("it was cleared at "), "{all:?}");
    let heard = got(&all, "the caller hears “Sundays”");
    assert!(
        heard.starts_with("the caller heard “We open") && heard.contains(" of “We open at six on"),
        "{heard}"
    );
    assert!(heard.contains("what is missing: sundays"), "{heard}");
    assert_eq!(got(&all, "the agent calls lookup"), "it called no tool");
}

#[test]
fn a_tool_that_should_not_be_called_and_an_end_for_another_reason_are_told() {
    let all = differences(
        r#"
        [[pretend.reply]]
        call = "lookup"
        [[pretend.reply]]
        say = "It is on its way."
        [[step]]
        say = "Where is my order?"
        calls_tool = false
        agent_says = "on its way"
        "#,
    );
    assert_eq!(all, [("the agent calls no tool".to_owned(), "it called lookup {}".to_owned())]);
    let all = differences("[[step]]\nhang_up = true\nends = \"agent_hung_up\"");
    assert_eq!(all, [("the call ends: agent_hung_up".to_owned(), "it ended: caller_hung_up".to_owned())]);
}

#[test]
fn what_the_caller_cannot_do_is_told_and_what_follows_is_not_tried() {
    let folder = Folder::new();
    let script = r#"
        [[pretend.reply]]
        say = "No."
        [[step]]
        say = "May I?"
        [[step]]
        interrupt = "But why?"
        after_ms = 9000
        clears_playback = true
        [[step]]
        hang_up = true
        "#;
    let file = folder.write("may-i.toml", &format!("{AGENT}{script}"));
    let output = patchcord(&["call", "--script", &file, "--junit", &folder.path("out.xml")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = text(&output.stdout);
    let place = format!(
        "{file}:16: step 2 failed\n  expected  the caller can interrupt after 9000 ms with “But why?”\n"
    );
    assert!(told.contains(&place), "{told}");
    assert!(told.contains("  instead   the agent had finished after "), "{told}");
    assert!(
        told.contains("  around it\n") && told.contains("caller  “May I?”") && told.contains("agent   “No.”"),
        "{told}"
    );
    assert!(told.trim_end().contains("may-i: FAILED, 1 of 4 held, 2 were not tried"), "{told}");
    let xml = folder.read("out.xml");
    assert!(
        xml.contains("<testsuite name=\"may-i\" tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"2\""),
        "{xml}"
    );
    assert!(xml.contains("step 2 (line 16): interrupt after 9000 ms with “But why?”"), "{xml}");
    assert!(xml.contains("<failure message=\"expected: the caller can interrupt"), "{xml}");
}

#[test]
fn the_example_scripts_hold_and_write_what_they_say() {
    let folder = Folder::new();
    let (wav, svg, junit) = (folder.path("call.wav"), folder.path("call.svg"), folder.path("out.xml"));
    let scripts = ["--script", "docs/scripts/bakery.toml", "--script", "docs/scripts/order.toml"];
    let files = ["--out", &wav, "--timeline", &svg, "--junit", &junit, "--json"];
    let output = patchcord(&[&["call"][..], &scripts, &files].concat());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert!(output.status.success() && told["passed"] == true, "{told:#}");
    let held = |name: &str| folder.0.join(name).metadata().unwrap().len();
    for name in ["bakery", "order"] {
        assert!(held(&format!("call-{name}.wav")) > 100_000 && held(&format!("call-{name}.svg")) > 4_000);
    }
    let svg = folder.read("call-bakery.svg");
    assert!(svg.contains("class=\"interrupted\"") && svg.contains("data-segment=\"thought\""), "{svg}");
    assert!(folder.read("call-order.svg").contains("lookup_order: done"));
    let xml = folder.read("out.xml");
    assert_eq!((xml.matches("<testsuite ").count(), xml.matches("failures=\"0\"").count()), (2, 2), "{xml}");
    let call = &told["scripts"][1]["call"];
    assert_eq!(
        (&call["tools"][0]["name"], &call["reason"]),
        (&"lookup_order".into(), &"agent_hung_up".into())
    );
    let in_folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scripts")).unwrap().count();
    assert_eq!(in_folder, 2, "a script that is not played here");
}

/// A relay in a process of its own.
struct Elsewhere {
    child: Child,
    address: String,
}

impl Elsewhere {
    fn start(more: &[(&str, &str)]) -> Self {
        let usual = [
            ("RELAY_SECRET", SECRET),
            ("PORT", "0"),
            ("OPS_PORT", "0"),
            ("BIND", "127.0.0.1"),
            ("LOG_FORMAT", "json"),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_patchcord"));
        command.arg("serve").env_clear().envs(usual).envs(more.iter().copied());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("listening")).expect("it listens");
        std::thread::spawn(move || lines.for_each(drop)); // it must not wait for a reader
        let address = line.split("\"address\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        Self { child, address }
    }

    fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

const ASKS: &str = r#"
[[step]]
say = "When are you open?"
understood = "open"
answers_within_ms = 8000
agent_says = "at six"
[[step]]
interrupt = "Thanks."
after_ms = 900
clears_playback = true
heard = "We open"
not_heard = "Sundays"
[[step]]
hang_up = true
ends = "caller_hung_up"
"#;

/// The same without words.
const LISTENS: &str = r#"
[[step]]
say = "When are you open?"
answers_within_ms = 8000
[[step]]
interrupt = "Thanks."
after_ms = 900
clears_playback = true
[[step]]
hang_up = true
ends = true
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_elsewhere_is_called_with_a_token_and_tells_words_where_its_phone_page_is_on() {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let long =
        "We open at six on weekdays and at seven on Saturdays, and on Sundays we are closed all day long.";
    provider.behave(
        "sk-elsewhere",
        Behaviour {
            caller_says: vec!["When are you open?".to_owned(), "Thanks.".to_owned()],
            replies: vec![Reply::say(long), Reply::say("Bye.")],
            ..Behaviour::default()
        },
    );
    let url = provider.base_url();
    let keys = [("OPENAI_BASE_URL", url.as_str()), ("OPENAI_API_KEY", "sk-elsewhere")];
    let open = tokio::task::spawn_blocking({
        let more = [keys[0], keys[1], ("PHONE_PAGE", "true")].map(|(name, value)| (name, value.to_owned()));
        move || Elsewhere::start(&more.each_ref().map(|(name, value)| (*name, value.as_str())))
    });
    let open = open.await.unwrap();
    tokio::task::spawn_blocking(move || {
        let folder = Folder::new();
        let asks = folder.write("asks.toml", &format!("{AGENT}{ASKS}"));
        let listens = folder.write("listens.toml", &format!("{AGENT}{LISTENS}"));
        // With words.
        let output = patchcord(&["call", &open.url("/stream/browser"), "--json", "--script", &asks]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        assert!(output.status.success(), "{told:#}");
        let call = &told["scripts"][0]["call"];
        assert_eq!((&call["told"], &call["reason"]), (&true.into(), &"caller_hung_up".into()), "{call}");
        assert!(call["turns"][0]["segments_ms"]["decided"].is_number(), "{call}");
        assert_eq!(told["scripts"][0]["phone"]["violations"], serde_json::json!([]), "{told:#}");
        // At a carrier's address there are none: refused before the call, and played when none are asked for.
        let twilio = open.url("/stream/twilio");
        let output = patchcord(&["call", &twilio, "--script", &asks]);
        assert_eq!(output.status.code(), Some(1));
        let told = text(&output.stderr);
        assert!(told.contains(&format!("{asks}:14: `understood` cannot be known at {twilio}")), "{told}");
        assert!(told.contains("/stream/browser") && told.contains("PHONE_PAGE=true"), "{told}");
        let output = patchcord(&["call", &twilio, "--script", &listens]);
        assert!(output.status.success(), "{output:?}");
        assert!(text(&output.stdout).contains("agent   begins to be heard, "), "{output:?}");
        // A secret that is not the relay's.
        let wrong =
            with(&[("RELAY_SECRET", &"x".repeat(32))], &["call", &open.url(""), "--script", &listens]);
        assert_eq!(wrong.status.code(), Some(1));
        let told = text(&wrong.stdout);
        assert!(told.contains("the relay refused the call (token_seal)"), "{told}");
        assert!(told.contains("RELAY_SECRET must be the same here and there"), "{told}");
        let wrong = with(&[("RELAY_SECRET", &"x".repeat(32))], &["call", &twilio]);
        let told = text(&wrong.stderr);
        assert!(told.starts_with("patchcord: the relay refused the call (token_seal)"), "{told}");
    })
    .await
    .unwrap();
}

#[test]
fn a_relay_without_the_phone_page_says_so_and_one_that_is_not_there_too() {
    let closed = Elsewhere::start(&[]);
    let output = patchcord(&["call", &closed.url("")]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.contains("404 (carrier_not_supported)") && told.contains("PHONE_PAGE=true"), "{told}");
    let output = patchcord(&["call", &closed.url("/stream/twilio")]);
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).contains("carries sound and no words"), "{output:?}");
    let output = patchcord(&["call", &closed.url("/nowhere")]);
    assert!(text(&output.stderr).contains("404"), "{output:?}");
    drop(closed);
    for (url, wanted) in [
        ("ws://127.0.0.1:1/stream/twilio", "nobody answers at 127.0.0.1:1"),
        ("relay.example.com", "is no relay's address: it begins with wss://"),
        ("ftp://relay.example.com/", "ftp:// cannot be called"),
    ] {
        let output = patchcord(&["call", url]);
        assert_eq!(output.status.code(), Some(1), "{url}");
        assert!(text(&output.stderr).contains(wanted), "{output:?}");
    }
}

#[test]
fn whatever_is_wrong_in_a_file_is_told_with_the_file_before_anybody_is_called() {
    let folder = Folder::new();
    let typo = folder.write("typo.toml", "[[step]]\nsays = \"Hello\"\n");
    let agent = r#"{ "agent": { "prompt": "x" },"#.to_owned()
        + "\n\"legs\": [{ \"kind\": \"openai\",\n\"modle\": \"m\" }] }";
    let agent = folder.write("agent.json", &agent);
    let by_name = folder.write("by-name.toml", "agent = \"agent.json\"\n[[step]]\nhang_up = true\n");
    let too_fast =
        folder.write("fast.toml", "[agent]\nspeed = 9.5\n[[legs]]\nkind = \"openai\"\nmodel = \"m\"\n");
    let mp3 = folder.write("hello.mp3", "ID3rest");
    let with_mp3 = folder.write("mp3.toml", "[[step]]\nsay = \"Hello\"\naudio = \"hello.mp3\"\n");
    for (words, wanted) in [
        (&["--script", &typo][..], format!("{typo}:2: `says` is not known in `step`: did you mean `say`?")),
        (&["--script", "nowhere.toml"], "the script nowhere.toml cannot be read".to_owned()),
        (&["--script", &with_mp3], format!("{mp3} is an MP3; make a WAV of it with `ffmpeg -i {mp3}")),
        (&["--script", &by_name], format!("{agent}:3: `legs[0].modle` is not known: did you mean `model`?")),
        (&["--agent", &agent], format!("{agent}:3: `legs[0].modle` is not known: did you mean `model`?")),
        (&["--agent", &too_fast], format!("{too_fast}:2: `agent.speed` would be refused by a relay: ")),
        (&["--audio", &mp3], format!("{mp3} is an MP3")),
        (&["--audio", "nowhere.wav"], "nowhere.wav cannot be read".to_owned()),
    ] {
        let output = patchcord(&[&["call"], words].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stderr).contains(&wanted), "{wanted}\n{output:?}");
        assert_eq!(text(&output.stdout), "", "nobody was called");
    }
    for words in [&["--junit", "x.xml"][..], &["--script", &typo, "--audio", "a.wav"]] {
        assert_eq!(patchcord(&[&["call"], words].concat()).status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn a_call_that_is_stopped_by_hand_still_writes_what_was_said() {
    let folder = Folder::new();
    let script = folder.write("long.toml", &format!("{AGENT}[[step]]\nwait_ms = 600000\n"));
    for words in [&["--script", &script][..], &["--seconds", "600", "--interrupt-after", "500000"]] {
        let (wav, svg) = (folder.path("call.wav"), folder.path("call.svg"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_patchcord"));
        command.arg("call").args(words).args(["--out", &wav, "--timeline", &svg]).env_clear();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        lines.find(|line| line.contains("ready after")).expect("the call goes on");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
        let told: Vec<String> = lines.collect();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(told.iter().any(|line| line.ends_with("caller  hangs up")), "{told:?}");
        for file in [wav, svg] {
            assert!(std::fs::metadata(&file).unwrap().len() > 100, "{file}");
            std::fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn the_manual_shows_the_script_as_it_is() {
    let read =
        |path: &str| std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let shown = format!("<!-- script: bakery -->\n```toml\n{}```\n", read("docs/scripts/bakery.toml"));
    assert!(read("docs/call.md").contains(&shown), "docs/call.md and docs/scripts/bakery.toml differ");
}

#[test]
fn a_conversation_is_the_same_over_every_carrier() {
    let folder = Folder::new();
    let script = folder.write(
        "short.toml",
        r#"
        [agent]
        greeting = "Hello."
        prompt = "Be brief."
        [[legs]]
        kind = "openai"
        model = "gpt-realtime-2.1-mini"
        [[pretend.reply]]
        say = "We open at six."
        [[step]]
        heard = "hello"
        [[step]]
        say = "When are you open?"
        understood = "open"
        heard = "six"
        [[step]]
        press = "1"
        "#,
    );
    std::thread::scope(|scope| {
        let calls: Vec<_> = sim::phone::Carrier::names()
            .map(|carrier| {
                let words = ["call", "--carrier", carrier, "--script", &script, "--json"].map(str::to_owned);
                (carrier, scope.spawn(move || patchcord(&words.each_ref().map(String::as_str))))
            })
            .collect();
        assert_eq!(calls.len(), 12);
        for (carrier, call) in calls {
            let output = call.join().unwrap();
            assert!(output.status.success(), "{carrier}: {output:?}");
        }
    });
    let unknown = patchcord(&["call", "--carrier", "nokia"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("telnyx-pcma"), "{unknown:?}");
}
