//! What does a main app receive, word for word? The examples of the documentation come from here, and must stay true.
//!
//! `WRITE_EXAMPLES=1` writes them anew. With `EXAMPLES_DIR` each message is also left there as it came, for somebody
//! else's code to verify.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_json::{Value, json};
use sim::{
    app::{Answer, App, Post},
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply},
    phone::Phone,
    voice::speech,
};

use crate::house::{House, LIMIT, SECRET};

const PAGE: &str = "docs/what-your-app-receives.md";

/// Different in each run: of these only the kind is compared.
const DIFFERENT: [&str; 26] = [
    "id",
    "carrier_call_id",
    "account_id",
    "timestamp",
    "started_at",
    "ended_at",
    "seconds",
    "bytes",
    "at_ms",
    "from_ms",
    "silence_ms",
    "decided_ms",
    "thought_ms",
    "tools_ms",
    "voiced_ms",
    "sent_ms",
    "heard_ms",
    "count",
    "usd",
    "frames_in",
    "frames_out",
    "gaps_ms",
    "audio_tokens_in",
    "audio_tokens_cached",
    "audio_tokens_out",
    "estimated",
];

fn claims(app: &App, key: &str) -> Value {
    json!({
        "agent": { "id": "front-desk", "prompt": "You answer the phone for a bakery.", "greeting": "Hello, this is the bakery." },
        "legs": [{ "kind": "openai", "model": "gpt-realtime-2.1-mini" }],
        "keys": { "openai": key },
        "tools": [
            { "name": "opening_hours", "url": app.url("/hours"), "parameters": { "type": "object" } },
            { "kind": "knowledge", "name": "handbook", "url": app.url("/knowledge") },
            { "kind": "transfer", "targets": { "baker": "+15550100" } },
        ],
        "report": { "url": app.url("/report"), "events": ["call.started", "turn.ended", "call.action", "call.ended"] },
        "call": { "record": { "put_url": app.url("/recording") } },
        "context": { "shop": 3 },
    })
}

fn replies() -> [Reply; 5] {
    [
        Reply::say("Hello, this is the bakery."),
        Reply::call("opening_hours", r#"{"day":"monday"}"#, "call_1").and_call(
            "handbook",
            r#"{"question":"Is there parking?"}"#,
            "call_2",
        ),
        Reply::say("We open at eight, and you can park behind the house."),
        Reply::say(
            "On Sundays we are closed, but on Saturdays we are open from nine until two in the afternoon.",
        ),
        Reply::say("I will connect you with the baker.").and_call(
            "transfer",
            r#"{"target":"baker"}"#,
            "call_3",
        ),
    ]
}

