//! Tools over both kinds of legs: what the main app is asked, what the model hears of it, and that the call goes on.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sim::{
    app::{Answer, App},
    chat,
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply},
    voice::speech,
};

use crate::{
    cascade::{Pair, Script, Talk},
    house::{House, LIMIT, openai},
};

const QUIET: Duration = Duration::from_millis(300);

/// A tool of the main app, which answers so; and what the model is to hear.
struct Case {
    answer: Answer,
    arguments: &'static str,
    hears: &'static str,
    /// How often the main app is asked.
    posts: usize,
}

fn case(answer: Answer, hears: &'static str) -> Case {
    Case { answer, arguments: "{\"order\":7}", hears, posts: 1 }
}

fn cases() -> Vec<Case> {
    let shipped = || Answer::json(&json!({ "status": "shipped" }));
    vec![
        case(shipped(), "{\"status\":\"shipped\"}"),
        case(Answer::status(204, ""), "{\"status\":\"done\"}"),
        case(Answer::status(500, "{}"), "refused, with status 500"),
        case(Answer::status(302, ""), "refused, with status 302"),
        case(Answer::status(200, "<html>"), "an answer that cannot be read"),
        case(Answer::json(&json!("x".repeat(100_000))), "too long to read"),
        case(shipped().after(Duration::from_secs(60)), "did not answer in time"),
        Case { posts: 2, ..case(shipped().cuts(1), "{\"status\":\"shipped\"}") },
        Case { posts: 2, ..case(shipped().cuts(9), "cannot be reached") },
        Case { posts: 0, arguments: "{\"order\":", ..case(shipped(), "are not JSON") },
    ]
}

