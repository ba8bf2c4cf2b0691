//! How an agent ends a call, notices that nobody is there, and hears of keys: over both kinds of legs.

use std::time::Duration;

use call::EndReason;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sim::{
    app::{self, App},
    chat,
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply},
    phone::PhoneEnd,
    voice::speech,
};

use crate::{
    cascade::{MOUTHS, Pair, Script, Talk},
    house::{House, LIMIT, is_whole, openai},
};

const GOODBYE: &str = "You are welcome. Have a nice day, and goodbye!";

fn closed() -> PhoneEnd {
    PhoneEnd::Closed { code: Some(1000), reason: "call over".into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_hangs_up_after_its_last_word_was_heard() {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let length = Duration::from_millis(2_600);
    let goodbye = Reply::say_for(GOODBYE, length).and_call("hang_up", "{}", "call_1");
    provider.behave("sk", Behaviour::default().replies([goodbye]));
    let house = House::with(&[("OPENAI_BASE_URL", &provider.base_url())]).await;
    let mut news = house.listen();
    let mut claims = openai("sk");
    claims["tools"] = json!([{ "kind": "hang_up" }]);
    let phone = house.call(claims).await;
    phone.say(speech(Duration::from_millis(1_200), 5));
    assert_eq!(phone.ended(LIMIT).await.unwrap(), closed());
    let played = phone.look(|phone| phone.played);
    assert!(is_whole(played, length), "every sample of it was played: {played:?} of {length:?}");
    assert_eq!(news.ended().await.reason, EndReason::AgentHungUp);
    assert_eq!(provider.violations(), Vec::<String>::new());
    house.idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cascade_hangs_up_after_its_last_word_was_heard() {
    join_all(MOUTHS.map(|mouth| async move {
        let pair = Pair { ear: "flux-general-en", mouth };
        let goodbye = chat::Answer::say(GOODBYE).tool(chat::ToolCall::new("call_1", "hang_up", "{}"));
        let thinks = chat::Behaviour::default().on("thank", goodbye);
        let mut script = Script::new(pair, ["Thank you."], thinks);
        script.claims["tools"] = json!([{ "kind": "hang_up" }]);
        let mut talk = Talk::begin(pair, script).await;
        talk.phone.say(speech(Duration::from_millis(900), 5));
        assert_eq!(talk.phone.ended(LIMIT).await.unwrap(), closed());
        let sent: Duration = talk.utterances().iter().map(|one| one.sent).sum();
        let played = talk.phone.look(|phone| phone.played);
        assert!(is_whole(played, sent), "{mouth}: {played:?} of {sent:?}");
        // Each letter takes 65 ms, and the spaces between sentences take none.
        assert!(sent >= Duration::from_millis(65 * (GOODBYE.len() as u64 - 3)), "{mouth}: {sent:?}");
        assert_eq!(talk.ended().await.reason, EndReason::AgentHungUp, "{mouth}");
        talk.studio.is_clean().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_presses_keys_behind_its_words() {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let words = Duration::from_millis(900);
    let menu = Reply::say_for("I choose that.", words).and_call("send_dtmf", r#"{"digits":"1,2"}"#, "call_1");
    provider.behave("sk", Behaviour::default().replies([menu, Reply::say_for("Done.", words)]));
    let house = House::with(&[("OPENAI_BASE_URL", &provider.base_url())]).await;
    let mut claims = openai("sk");
    claims["tools"] = json!([{ "kind": "send_dtmf" }]);
    let phone = house.call(claims).await;
    phone.say(speech(Duration::from_millis(1_200), 5));
    let leg = provider.connection("sk", LIMIT).await.unwrap();
    leg.until(|ledger| ledger.responses_done() == 2, LIMIT).await.unwrap();
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    // Two keys of 200 ms and a pause of half a second.
    let played = phone.look(|phone| phone.played);
    assert!(is_whole(played, 2 * words + Duration::from_millis(900)), "{played:?}");
    let told = leg.look(|ledger| {
        let mut created = ledger.events_of("conversation.item.create").map(|event| event["item"].clone());
        created.find(|item| item["type"] == "function_call_output")
    });
    assert_eq!(told.map(|item| item["output"].clone()), Some(json!(r#"{"status":"sent"}"#)));
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    assert_eq!(provider.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cascade_presses_keys_behind_its_words() {
    join_all(MOUTHS.map(|mouth| async move {
        let pair = Pair { ear: "flux-general-en", mouth };
        let call = chat::ToolCall::new("call_1", "send_dtmf", r#"{"digits":"1,2"}"#);
        let thinks = chat::Behaviour::default()
            .on("menu", chat::Answer::say("I choose that.").tool(call))
            .on_result("sent", chat::Answer::say("Done."));
        let mut script = Script::new(pair, ["Press one for the menu."], thinks);
        script.claims["tools"] = json!([{ "kind": "send_dtmf" }]);
        let talk = Talk::begin(pair, script).await;
        talk.turn(5).await;
        assert_eq!(talk.said(), ["I choose that.", "Done."], "{mouth}");
        let words: Duration = talk.utterances().iter().map(|one| one.sent).sum();
        let (played, sent) = (talk.phone.look(|phone| phone.played), words + Duration::from_millis(900));
        assert!(is_whole(played, sent), "{mouth}: {played:?} of {sent:?}");
        let told = talk.told(1).await;
        assert!(told.last().unwrap().contains(r#"{"status":"sent"}"#), "{mouth}: {told:?}");
        talk.end().await;
    }))
    .await;
}

fn transfer(app: &App) -> (Value, Value) {
    let tools = json!([{ "kind": "transfer", "targets": { "sales": "+15550100" } }]);
    (tools, json!({ "url": app.url("/report") }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_handed_to_a_person_when_the_announcement_was_heard_and_the_main_app_agrees() {
    let app = App::start().await.unwrap();
    app.answer("/report", app::Answer::json(&json!({})));
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let length = Duration::from_millis(1_800);
    let says = Reply::say_for("One moment, I connect you with sales.", length);
    let says = says.and_call("transfer", "{\"target\":\"sales\"}", "call_1");
    provider.behave("sk", Behaviour::default().replies([says]));
    let url = provider.base_url();
    let house = House::with(&[("OPENAI_BASE_URL", &url), ("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let mut news = house.listen();
    let mut claims = openai("sk");
    (claims["tools"], claims["report"]) = transfer(&app);
    claims["context"] = json!({ "shop": 3 });
    let phone = house.call(claims).await;
    phone.say(speech(Duration::from_millis(1_200), 5));
    let action = app.post("/report", 0, |_| true, LIMIT).await.unwrap();
    let played = phone.look(|phone| phone.played);
    assert!(is_whole(played, length), "every sample was played before: {played:?} of {length:?}");
    assert_eq!(phone.ended(LIMIT).await.unwrap(), closed());
    let body = action.json();
    assert_eq!((&body["type"], &body["data"]["action"]), (&json!("call.action"), &json!("transfer")));
    assert_eq!((&body["data"]["target"], &body["data"]["number"]), (&json!("sales"), &json!("+15550100")));
    assert_eq!(body["data"]["context"], json!({ "shop": 3 }));
    assert_eq!(news.ended().await.reason, EndReason::Transferred);
    let ended = app.post("/report", 1, |_| true, LIMIT).await.unwrap();
    assert_eq!(ended.json()["data"]["reason"], "transferred");
    assert_eq!(provider.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cascades_caller_is_handed_to_a_person_by_the_main_app_as_well() {
    join_all(MOUTHS.map(|mouth| async move {
        let app = App::start().await.unwrap();
        app.answer("/report", app::Answer::json(&json!({})));
        let pair = Pair { ear: "flux-general-en", mouth };
        let call = chat::ToolCall::new("call_1", "transfer", r#"{"target":"sales"}"#);
        let says = chat::Answer::say("One moment, I connect you with sales.").tool(call);
        let mut script = Script::new(pair, ["Sales, please."], chat::Behaviour::default().on("sales", says));
        (script.claims["tools"], script.claims["report"]) = transfer(&app);
        let mut talk = Talk::begin(pair, script).await;
        talk.phone.say(speech(Duration::from_millis(900), 5));
        let action = app.post("/report", 0, |_| true, LIMIT).await.unwrap();
        let sent: Duration = talk.utterances().iter().map(|one| one.sent).sum();
        let played = talk.phone.look(|phone| phone.played);
        assert!(is_whole(played, sent), "{mouth}: every sample was played before: {played:?} of {sent:?}");
        assert_eq!(action.json()["data"]["number"], "+15550100", "{mouth}");
        assert_eq!(talk.phone.ended(LIMIT).await.unwrap(), closed());
        assert_eq!(talk.ended().await.reason, EndReason::Transferred, "{mouth}");
        talk.studio.is_clean().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_cannot_be_is_told_to_the_model_and_the_call_goes_on() {
    // Nobody there of that name; and a main app that says no.
    for (target, status, hears) in
        [("boss", 200, "There is no such target"), ("sales", 503, "could not be arranged")]
    {
        let app = App::start().await.unwrap();
        app.answer("/report", app::Answer::status(status, "{}"));
        let pair = Pair { ear: "flux-general-en", mouth: "aura-2-thalia-en" };
        let arguments = json!({ "target": target }).to_string();
        let calls =
            chat::Answer::say("I connect you.").tool(chat::ToolCall::new("call_1", "transfer", &arguments));
        let thinks = chat::Behaviour::default()
            .on("person", calls)
            .on_result("transfer", chat::Answer::say("I am sorry, nobody is there."));
        let mut script = Script::new(pair, ["A person, please."], thinks);
        (script.claims["tools"], script.claims["report"]) = transfer(&app);
        let talk = Talk::begin(pair, script).await;
        talk.say(5).await;
        let second = talk.studio.chat.request("k", 1, LIMIT).await.unwrap();
        let (role, text) = second.messages().pop().unwrap();
        assert!(role == "tool" && text.contains(hears), "{role}: {text}");
        talk.finished().await;
        assert_eq!(talk.said().join(" "), "I connect you. I am sorry, nobody is there.");
        talk.phone.hang_up();
        talk.phone.ended(LIMIT).await.unwrap();
        talk.studio.is_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_is_silent_is_asked_and_then_let_go() {
    let pair = Pair { ear: "scribe_v2_realtime", mouth: "aura-2-thalia-en" };
    let mut script = Script::new(pair, ["Hello?"], chat::Behaviour::default());
    let idle = json!({ "after_seconds": 2, "say": ["Are you still there?"], "then": "hang_up" });
    script.claims["call"] = json!({ "idle": idle });
    let mut talk = Talk::begin(pair, script).await;
    assert_eq!(talk.phone.ended(LIMIT).await.unwrap(), closed());
    assert_eq!(talk.said(), ["Are you still there?"]);
    assert_eq!(talk.ended().await.reason, EndReason::Idle);
    talk.studio.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_reach_openai_as_words_and_are_answered() {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    provider.behave("sk", Behaviour::default().replies([Reply::say("Thank you, one moment.")]));
    let house = House::with(&[("OPENAI_BASE_URL", &provider.base_url())]).await;
    let phone = house.call(openai("sk")).await;
    let leg = provider.connection("sk", LIMIT).await.unwrap();
    leg.until(|ledger| ledger.appends > 10, LIMIT).await.unwrap();
    "42#".chars().for_each(|key| phone.press(key));
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    let told = leg.look(|ledger| {
        let mut created = ledger.events_of("conversation.item.create");
        created.next().map(|event| event["item"]["content"][0]["text"].clone())
    });
    assert_eq!(told, Some(json!("(The caller pressed 42# on the phone's keypad.)")));
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    assert_eq!(provider.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_reach_a_cascade_as_words_and_are_answered() {
    let pair = Pair { ear: "nova-3", mouth: "elevenlabs" };
    let thinks = chat::Behaviour::default().on("pressed 42#", chat::Answer::say("Thank you, one moment."));
    let talk = Talk::begin(pair, Script::new(pair, ["Hello?"], thinks)).await;
    talk.voice_is_open().await;
    talk.turn(5).await;
    "42#".chars().for_each(|key| talk.phone.press(key));
    talk.finished().await;
    assert_eq!(talk.said().last().map(String::as_str), Some("Thank you, one moment."));
    talk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_closes_without_a_stop_hears_goodbye_as_well() {
    let house = House::open().await;
    let phone = house.call(json!({ "agent": {}, "legs": [{ "kind": "echo" }] })).await;
    phone.until(|phone| phone.frames_sent > 10, LIMIT).await.unwrap();
    phone.close();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    house.idle().await;
}
