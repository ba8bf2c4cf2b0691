//! Who is moved, and who is hung up on: after the last word, and in every order in which stream and answer may come.

use std::time::Duration;

use call::EndReason;
use futures_util::future::join_all;
use serde_json::json;
use sim::{
    app::{self, App},
    chat,
    phone::PhoneEnd,
    twilio::{Asked, Trouble, Wish},
    voice::speech,
};

use super::desk::{ANNOUNCED, Desk, is_closed, key, prepare, sales, transfer};
use crate::{
    cascade::{MOUTHS, Pair, Script, Talk},
    house::LIMIT,
};

#[tokio::test(flavor = "multi_thread")]
async fn twilio_moves_the_caller_when_the_announcement_was_heard() {
    let app = App::start().await.unwrap();
    app.answer("/report", app::Answer::json(&json!({})));
    let mut desk = Desk::with_transfer(json!({ "report": { "url": app.url("/report") } })).await;
    let asked = desk.twilio.request(0, LIMIT).await.unwrap();
    assert_eq!((asked.wish, asked.status), (sales(), 200));
    assert_eq!((asked.played, asked.unplayed), (ANNOUNCED, Duration::ZERO), "every sample was played before");
    let end = desk.phone.ended(LIMIT).await.unwrap();
    assert!(is_closed(&end), "{end:?}");
    assert_eq!(desk.news.ended().await.reason, EndReason::Transferred);
    let report = app.post("/report", 0, |_| true, LIMIT).await.unwrap().json();
    assert_eq!((&report["type"], &report["data"]["reason"]), (&json!("call.ended"), &json!("transferred")));
    desk.is_clean().await;
    assert_eq!(desk.twilio.asked().len(), 1);
    desk.house.relay.drain(std::future::pending()).await;
    assert_eq!(app.posts("/report").len(), 1, "and nobody is asked to dial");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_before_twilio_answers_is_a_transfer_all_the_same() {
    let mut desk = Desk::with_transfer(json!({})).await;
    desk.twilio.trouble([Trouble::Late(Duration::from_millis(700))]);
    assert_eq!(desk.phone.ended(LIMIT).await.unwrap(), PhoneEnd::EndedByCarrier { answered: true });
    assert_eq!(desk.news.ended().await.reason, EndReason::Transferred);
    desk.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cascade_hands_over_as_well_and_with_an_address_full_of_signs() {
    join_all(MOUTHS.map(|mouth| async move {
        let pair = Pair { ear: "flux-general-en", mouth };
        let arguments = json!({ "target": "help" }).to_string();
        let words = "I connect you with Mister O'Neil.";
        let calls = chat::Answer::say(words).tool(chat::ToolCall::new("call_1", "transfer", &arguments));
        let thinks = chat::Behaviour::default().on("person", calls);
        let mut script = Script::new(pair, ["A person, please."], thinks);
        script.claims["tools"] = transfer();
        script.claims["keys"]["twilio"] = key();
        let mut talk = Talk::begin(pair, script).await;
        prepare(&talk.studio.twilio);
        talk.phone.say(speech(Duration::from_millis(900), 5));
        let Asked { wish, played, unplayed, .. } = talk.studio.twilio.request(0, LIMIT).await.unwrap();
        assert_eq!(wish, Some(Wish::Dial("Sip".into(), "sip:o'neil@example.com".into())), "{mouth}");
        let sent: Duration = talk.utterances().iter().map(|one| one.sent).sum();
        assert_eq!((played, unplayed), (sent, Duration::ZERO), "{mouth}");
        // Each letter takes 65 ms.
        assert!(sent >= Duration::from_millis(65 * words.len() as u64), "{mouth}: {sent:?}");
        let end = talk.phone.ended(LIMIT).await.unwrap();
        assert!(is_closed(&end), "{mouth}: {end:?}");
        assert_eq!(talk.ended().await.reason, EndReason::Transferred, "{mouth}");
        talk.studio.is_clean().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_while_twilio_is_asked_has_hung_up() {
    // Once Twilio says that there is no such call any more, once it says nothing.
    for trouble in [Trouble::Status(429), Trouble::Silent] {
        let mut desk = Desk::with_transfer(json!({})).await;
        desk.twilio.trouble([trouble]);
        desk.twilio.request(0, LIMIT).await.unwrap();
        desk.phone.hang_up();
        assert_eq!(desk.phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
        assert_eq!(desk.news.ended().await.reason, EndReason::CallerHungUp, "{trouble:?}");
        assert!(desk.twilio.asked().iter().all(|asked| asked.status != 200), "{trouble:?}");
        desk.is_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_hangs_up_ends_the_line_and_not_only_the_stream() {
    let mut desk = Desk::open("hang_up", &json!({}), json!({ "tools": [{ "kind": "hang_up" }] })).await;
    let asked = desk.twilio.request(0, LIMIT).await.unwrap();
    assert_eq!((asked.wish, asked.status), (Some(Wish::Complete), 200));
    assert_eq!((asked.played, asked.unplayed), (ANNOUNCED, Duration::ZERO), "every sample was played before");
    assert_eq!(desk.phone.ended(LIMIT).await.unwrap(), PhoneEnd::EndedByCarrier { answered: true });
    assert_eq!(desk.news.ended().await.reason, EndReason::AgentHungUp);
    desk.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cascade_that_hangs_up_ends_the_line_as_well() {
    let pair = Pair { ear: "flux-general-en", mouth: "aura-2-thalia-en" };
    let words = "You are welcome, goodbye.";
    let bye = chat::Answer::say(words).tool(chat::ToolCall::new("call_1", "hang_up", "{}"));
    let mut script = Script::new(pair, ["Thanks."], chat::Behaviour::default().on("thanks", bye));
    script.claims["tools"] = json!([{ "kind": "hang_up" }]);
    script.claims["keys"]["twilio"] = key();
    let mut talk = Talk::begin(pair, script).await;
    prepare(&talk.studio.twilio);
    talk.phone.say(speech(Duration::from_millis(900), 5));
    let asked = talk.studio.twilio.request(0, LIMIT).await.unwrap();
    let sent: Duration = talk.utterances().iter().map(|one| one.sent).sum();
    assert_eq!((asked.wish, asked.status), (Some(Wish::Complete), 200));
    assert_eq!((asked.played, asked.unplayed), (sent, Duration::ZERO));
    assert_eq!(talk.phone.ended(LIMIT).await.unwrap(), PhoneEnd::EndedByCarrier { answered: true });
    assert_eq!(talk.ended().await.reason, EndReason::AgentHungUp);
    talk.studio.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_cannot_end_the_line_closes_the_stream() {
    for trouble in [Trouble::Cut, Trouble::Silent] {
        let mut desk = Desk::open("hang_up", &json!({}), json!({ "tools": [{ "kind": "hang_up" }] })).await;
        desk.twilio.trouble([trouble]);
        let closed = PhoneEnd::Closed { code: Some(1000), reason: "call over".into() };
        assert_eq!(desk.phone.ended(LIMIT).await.unwrap(), closed, "{trouble:?}");
        assert_eq!(desk.news.ended().await.reason, EndReason::AgentHungUp, "{trouble:?}");
        desk.is_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_by_himself_is_not_hung_up_on() {
    let mut desk = Desk::open("hang_up", &json!({}), json!({ "tools": [{ "kind": "hang_up" }] })).await;
    desk.phone.until(|phone| phone.playing, LIMIT).await.unwrap();
    desk.phone.hang_up();
    assert_eq!(desk.news.ended().await.reason, EndReason::CallerHungUp);
    desk.is_clean().await;
    assert_eq!(desk.twilio.asked(), []);
}
