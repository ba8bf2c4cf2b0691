//! Tools that the provider has run by itself: the agent waits for them, and speaks about them once.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{
    app::{Answer, App},
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply, StartedBy},
    voice::speech,
};

use crate::house::{House, LIMIT, openai};

const QUIET: Duration = Duration::from_millis(400);

/// The caller asks, and a tool of the server is run, which takes so long and comes to this. What was said, what was
/// told of the tool, and how often the relay asked for an answer.
async fn asked(takes: u64, result: Result<&str, &str>) -> (Vec<String>, Value, usize) {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::json(&json!({})));
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let call = Reply::elsewhere("calendar", "list_events", result, Duration::from_millis(takes));
    provider.behave("sk-mcp", Behaviour::default().replies([call, Reply::say("You are free on Monday.")]));
    let house =
        House::with(&[("OPENAI_BASE_URL", &provider.base_url()), ("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let mut claims = openai("sk-mcp");
    claims["tools"] = json!([{
        "kind": "mcp", "server_label": "calendar", "server_url": "https://mcp.example.com/sse", "timeout_ms": 2000,
        "authorization": "the-key", "say": "One moment, please.",
    }]);
    claims["report"] = json!({ "url": app.url("/report") });
    let phone = house.call(claims).await;
    phone.say(speech(Duration::from_millis(900), 5));
    phone.said(LIMIT).await.unwrap();
    let leg = provider.connection("sk-mcp", LIMIT).await.unwrap();
    let is_said = |text: &str| text.contains("free on Monday");
    leg.until(|ledger| ledger.items.iter().any(|item| is_said(&item.text)), LIMIT).await.unwrap();
    phone.agent_finished(QUIET, LIMIT).await.unwrap();
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    let tools = leg.look(|ledger| ledger.session["tools"].clone());
    let server = json!([{
        "type": "mcp", "server_label": "calendar", "server_url": "https://mcp.example.com/sse",
        "require_approval": "never", "authorization": "the-key",
    }]);
    assert_eq!(tools, server);
    let ours = |ledger: &sim::openai::Ledger| {
        ledger.responses.iter().filter(|response| response.by == StartedBy::Client).count()
    };
    let asked = leg.look(ours);
    assert_eq!(
        leg.look(|ledger| ledger.events_of("conversation.item.create").count()),
        0,
        "it needs no result"
    );
    assert_eq!(provider.violations(), Vec::<String>::new());
    let report = app.post("/report", 0, |_| true, LIMIT).await.unwrap().json()["data"].clone();
    let lines = report["transcript"].as_array().unwrap();
    let said = lines.iter().filter(|line| line["role"] == "agent");
    let tool = lines.iter().find(|line| line["role"] == "tool").cloned().unwrap_or_default();
    (said.map(|line| line["said"].as_str().unwrap().to_owned()).collect(), tool, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_goes_on_when_its_providers_tool_is_done() {
    let (said, tool, asked) = asked(150, Ok(r#"{"events":[]}"#)).await;
    assert_eq!((said, asked), (vec!["You are free on Monday.".to_owned()], 1));
    assert_eq!((&tool["name"], &tool["result"]), (&json!("list_events"), &json!({ "events": [] })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_one_is_excused_and_one_that_fails_is_spoken_about_all_the_same() {
    let (said, tool, asked) = asked(1_200, Err("no such calendar")).await;
    assert_eq!(
        (&said[..], asked),
        (&["One moment, please.".to_owned(), "You are free on Monday.".to_owned()][..], 2)
    );
    assert!(tool["result"].to_string().contains("no such calendar"), "{tool}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_ends_does_not_leave_the_caller_in_silence() {
    let (said, _, asked) = asked(60_000, Ok("{}")).await;
    assert_eq!((said.last().unwrap().as_str(), asked), ("You are free on Monday.", 2));
}
