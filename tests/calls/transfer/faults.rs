//! Whatever Twilio answers: the caller is moved once, or hears that nobody is there; and there is one report of it.

use std::time::Duration;

use call::EndReason;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sim::{
    app::{Answer, App},
    chat,
    phone::PhoneEnd,
    twilio::{Trouble, Twilio},
    voice::speech,
};

use super::desk::{ANNOUNCED, Desk, KEY, is_closed, key, prepare, transfer, twilio};
use crate::{
    cascade::{Pair, Script, Talk},
    house::LIMIT,
};

/// What goes wrong, how often Twilio is asked, and whether the caller is moved in the end.
type Fault = (&'static str, fn(&Twilio), usize, bool);

const FAULTS: [Fault; 12] = [
    ("a wrong key", |twilio| twilio.takes_key(KEY, "another"), 1, false),
    ("a key without the right", |twilio| twilio.trouble([Trouble::Status(403)]), 1, false),
    ("a call it does not know", |twilio| twilio.trouble([Trouble::Status(404)]), 1, false),
    ("a request it does not like", |twilio| twilio.trouble([Trouble::Status(400)]), 1, false),
    ("a redirect", |twilio| twilio.trouble([Trouble::Status(302)]), 1, false),
    ("too many requests, once", |twilio| twilio.trouble([Trouble::Status(429)]), 2, true),
    ("too many requests, all the time", |twilio| twilio.trouble([Trouble::Status(429); 9]), 2, false),
    ("broken, once", |twilio| twilio.trouble([Trouble::Status(500)]), 2, true),
    ("broken, and unavailable", |twilio| twilio.trouble([500, 503].map(Trouble::Status)), 2, false),
    // It may have heard, and is not told twice.
    ("a gateway that waited in vain", |twilio| twilio.trouble([Trouble::Status(504)]), 1, false),
    ("a connection that breaks", |twilio| twilio.trouble([Trouble::Cut]), 1, false),
    ("no answer at all", |twilio| twilio.trouble([Trouble::Silent]), 1, false),
];

/// The main app has got one report of the call, and what it says of the transfer.
fn reported(app: &App, what: &str) -> (Value, Value) {
    let posts = app.posts("/report");
    assert_eq!(posts.len(), 1, "{what}");
    let report = posts[0].json();
    assert_eq!(report["type"], "call.ended", "{what}");
    let lines = report["data"]["transcript"].as_array().unwrap().clone();
    let mut tools = lines.into_iter().filter(|line| line["role"] == "tool");
    let tool = tools.next().unwrap();
    assert_eq!((tools.next(), &tool["name"]), (None, &json!("transfer")), "{what}");
    (report["data"]["reason"].clone(), tool["result"].clone())
}

async fn app() -> App {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::json(&json!({})));
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_twilio_answers_an_openai_call_goes_on_or_is_moved() {
    join_all(FAULTS.map(|(what, prepare, asked, moved)| async move {
        let app = app().await;
        let mut desk = Desk::with_transfer(json!({ "report": { "url": app.url("/report") } })).await;
        prepare(&desk.twilio);
        if moved {
            let end = desk.phone.ended(LIMIT).await.unwrap();
            assert!(is_closed(&end), "{what}: {end:?}");
        } else {
            let whole = ANNOUNCED + Duration::from_millis(700);
            let sorry = desk.phone.until(|phone| phone.played == whole && !phone.playing, LIMIT).await;
            sorry.unwrap_or_else(|error| panic!("{what}: {error}"));
            let leg = desk.provider.connection("sk", LIMIT).await.unwrap();
            assert_eq!(leg.look(|ledger| ledger.responses_done()), 2, "{what}: one continuation");
            desk.phone.hang_up();
            assert_eq!(desk.phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
        }
        ended(desk.news.ended().await.reason, moved, what);
        assert_eq!(desk.twilio.asked().len(), asked, "{what}");
        desk.is_clean().await;
        desk.house.relay.drain(std::future::pending()).await;
        is_told(&app, moved, what);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_twilio_answers_a_cascade_goes_on_or_is_moved() {
    let pair = Pair { ear: "flux-general-en", mouth: "aura-2-thalia-en" };
    join_all(FAULTS.map(|(what, trouble, asked, moved)| async move {
        let app = app().await;
        let arguments = json!({ "target": "sales" }).to_string();
        let calls = chat::Answer::say("I connect you with sales.");
        let calls = calls.tool(chat::ToolCall::new("call_1", "transfer", &arguments));
        let thinks = chat::Behaviour::default()
            .on("person", calls)
            .on_result("transfer", chat::Answer::say("I am sorry, nobody is there."));
        let mut script = Script::new(pair, ["A person, please."], thinks);
        script.claims["tools"] = transfer();
        script.claims["keys"]["twilio"] = key();
        script.claims["report"] = json!({ "url": app.url("/report") });
        let mut talk = Talk::begin(pair, script).await;
        prepare(&talk.studio.twilio);
        trouble(&talk.studio.twilio);
        talk.phone.say(speech(Duration::from_millis(900), 5));
        if moved {
            let end = talk.phone.ended(LIMIT).await.unwrap();
            assert!(is_closed(&end), "{what}: {end:?}");
        } else {
            let question = talk.studio.chat.request("k", 1, LIMIT).await;
            let question = question.unwrap_or_else(|error| panic!("{what}: {error}"));
            let (role, text) = question.messages().pop().unwrap();
            assert!(role == "tool" && text.contains("could not be arranged"), "{what}: {role}: {text}");
            talk.finished().await;
            let said = talk.said().join(" ");
            assert_eq!(said, "I connect you with sales. I am sorry, nobody is there.", "{what}");
            assert_eq!(talk.studio.chat.requests("k").len(), 2, "{what}: one continuation");
            talk.phone.hang_up();
            assert_eq!(talk.phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
        }
        ended(talk.ended().await.reason, moved, what);
        assert_eq!(talk.studio.twilio.asked().len(), asked, "{what}");
        talk.studio.is_clean().await;
        talk.studio.house.relay.drain(std::future::pending()).await;
        is_told(&app, moved, what);
    }))
    .await;
}

fn ended(reason: EndReason, moved: bool, what: &str) {
    let expected = if moved { EndReason::Transferred } else { EndReason::CallerHungUp };
    assert_eq!(reason, expected, "{what}");
}

fn is_told(app: &App, moved: bool, what: &str) {
    let (reason, result) = reported(app, what);
    if moved {
        assert_eq!(reason, "transferred", "{what}");
    } else {
        assert_eq!(reason, "caller_hung_up", "{what}");
        let result = result["error"].as_str().unwrap_or_else(|| panic!("{what}: {result}"));
        assert!(result.contains("could not be arranged"), "{what}: {result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twilio_that_is_down_does_not_end_the_call() {
    let (claims, arguments) = (json!({ "tools": transfer() }), json!({ "target": "sales" }));
    // Nobody listens there.
    let mut desk = Desk::open_at("http://127.0.0.1:1", twilio().await, "transfer", &arguments, claims).await;
    let whole = ANNOUNCED + Duration::from_millis(700);
    desk.phone.until(|phone| phone.played == whole && !phone.playing, LIMIT).await.unwrap();
    desk.phone.hang_up();
    assert_eq!(desk.phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    assert_eq!(desk.news.ended().await.reason, EndReason::CallerHungUp);
    desk.is_clean().await;
}
