//! Providers of a cascade that fail: the call gets over it, or ends with a name.

use std::time::Duration;

use call::{EndReason, FailureKind};
use futures_util::future::join_all;
use serde_json::json;
use sim::{
    chat::{self, ErrorForm, Fault},
    deepgram::{self, ListenWhen, SpeakWhen, Trouble},
    elevenlabs,
    phone::PhoneEnd,
};

use super::studio::{Studio, cascade, hang_up, say, with_elevenlabs};
use crate::house::LIMIT;

fn status(status: u16, body: &str) -> Fault {
    Fault::Status(status, Vec::new(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_before_its_first_word_is_asked_again() {
    let studio = Studio::open().await;
    let error = |form| Fault::after(0, form);
    let faults = [
        ("busy", status(503, "busy")),
        (
            "rate",
            Fault::Status(
                429,
                vec![("retry-after".into(), "0.5".into())],
                r#"{"error":{"code":"rate_limit_exceeded"}}"#.into(),
            ),
        ),
        ("top", error(ErrorForm::TopLevel)),
        ("event", error(ErrorForm::EventError)),
        ("groq", error(ErrorForm::XGroq)),
        ("eof", error(ErrorForm::Eof)),
        ("cut", error(ErrorForm::Cut)),
        ("stall", Fault::Stall { after_tokens: 0 }),
    ];
    let calls = faults.map(|(key, fault)| {
        let studio = &studio;
        async move {
            let mut thinks = chat::Behaviour::default().faults([fault]);
            thinks.fallback = chat::Answer::say("We open at eight.");
            let hears = deepgram::Behaviour::default();
            let phone = studio.call(key, hears, thinks, cascade(key, "flux-general-en")).await;
            say(&phone, 4, 5).await;
            phone
                .agent_finished(Duration::from_millis(200), LIMIT)
                .await
                .unwrap_or_else(|e| panic!("{key}: {e}"));
            let mouth = studio.deepgram.speaker(key, 0, LIMIT).await.unwrap();
            let said =
                mouth.look(|ledger| ledger.utterances.iter().map(|one| one.text.clone()).collect::<Vec<_>>());
            assert_eq!(said, ["We open at eight."], "{key}");
            hang_up(&phone).await;
        }
    });
    join_all(calls).await;
    studio.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_in_mid_sentence_has_said_what_it_said() {
    const ALL: &str = "We open at eight every day, and close at six.";
    let studio = Studio::open().await;
    for form in [ErrorForm::TopLevel, ErrorForm::Eof, ErrorForm::Cut] {
        let key = format!("{form:?}");
        let answer = chat::Answer { fault: Some(Fault::after(8, form)), ..chat::Answer::say(ALL) };
        let thinks = chat::Behaviour {
            replies: vec![answer, chat::Answer::say("Yes.")],
            ..chat::Behaviour::default()
        };
        let phone =
            studio.call(&key, deepgram::Behaviour::default(), thinks, cascade(&key, "flux-general-en")).await;
        say(&phone, 4, 5).await;
        phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
        say(&phone, 4, 6).await;
        phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
        let told = studio.chat.request(&key, 1, LIMIT).await.unwrap().messages();
        let sent = studio.chat.request(&key, 0, LIMIT).await.unwrap().look(|ledger| ledger.sent.clone());
        assert!(sent.len() > "We open at".len() && sent.len() < ALL.len(), "{form:?}: {sent}");
        assert_eq!(told[2].1, sent.trim(), "{form:?}");
        hang_up(&phone).await;
    }
    studio.is_clean().await;
}

/// Fails as `name` says, soon, with its provider and kind in the books.
async fn fails(
    studio: &Studio,
    key: &str,
    hears: deepgram::Behaviour,
    thinks: chat::Behaviour,
    kind: FailureKind,
    provider: &str,
) {
    let mut news = studio.house.listen();
    let phone = studio.call(key, hears, thinks, cascade(key, "flux-general-en")).await;
    phone.say(sim::voice::speech(Duration::from_millis(900), 5));
    let summary = news.ended().await;
    let EndReason::LegFailed(failure) = &summary.reason else { panic!("{key}: {:?}", summary.reason) };
    assert_eq!((failure.provider, failure.kind), (provider, kind), "{key}: {failure}");
    assert_eq!(
        phone.ended(LIMIT).await.unwrap(),
        PhoneEnd::Closed { code: Some(1011), reason: "leg failed".into() }
    );
    assert!(!failure.to_string().contains(key), "{failure}");
    if matches!(kind, FailureKind::BadKey | FailureKind::Refused) {
        // Ear and voice have the same key here, and either may be the first to be refused.
        let part = ["`stt` of the leg: ", "`tts` of the leg: "];
        assert!(
            part.iter().any(|part| failure.detail.starts_with(part)),
            "the cure is in the token: {failure}"
        );
    }
    let counted = format!(r#"patchcord_leg_errors_total{{provider="{provider}",kind="{}"}}"#, kind.name());
    assert!(studio.house.number(&counted) >= 1, "{counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_models_and_voices_that_are_no_good_end_the_call_by_name() {
    let studio = Studio::open().await;
    let (hears, thinks) = (deepgram::Behaviour::default, chat::Behaviour::default);
    let refuse =
        |status, body: &str| deepgram::Behaviour { refuse: Some((status, body.to_owned())), ..hears() };
    let bad_key = refuse(401, r#"{"err_code":"INVALID_AUTH","err_msg":"Invalid credentials."}"#);
    fails(&studio, "k-bad", bad_key, thinks(), FailureKind::BadKey, "deepgram").await;
    let no_model = refuse(403, r#"{"err_code":"INSUFFICIENT_PERMISSIONS","err_msg":"no such model"}"#);
    fails(&studio, "k-model", no_model, thinks(), FailureKind::Refused, "deepgram").await;
    fails(&studio, "k-credit", refuse(402, "{}"), thinks(), FailureKind::Quota, "deepgram").await;
    fails(&studio, "k-limit", refuse(429, "{}"), thinks(), FailureKind::RateLimited, "deepgram").await;
    let quota = status(429, r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#);
    fails(&studio, "k-quota", hears(), thinks().faults([quota]), FailureKind::Quota, "groq").await;
    let wait = Fault::Status(
        429,
        vec![("retry-after".into(), "900".into())],
        r#"{"error":{"code":"rate_limit_exceeded"}}"#.into(),
    );
    fails(&studio, "k-a-day", hears(), thinks().faults([wait]), FailureKind::RateLimited, "groq").await;
    let stalls = std::iter::repeat_n(status(500, "oh"), 20);
    fails(&studio, "k-always", hears(), thinks().faults(stalls), FailureKind::Provider, "groq").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whom_nobody_can_answer_hears_why_to_the_last_word() {
    let studio = Studio::open().await;
    let mut news = studio.house.listen();
    let quota = status(429, r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#);
    let mut claims = cascade("k-sorry", "flux-general-en");
    claims["call"] = json!({ "error_message": "Sorry, something went wrong. Please call again." });
    let (hears, thinks) = (deepgram::Behaviour::default(), chat::Behaviour::default().faults([quota]));
    let phone = studio.call("k-sorry", hears, thinks, claims).await;
    phone.say(sim::voice::speech(Duration::from_millis(900), 5));
    let summary = news.ended().await;
    assert!(matches!(&summary.reason, EndReason::LegFailed(failure) if failure.kind == FailureKind::Quota));
    phone.ended(LIMIT).await.unwrap();
    // Each letter takes 65 ms.
    let (played, letters) = (phone.look(|phone| phone.played).as_millis() as usize / 65, 47);
    assert!(played.abs_diff(letters) <= 1, "{played} letters were played");
    assert_eq!(summary.transcript.last().unwrap().heard, None, "all of it");
    studio.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_does_not_exist_is_found_out_before_the_caller_asks() {
    let studio = Studio::open().await;
    let mut news = studio.house.listen();
    let mut claims = cascade("k", "flux-general-en");
    claims["legs"][0]["llm"]["model"] = "llama-3.3-70b-versatile".into();
    let phone = studio.house.call(claims).await;
    let summary = news.ended().await;
    let EndReason::LegFailed(failure) = &summary.reason else { panic!("{:?}", summary.reason) };
    assert_eq!((failure.provider, failure.kind), ("groq", FailureKind::Refused));
    assert!(failure.detail.contains("llama-3.3-70b-versatile"), "{failure}");
    assert!(matches!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::Closed { code: Some(1011), .. }));
    assert_eq!(studio.chat.requests("k").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ear_that_breaks_or_goes_silent_in_mid_turn_is_opened_anew_and_the_turn_is_answered() {
    let studio = Studio::open().await;
    let started = ListenWhen::TurnStarted(1);
    let cases = [
        ("cut", Trouble::Cut),
        ("close", Trouble::Close(1011, "NET-0000".into())),
        (
            "error",
            Trouble::SendText(r#"{"type":"Error","code":"INTERNAL_SERVER_ERROR","description":"oh"}"#.into()),
        ),
        ("stall", Trouble::Stall),
    ];
    let calls = cases.map(|(key, trouble)| {
        let studio = &studio;
        async move {
            let hears = deepgram::Behaviour::default()
                .hears(["When do you open?"])
                .listening_trouble(started, trouble);
            let phone =
                studio.call(key, hears, chat::Behaviour::default(), cascade(key, "flux-general-en")).await;
            phone.say(sim::voice::speech(Duration::from_secs(3), 5));
            // Each new ear has the same trouble in its first turn: from now on there is none.
            studio.deepgram.listener(key, 0, LIMIT).await.unwrap();
            studio.deepgram.behave(key, deepgram::Behaviour::default().hears(["When do you open?"]));
            phone
                .agent_finished(Duration::from_millis(200), LIMIT)
                .await
                .unwrap_or_else(|e| panic!("{key}: {e}"));
            assert_eq!(
                studio.deepgram.listeners().iter().filter(|part| part.key_is(key)).count(),
                2,
                "{key}"
            );
            let told = studio.chat.request(key, 0, LIMIT).await.unwrap().messages();
            assert!(told[1].1.contains("When do you open?"), "{key}: {told:?}");
            hang_up(&phone).await;
        }
    });
    join_all(calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_goes_silent_in_mid_sentence_is_replaced() {
    let studio = Studio::open().await;
    let hears = deepgram::Behaviour::default()
        .speaking_trouble(SpeakWhen::SoundSent(Duration::from_millis(1_000)), Trouble::Stall);
    let phone = studio.call("k", hears, chat::Behaviour::default(), cascade("k", "flux-general-en")).await;
    studio.deepgram.speaker("k", 0, LIMIT).await.unwrap();
    studio.deepgram.behave("k", deepgram::Behaviour::default());
    say(&phone, 4, 5).await;
    let second = studio.deepgram.speaker("k", 1, LIMIT).await.unwrap();
    second
        .until(|ledger| ledger.utterances.iter().any(|one| one.text.ends_with("you wrote.")), LIMIT)
        .await
        .unwrap();
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    hang_up(&phone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_at_elevenlabs_is_told_after_the_upgrade_and_named() {
    let studio = Studio::open().await;
    for (key, voice, kind) in [
        ("k-invalid", "v", FailureKind::BadKey),
        ("k-broke", "v", FailureKind::Quota),
        ("k", "nobody", FailureKind::Refused),
    ] {
        let error = (key == "k-broke").then(|| ("quota_exceeded".to_owned(), "no credits".to_owned()));
        studio.elevenlabs.behave(key, elevenlabs::Behaviour { error, ..elevenlabs::Behaviour::default() });
        let mut news = studio.house.listen();
        let mut claims = with_elevenlabs(cascade("k-good", "flux-general-en"));
        claims["keys"]["elevenlabs"] = key.into();
        claims["legs"][0]["tts"]["voice"] = voice.into();
        let phone = studio.house.call(claims).await;
        let summary = news.ended().await;
        let EndReason::LegFailed(failure) = &summary.reason else { panic!("{key}: {:?}", summary.reason) };
        assert_eq!((failure.provider, failure.kind), ("elevenlabs", kind), "{key}: {failure}");
        assert!(matches!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::Closed { code: Some(1011), .. }));
    }
}