/// One call in which everything happens that a main app hears of; its messages by name.
async fn messages() -> BTreeMap<&'static str, Post> {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::json(&json!({})));
    app.answer("/recording", Answer::json(&json!({})));
    app.answer("/hours", Answer::json(&json!({ "opens": "08:00", "closes": "18:00" })));
    app.answer("/knowledge", Answer::json(&json!({ "passages": ["Park behind the house."] })));
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let mut behaviour =
        Behaviour { extras: false, ..Behaviour::default() }.replies(replies().into_iter().skip(1));
    behaviour.caller_says =
        ["When do you open, and is there parking?", "And at the weekend?", "May I talk to the baker?"]
            .map(str::to_owned)
            .to_vec();
    provider.behave("sk-examples", behaviour);
    let house =
        House::with(&[("OPENAI_BASE_URL", &provider.base_url()), ("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let phone = house.call(claims(&app, "sk-examples")).await;
    finished(&phone).await;
    say(&phone, 5).await;
    finished(&phone).await;
    say(&phone, 6).await;
    let heard = phone.look(|phone| phone.played) + Duration::from_millis(1_500);
    phone.until(|phone| phone.played >= heard, LIMIT).await.unwrap();
    say(&phone, 7).await;
    phone.ended(LIMIT).await.unwrap();
    // The start, three turns, the request to take the caller, the end.
    app.post("/report", 5, |_| true, LIMIT).await.unwrap();
    let reports = app.posts("/report");
    let report = |is_it: &dyn Fn(&Value) -> bool| {
        reports.iter().find(|post| is_it(&post.json())).expect("each report has come").clone()
    };
    let named = |name: &str| report(&|report| report["type"] == name);
    let interrupted = report(&|report| report["data"]["interrupted"] == true);
    BTreeMap::from([
        ("tool", app.post("/hours", 0, |_| true, LIMIT).await.unwrap()),
        ("knowledge", app.post("/knowledge", 0, |_| true, LIMIT).await.unwrap()),
        ("call.started", named("call.started")),
        ("turn.ended", interrupted),
        ("call.action", named("call.action")),
        ("call.ended", named("call.ended")),
    ])
}

async fn finished(phone: &Phone) {
    phone.agent_finished(Duration::from_millis(400), LIMIT).await.unwrap();
}

async fn say(phone: &Phone, seed: u64) {
    phone.say(speech(Duration::from_millis(900), seed));
    phone.said(LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_documentation_are_what_a_main_app_receives() {
    let messages = messages().await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let mut page = std::fs::read_to_string(&file).unwrap();
    for (name, post) in &messages {
        let (start, end) = block(&page, name);
        let real = json!(post.json());
        if std::env::var_os("WRITE_EXAMPLES").is_some() {
            page.replace_range(start..end, &format!("{real:#}\n"));
            continue;
        }
        let written: Value =
            serde_json::from_str(&page[start..end]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut wrong = Vec::new();
        compare(name, &written, &real, &mut wrong);
        assert!(wrong.is_empty(), "{PAGE} is no longer true, WRITE_EXAMPLES=1 writes it anew: {wrong:#?}");
    }
    if std::env::var_os("WRITE_EXAMPLES").is_some() {
        std::fs::write(&file, page).unwrap();
    }
    if let Some(directory) = std::env::var_os("EXAMPLES_DIR") {
        std::fs::create_dir_all(&directory).unwrap();
        for (name, post) in &messages {
            let body = std::str::from_utf8(&post.body).unwrap();
            let headers: BTreeMap<_, _> = post.headers.iter().cloned().collect();
            let message = json!({ "relay_secret": SECRET, "headers": headers, "body": body });
            std::fs::write(Path::new(&directory).join(format!("{name}.json")), message.to_string()).unwrap();
        }
    }
}

/// Where the example stands in the page.
fn block(page: &str, name: &str) -> (usize, usize) {
    let mark = format!("<!-- example: {name} -->\n```json\n");
    let start = page.find(&mark).unwrap_or_else(|| panic!("{PAGE} has no place for {name}")) + mark.len();
    (start, start + page[start..].find("```").unwrap())
}

fn compare(path: &str, written: &Value, real: &Value, wrong: &mut Vec<String>) {
    match (written, real) {
        (Value::Object(written), Value::Object(real)) => {
            for name in written.keys().chain(real.keys()) {
                match (written.get(name), real.get(name)) {
                    (Some(_), Some(real)) if DIFFERENT.contains(&name.as_str()) && !real.is_object() => {}
                    (Some(written), Some(real)) => compare(&format!("{path}.{name}"), written, real, wrong),
                    (Some(_), None) => wrong.push(format!("{path}.{name} does not come")),
                    (None, _) => wrong.push(format!("{path}.{name} comes as well")),
                }
            }
        }
        (Value::Array(written), Value::Array(real)) if written.len() == real.len() => {
            for (at, (written, real)) in written.iter().zip(real).enumerate() {
                compare(&format!("{path}[{at}]"), written, real, wrong);
            }
        }
        _ if written == real => {}
        // What was heard of an answer that was interrupted.
        (Value::String(written), Value::String(real)) if path.ends_with(".heard") && cut(written, real) => {}
        _ => wrong.push(format!("{path} is {real}, not {written}")),
    }
}

/// Both are the beginning of one sentence.
fn cut(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}
