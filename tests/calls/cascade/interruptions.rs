//! Turns that cross: interruptions, pauses that are no ends, answers that were thought ahead.

use std::time::Duration;

use call::{EndReason, Speaker};
use serde_json::json;
use sim::{
    chat::{self, Ledger},
    deepgram,
    voice::speech,
};

use super::studio::{EARS, Studio, cascade, hang_up, say};
use crate::house::LIMIT;

const LONG: &str = "We open at eight on weekdays, at nine on Saturdays, and on Sundays we are closed all day. \
                    The rye bread comes out of the oven at ten, if you want it warm.";

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_talks_over_the_agent_is_answered_and_what_was_not_heard_was_not_said() {
    let studio = Studio::open().await;
    for ear in EARS {
        let mut news = studio.house.listen();
        let hears = deepgram::Behaviour::default().hears(["When do you open?", "Thanks, that will do."]);
        let thinks = chat::Behaviour::default().replies([LONG, "See you soon!"]);
        let phone = studio.call(ear, hears, thinks, cascade(ear, ear)).await;
        say(&phone, 4, 5).await;
        phone
            .until(|phone| phone.playing && phone.played >= Duration::from_millis(2_000), LIMIT)
            .await
            .unwrap();
        say(&phone, 4, 6).await;
        let cleared = phone.when(|phone| phone.clears.first().cloned(), LIMIT).await.unwrap();
        phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
        hang_up(&phone).await;
        let summary = news.ended().await;
        assert_eq!(summary.tally.barge_ins, 1, "{ear}");
        let cut = &summary.transcript[1];
        let heard = cut.heard.as_deref().expect("it was cut");
        assert!(
            LONG.starts_with(heard) && heard.len() > 10 && heard.len() < 90,
            "{ear}: {heard:?} of {cleared:?}"
        );
        let told = studio.chat.request(ear, 1, LIMIT).await.unwrap().messages();
        assert_eq!(told[2], ("assistant".to_owned(), heard.to_owned()), "{ear}");
        assert_eq!(told[3].1, "Thanks, that will do.");
        assert_eq!(summary.transcript[3].said.trim(), "See you soon!");
    }
    studio.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_on_before_the_first_sound_gets_one_answer_to_all_of_it() {
    let studio = Studio::open().await;
    let hears = deepgram::Behaviour::default().hears(["I would like a loaf.", "Of rye, please."]);
    let slow = chat::Behaviour { first: Duration::from_secs(2), ..chat::Behaviour::default() };
    let phone = studio
        .call("k", hears, slow.replies(["Which one?", "Rye it is."]), cascade("k", "flux-general-en"))
        .await;
    say(&phone, 4, 5).await;
    studio.chat.request("k", 0, LIMIT).await.unwrap();
    say(&phone, 4, 6).await;
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    let requests = studio.chat.requests("k");
    assert_eq!(requests[0].look(Ledger::cancelled_after), Some(0));
    let told: Vec<String> = requests[1].messages().into_iter().map(|(_, text)| text).collect();
    assert_eq!(told[1..], ["I would like a loaf.", "Of rye, please."]);
    hang_up(&phone).await;
    studio.is_clean().await;
}

fn eager(key: &str) -> serde_json::Value {
    let mut claims = cascade(key, "flux-general-en");
    claims["legs"][0]["stt"]["eager_eot_threshold"] = json!(0.4);
    claims
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_thought_ahead_is_spoken_when_the_turn_is_over() {
    let studio = Studio::open().await;
    let mut hears = deepgram::Behaviour::default().hears(["When do you open?"]);
    hears.listen.silence = Duration::from_millis(600);
    let phone = studio.call("k", hears, chat::Behaviour::default().replies(["At eight."]), eager("k")).await;
    say(&phone, 4, 5).await;
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    let requests = studio.chat.requests("k");
    assert_eq!(requests.len(), 1, "asked once, and that was enough");
    let ear = studio.deepgram.listener("k", 0, LIMIT).await.unwrap();
    assert_eq!(ear.look(|ledger| (ledger.guesses, ledger.resumed)), (1, 0));
    hang_up(&phone).await;
    studio.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_thought_about_half_a_turn_leaves_no_trace() {
    let studio = Studio::open().await;
    let mut news = studio.house.listen();
    let mut hears = deepgram::Behaviour::default().hears(["When do you open | on Sunday?"]);
    hears.listen.silence = Duration::from_millis(700);
    let thinks = chat::Behaviour {
        answers: vec![
            ("on sunday".into(), chat::Answer::say("On Sunday we are closed.")),
            ("open".into(), chat::Answer::say("We open at eight every day.")),
        ],
        token: Duration::from_millis(50),
        ..chat::Behaviour::default()
    };
    let phone = studio.call("k", hears, thinks, eager("k")).await;
    phone.say(speech(Duration::from_millis(900), 5));
    phone.say(vec![0xff; 300 * 8]);
    phone.say(speech(Duration::from_millis(600), 6));
    phone.said(LIMIT).await.unwrap();
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    hang_up(&phone).await;
    let ear = studio.deepgram.listener("k", 0, LIMIT).await.unwrap();
    assert_eq!(ear.look(|ledger| (ledger.guesses, ledger.resumed)), (2, 1));
    let requests = studio.chat.requests("k");
    assert_eq!(requests.len(), 2);
    assert!(requests[0].look(Ledger::cancelled_after).is_some());
    let mouth = studio.deepgram.speaker("k", 0, LIMIT).await.unwrap();
    assert!(mouth.look(|ledger| ledger.utterances.iter().all(|one| !one.text.contains("eight"))));
    let said: Vec<_> =
        news.ended().await.transcript.into_iter().map(|line| (line.speaker, line.said)).collect();
    assert_eq!(
        said,
        [
            (Speaker::Caller, "When do you open on Sunday?".to_owned()),
            (Speaker::Agent, "On Sunday we are closed.".to_owned())
        ]
    );
    studio.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_in_mid_reply_leaves_nothing_open() {
    let studio = Studio::open().await;
    let mut news = studio.house.listen();
    let thinks = chat::Behaviour { token: Duration::from_millis(100), ..chat::Behaviour::default() };
    let phone = studio
        .call("k", deepgram::Behaviour::default(), thinks.replies([LONG]), cascade("k", "nova-3"))
        .await;
    say(&phone, 4, 5).await;
    phone.until(|phone| phone.playing, LIMIT).await.unwrap();
    hang_up(&phone).await;
    assert_eq!(news.ended().await.reason, EndReason::CallerHungUp);
    let request = studio.chat.request("k", 0, LIMIT).await.unwrap();
    request.until(|ledger| ledger.cancelled_after().is_some(), LIMIT).await.unwrap();
    studio.house.idle().await;
    studio.is_clean().await;
}
