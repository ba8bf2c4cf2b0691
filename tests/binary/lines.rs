//! The lines that a person looks for in the log when something is wrong: README names them.

use serde_json::{Value, json};
use sim::{
    openai::{Behaviour, ConnectError, Faults, OpenAi, OpenAiOptions},
    phone::{Phone, PhoneEnd, PhoneOptions},
};

use crate::process::{Binary, LIMIT, token};

/// Everything that was logged, a line each.
fn lines(relay: Binary) -> Vec<Value> {
    relay.signal("TERM");
    let (_, printed) = relay.end();
    printed.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// The first line whose message begins so.
fn line<'a>(lines: &'a [Value], beginning: &str) -> &'a Value {
    let begins = |line: &&Value| line["message"].as_str().is_some_and(|text| text.starts_with(beginning));
    lines.iter().find(begins).unwrap_or_else(|| panic!("no {beginning:?} in {lines:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_token_is_told_where_query_strings_go() {
    let relay = Binary::start(&[]);
    let mut options = PhoneOptions::new(format!("ws://{}/stream/twilio", relay.address));
    // The pretend Twilio strips it, as the real one does.
    options.url +=
        &format!("?token={}", token(&json!({ "legs": [{ "kind": "echo" }] }), &options.ids.call_sid));
    let phone = Phone::dial(options).await.unwrap();
    let end = phone.ended(LIMIT).await.unwrap();
    assert_eq!(end, PhoneEnd::Closed { code: Some(1008), reason: "token_missing".to_owned() });
    let lines = lines(relay);
    let said = line(&lines, "token refused: ");
    assert!(
        said["message"]
            .as_str()
            .unwrap()
            .contains("no token came with this call. Twilio strips query strings"),
        "{said}"
    );
    assert_eq!((&said["code"], &said["level"]), (&json!("token_missing"), &json!("WARN")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_line_of_a_call_names_whose_fault_it_was_and_reads_on_its_own() {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let faults =
        Faults { error_at_connect: Some(ConnectError::invalid_api_key("sk-***")), ..Faults::default() };
    provider.behave("sk-bad", Behaviour { faults, ..Behaviour::default() });
    let base_url = provider.base_url();
    let relay = Binary::start(&[("OPENAI_BASE_URL", &base_url)]);
    let claims = json!({
        "agent": { "id": "front-desk", "prompt": "x" },
        "legs": [{ "kind": "openai", "model": "gpt-realtime-2.1-mini" }],
        "keys": { "openai": "sk-bad" },
    });
    let options = relay.phone(&claims);
    let call = options.ids.call_sid.clone();
    Phone::dial(options).await.unwrap().ended(LIMIT).await.unwrap();
    let lines = lines(relay);
    let started = line(&lines, "call started");
    let ended = line(&lines, "call ended: leg_failed: openai refused the key");
    for (name, value) in [
        ("level", "WARN"),
        ("reason", "leg_failed"),
        ("provider", "openai"),
        ("kind", "bad_key"),
        ("agent", "front-desk"),
        ("leg", "openai"),
        ("iss", "https://app.example.com"),
    ] {
        assert_eq!(ended[name], value, "{name} in {ended}");
    }
    for line in [started, ended] {
        assert_eq!(line["span"]["carrier_call"], call.as_str(), "{line}");
        assert_eq!(line["span"]["id"], started["span"]["id"], "{line}");
    }
}
