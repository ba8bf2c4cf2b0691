//! What the main app hears of a call, and that it hears it.

use std::time::Duration;

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine, engine::general_purpose::STANDARD};
use patchcord::derive::{Purpose, key_for};
use serde_json::{Value, json};
use sim::{
    app::{Answer, App, Post},
    chat,
    voice::speech,
};

use crate::{
    cascade::{Pair, Script, Talk},
    house::{House, LIMIT, SECRET, echo, names_no_account},
};

/// Whether somebody with our secret has signed exactly this.
fn is_signed(post: &Post) -> bool {
    is_signed_with(post, &key_for(Purpose::Webhooks, SECRET.as_bytes())[..])
}

/// Whether somebody with these bytes has, and nobody else.
fn is_signed_with(post: &Post, bytes: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
    let mut text =
        format!("{}.{}.", post.header("webhook-id"), post.header("webhook-timestamp")).into_bytes();
    text.extend(&post.body);
    let expected = format!("v1,{}", STANDARD.encode(hmac::sign(&key, &text)));
    constant_time::verify_slices_are_equal(expected.as_bytes(), post.header("webhook-signature").as_bytes())
        .is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_app_knows_afterwards_what_was_said_heard_and_used() {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::json(&json!({})));
    let pair = Pair { ear: "flux-general-en", mouth: "aura-2-thalia-en" };
    let long = "We open at eight on weekdays, at nine on Saturdays, and on Sundays we are closed all day.";
    let thinks = chat::Behaviour::default().replies([long, "You are welcome."]);
    let mut script = Script::new(pair, ["When do you open?", "Thanks."], thinks);
    script.claims["agent"]["id"] = "agent_42".into();
    script.claims["context"] = json!({ "shop": 3 });
    script.claims["report"] = json!({ "url": app.url("/report"), "events": ["call.started", "call.ended"] });
    let talk = Talk::begin(pair, script).await;
    talk.say(5).await;
    talk.heard(2_000).await;
    talk.turn(6).await;
    let ids = talk.phone.look(|phone| phone.ids.clone());
    let started = app.post("/report", 0, |_| true, LIMIT).await.unwrap();
    assert_eq!(started.json()["type"], "call.started");
    let summary = talk.end().await;
    let ended = app.post("/report", 1, |_| true, LIMIT).await.unwrap();
    for post in [&started, &ended] {
        assert!(is_signed(post), "{:?}", post.headers);
        let call = &post.json()["data"]["call"];
        assert_eq!(call["carrier_call_id"], ids.call_sid);
        // Vonage names no account.
        assert!(call["account_id"] == ids.account_sid || names_no_account() && call["account_id"].is_null());
        assert_eq!(call["agent_id"], "agent_42");
        let our_id = call["id"].as_str().unwrap();
        let what = post.json()["type"].as_str().unwrap().trim_start_matches("call.").to_owned();
        assert_eq!(post.header("webhook-id"), format!("call_{our_id}_{what}"));
        assert_eq!(post.json()["data"]["context"], json!({ "shop": 3 }));
    }
    let data = ended.json()["data"].clone();
    assert_eq!((&data["reason"], &data["connected"]), (&json!("caller_hung_up"), &json!(true)));
    let leg = &data["legs"][0];
    assert_eq!(
        (&leg["kind"], &leg["outcome"], &leg["failure"]),
        (&json!("cascade"), &json!("used"), &json!(null))
    );
    let lines = data["transcript"].as_array().unwrap();
    let said: Vec<&str> = lines.iter().map(|line| line["said"].as_str().unwrap()).collect();
    assert_eq!(said, ["When do you open?", long, "Thanks.", "You are welcome."]);
    let roles: Vec<&str> = lines.iter().map(|line| line["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["caller", "agent", "caller", "agent"]);
    let heard = lines[1]["heard"].as_str().unwrap();
    assert!(
        lines[1]["interrupted"] == true && long.starts_with(heard) && heard.len() < long.len(),
        "{heard}"
    );
    assert!(lines[3]["interrupted"] == false && lines[3]["heard"] == "You are welcome.");
    assert_eq!(Some(heard), summary.transcript[1].heard.as_deref());
    let models: Vec<_> = data["usage"].as_array().unwrap().iter().map(|used| used["model"].clone()).collect();
    assert_eq!(models, ["flux-general-en", "openai/gpt-oss-20b", "aura-2-thalia-en"], "{}", data["usage"]);
    assert_eq!(data["counts"]["interruptions"], 1);
    assert!(data["seconds"].as_f64() > Some(3.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_a_secret_of_its_own_gets_every_report_signed_with_that_and_tools_as_ever() {
    let bytes: Vec<u8> = (100..132).collect();
    let app = App::start().await.unwrap();
    for path in ["/report", "/lookup"] {
        app.answer(path, Answer::json(&json!({})));
    }
    let pair = Pair { ear: "flux-general-en", mouth: "aura-2-thalia-en" };
    let arguments = json!({ "target": "sales" }).to_string();
    let moves =
        chat::Answer::say("I connect you.").tool(chat::ToolCall::new("call_2", "transfer", &arguments));
    let thinks = chat::Behaviour::default()
        .on("person", chat::Answer::call("call_1", "lookup", "{}"))
        .on_result("lookup", moves);
    let mut script = Script::new(pair, ["A person, please."], thinks);
    script.claims["tools"] = json!([
        { "name": "lookup", "url": app.url("/lookup") },
        { "kind": "transfer", "targets": { "sales": "+15550100" } },
    ]);
    script.claims["report"] = json!({
        "url": app.url("/report"), "events": ["call.started", "call.ended"],
        "secret": format!("whsec_{}", STANDARD.encode(&bytes)),
    });
    let talk = Talk::begin(pair, script).await;
    talk.phone.say(speech(Duration::from_millis(900), 5));
    for (n, kind) in ["call.started", "call.action", "call.ended"].into_iter().enumerate() {
        let post = app.post("/report", n, |_| true, LIMIT).await.unwrap();
        assert_eq!(post.json()["type"], kind);
        assert!(is_signed_with(&post, &bytes) && !is_signed(&post), "{kind}: {:?}", post.headers);
    }
    assert!(is_signed(&app.posts("/lookup")[0]), "the secret is for reports");
}

fn with_report(app: &App) -> Value {
    let mut claims = echo();
    claims["report"] = json!({ "url": app.url("/report") });
    claims
}

#[tokio::test(flavor = "multi_thread")]
async fn a_main_app_that_is_down_for_a_moment_hears_it_once_it_is_back() {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::json(&json!({})).cuts(2));
    let house = House::with(&[("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let phone = house.call(with_report(&app)).await;
    phone.say(speech(Duration::from_millis(600), 5));
    phone.said(LIMIT).await.unwrap();
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    // Cut twice, each time tried again: the third one is taken.
    let taken = app.post("/report", 2, |_| true, LIMIT).await.unwrap();
    let ids: Vec<_> = app.posts("/report").iter().map(|post| post.header("webhook-id").to_owned()).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert!(is_signed(&taken));
    house.relay.drain(std::future::pending()).await;
    assert_eq!(app.posts("/report").len(), 3, "and not once more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_refused_is_no_call_of_its_token() {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::json(&json!({})));
    let house = House::with(&[("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let options = house.bare_phone("").token(&crate::house::token("CA-of-another-call", &with_report(&app)));
    let phone = sim::phone::Phone::dial(options).await.unwrap();
    phone.ended(LIMIT).await.unwrap();
    house.relay.drain(std::future::pending()).await;
    assert_eq!(app.posts("/report").len(), 0);
}