fn tools(url: &str) -> Value {
    json!([{ "name": "lookup", "url": url, "timeout_ms": 1500 }])
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_a_tool_openai_hears_of_it_once_and_speaks_on() {
    join_all(cases().into_iter().map(|case| async move {
        let app = App::start().await.unwrap();
        app.answer("/lookup", case.answer);
        let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
        let replies = [Reply::call("lookup", case.arguments, "call_1"), Reply::say("It is on its way.")];
        provider.behave("sk", Behaviour::default().replies(replies));
        let url = provider.base_url();
        let house = House::with(&[("OPENAI_BASE_URL", &url), ("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
        let mut claims = openai("sk");
        claims["tools"] = tools(&app.url("/lookup"));
        let phone = house.call(claims).await;
        phone.say(speech(Duration::from_millis(1_200), 5));
        phone.said(LIMIT).await.unwrap();
        phone.agent_finished(QUIET, LIMIT).await.unwrap_or_else(|error| panic!("{}: {error}", case.hears));
        let leg = provider.connection("sk", LIMIT).await.unwrap();
        let told: Vec<Value> = leg.look(|ledger| {
            let created = ledger.events_of("conversation.item.create").map(|event| event["item"].clone());
            created.filter(|item| item["type"] == "function_call_output").collect()
        });
        assert_eq!((told.len(), &told[0]["call_id"]), (1, &json!("call_1")), "{told:?}");
        assert!(told[0]["output"].as_str().is_some_and(|output| output.contains(case.hears)), "{told:?}");
        assert_eq!(leg.look(|ledger| ledger.responses_done()), 2, "{}: one continuation", case.hears);
        assert_eq!(app.posts("/lookup").len(), case.posts, "{}", case.hears);
        phone.hang_up();
        phone.ended(LIMIT).await.unwrap();
        assert_eq!(provider.violations(), Vec::<String>::new(), "{}", case.hears);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_a_tool_a_cascade_hears_of_it_once_and_speaks_on() {
    let pair = Pair { ear: "flux-general-en", mouth: "aura-2-thalia-en" };
    join_all(cases().into_iter().map(|case| async move {
        let app = App::start().await.unwrap();
        app.answer("/lookup", case.answer);
        let thinks = chat::Behaviour::default()
            .on("order", chat::Answer::call("call_1", "lookup", case.arguments))
            .on_result("lookup", chat::Answer::say("It is on its way."));
        let mut script = Script::new(pair, ["Where is my order?"], thinks);
        script.claims["tools"] = tools(&app.url("/lookup"));
        let talk = Talk::begin(pair, script).await;
        talk.turn(5).await;
        let requests = talk.studio.chat.requests("k");
        assert_eq!(requests.len(), 2, "{}: one continuation", case.hears);
        let (role, text) = requests[1].messages().pop().unwrap();
        assert!(role == "tool" && text.contains(case.hears), "{role}: {text}");
        assert_eq!(app.posts("/lookup").len(), case.posts, "{}", case.hears);
        assert_eq!(talk.said(), ["It is on its way."]);
        talk.end().await;
    }))
    .await;
}

fn handbook(app: &App) -> Value {
    app.answer("/ask", Answer::json(&json!({ "passages": ["Park behind the house."] })));
    json!([{ "kind": "knowledge", "name": "handbook", "url": app.url("/ask") }])
}

const QUESTION: &str = r#"{"question":"Where can I park?"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn openai_knows_what_the_main_app_has_found() {
    let app = App::start().await.unwrap();
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let replies = [Reply::call("handbook", QUESTION, "call_1"), Reply::say("Behind the house.")];
    provider.behave("sk", Behaviour::default().replies(replies));
    let url = provider.base_url();
    let house = House::with(&[("OPENAI_BASE_URL", &url), ("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let mut claims = openai("sk");
    claims["tools"] = handbook(&app);
    let phone = house.call(claims).await;
    phone.say(speech(Duration::from_millis(1_200), 5));
    let asked = app.post("/ask", 0, |_| true, LIMIT).await.unwrap();
    assert_eq!(asked.json()["arguments"]["question"], "Where can I park?");
    let leg = provider.connection("sk", LIMIT).await.unwrap();
    leg.until(|ledger| ledger.responses_done() == 2, LIMIT).await.unwrap();
    let told = leg.look(|ledger| ledger.events_of("conversation.item.create").next().cloned()).unwrap();
    assert!(told["item"]["output"].as_str().unwrap().contains("Park behind the house."), "{told}");
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    assert_eq!(provider.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cascade_knows_what_the_main_app_has_found() {
    let pair = Pair { ear: "flux-general-en", mouth: "aura-2-thalia-en" };
    let app = App::start().await.unwrap();
    let thinks = chat::Behaviour::default()
        .on("park", chat::Answer::call("call_1", "handbook", QUESTION))
        .on_result("behind", chat::Answer::say("Behind the house."));
    let mut script = Script::new(pair, ["Where can I park?"], thinks);
    script.claims["tools"] = handbook(&app);
    let talk = Talk::begin(pair, script).await;
    talk.turn(5).await;
    assert_eq!(app.posts("/ask")[0].json()["arguments"]["question"], "Where can I park?");
    assert_eq!(talk.said(), ["Behind the house."]);
    talk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_calls_of_one_response_are_answered_together_and_gone_on_with_once() {
    let app = App::start().await.unwrap();
    app.answer("/lookup", Answer::json(&json!({ "n": 1 })).after(Duration::from_millis(400)));
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let both =
        Reply::say("One moment.").and_call("lookup", "{}", "call_1").and_call("lookup", "{}", "call_2");
    provider.behave("sk", Behaviour::default().replies([both, Reply::say("Both are on their way.")]));
    let url = provider.base_url();
    let house = House::with(&[("OPENAI_BASE_URL", &url), ("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let mut claims = openai("sk");
    claims["tools"] = tools(&app.url("/lookup"));
    let phone = house.call(claims).await;
    phone.say(speech(Duration::from_millis(1_200), 5));
    phone.said(LIMIT).await.unwrap();
    let leg = provider.connection("sk", LIMIT).await.unwrap();
    leg.until(|ledger| ledger.responses_done() == 2, LIMIT).await.unwrap();
    phone.agent_finished(QUIET, LIMIT).await.unwrap();
    let ids: Vec<_> = app.posts("/lookup").iter().map(|post| post.header("webhook-id").to_owned()).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
    assert_eq!(leg.look(|ledger| ledger.responses_done()), 2);
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    assert_eq!(provider.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_takes_the_running_tool_with_him() {
    let app = App::start().await.unwrap();
    app.answer("/lookup", Answer::json(&json!({})).after(Duration::from_secs(60)));
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    provider.behave("sk", Behaviour::default().replies([Reply::call("lookup", "{}", "call_1")]));
    let url = provider.base_url();
    let house = House::with(&[("OPENAI_BASE_URL", &url), ("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let mut claims = openai("sk");
    claims["tools"] = json!([{ "name": "lookup", "url": app.url("/lookup"), "timeout_ms": 60000 }]);
    let phone = house.call(claims).await;
    phone.say(speech(Duration::from_millis(1_200), 5));
    app.post("/lookup", 0, |_| true, LIMIT).await.unwrap();
    phone.hang_up();
    app.post("/lookup", 0, |post| post.abandoned, LIMIT).await.unwrap();
    house.idle().await;
}
