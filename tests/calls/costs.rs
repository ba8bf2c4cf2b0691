//! What the main app hears of use and cost, against what the pretend providers say that they were used for.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sim::{
    app::{Answer, App},
    chat::{self, Chat},
    deepgram::Deepgram,
    elevenlabs::ElevenLabs,
    openai::{Behaviour, Connection, Faults, OpenAi, OpenAiOptions, Reply, What, When},
    phone::Phone,
    voice::speech,
};

use crate::{
    cascade::{Pair, Script, Studio, Talk},
    house::{House, LIMIT, openai},
};

/// A main app that takes reports.
async fn app() -> App {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::json(&json!({})));
    app
}

async fn report(app: &App, before: usize) -> Value {
    app.post("/report", before, |_| true, LIMIT).await.unwrap().json()["data"].clone()
}

/// The report's entry of this model, without its name.
fn used(data: &Value, model: &str) -> Value {
    let all = data["usage"].as_array().unwrap();
    let mut found: Vec<Value> = all.iter().filter(|used| used["model"] == model).cloned().collect();
    assert!(found.len() <= 1, "{model} stands there twice: {}", data["usage"]);
    let mut used = found.pop().unwrap_or(json!({}));
    used.as_object_mut().unwrap().retain(|name, _| !["provider", "model"].contains(&name.as_str()));
    used
}

/// Without what is nothing, as reports have it.
fn counted<const N: usize>(counts: [(&str, u64); N]) -> Value {
    counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| (name.to_owned(), json!(count)))
        .collect()
}

/// The sum of a field over all that the provider said.
fn sum(usages: &[Value], path: &str) -> u64 {
    usages.iter().filter_map(|usage| usage.pointer(path)?.as_u64()).sum()
}

/// What the pretend OpenAI said of responses and of transcriptions.
fn by_openai(leg: &Connection) -> (Value, Value) {
    let all = leg.look(|ledger| ledger.usages.clone());
    // Begun, and never said to be over.
    let untold = leg.look(|ledger| ledger.responses.iter().filter(|one| one.status.is_none()).count());
    let (words, talk): (Vec<Value>, Vec<Value>) =
        all.into_iter().partition(|usage| usage["type"] == "tokens");
    let (read, made) = ("/input_token_details", "/output_token_details");
    let kept = "/input_token_details/cached_tokens_details";
    let talk = counted([
        ("text_tokens_in", sum(&talk, &format!("{read}/text_tokens"))),
        ("text_tokens_cached", sum(&talk, &format!("{kept}/text_tokens"))),
        ("audio_tokens_in", sum(&talk, &format!("{read}/audio_tokens"))),
        ("audio_tokens_cached", sum(&talk, &format!("{kept}/audio_tokens"))),
        ("text_tokens_out", sum(&talk, &format!("{made}/text_tokens"))),
        ("audio_tokens_out", sum(&talk, &format!("{made}/audio_tokens"))),
        ("untold_answers", untold as u64),
    ]);
    let words = counted([
        ("audio_tokens_in", sum(&words, "/input_token_details/audio_tokens")),
        ("text_tokens_out", sum(&words, "/output_tokens")),
    ]);
    (talk, words)
}

/// What the pretend model said of its answers.
fn by_chat(chat: &Chat, key: &str) -> Value {
    let all: Vec<Option<Value>> =
        chat.requests(key).iter().map(|request| request.look(|ledger| ledger.usage.clone())).collect();
    let told: Vec<Value> = all.iter().flatten().cloned().collect();
    counted([
        ("text_tokens_in", sum(&told, "/prompt_tokens")),
        ("text_tokens_cached", sum(&told, "/prompt_tokens_details/cached_tokens")),
        ("text_tokens_out", sum(&told, "/completion_tokens")),
        ("untold_answers", (all.len() - told.len()) as u64),
    ])
}

/// How much sound the ears were given, over all their connections.
fn by_ears(deepgram: &Deepgram, elevenlabs: &ElevenLabs) -> Duration {
    let theirs = deepgram.listeners().into_iter().map(|ear| ear.look(|ledger| ledger.heard));
    theirs.chain(elevenlabs.listeners().into_iter().map(|ear| ear.look(|ledger| ledger.heard))).sum()
}

fn by_voices(deepgram: &Deepgram, elevenlabs: &ElevenLabs) -> u64 {
    let theirs = deepgram.speakers().into_iter().map(|voice| voice.look(|ledger| ledger.characters));
    theirs.chain(elevenlabs.voices().into_iter().map(|voice| voice.look(|ledger| ledger.characters))).sum()
}

/// The last pieces for the ear, of 80 or 100 ms each, do not all go out any more.
fn is_about(seconds: &Value, heard: Duration) -> bool {
    seconds.as_f64().is_some_and(|seconds| (seconds - heard.as_secs_f64()).abs() <= 0.25)
}

/// The bill fits what was used, and nothing is missing in it.
fn is_billed(data: &Value, models: &[&str]) {
    let cost = &data["cost"];
    let lines = cost["lines"].as_array().unwrap();
    for model in models {
        assert!(lines.iter().any(|line| line["model"] == *model), "{model} is not in {cost}");
    }
    let nanos = |line: &Value| (line["usd"].as_f64().unwrap() * 1e9).round() as i64;
    let all: i64 = lines.iter().map(nanos).sum();
    // Each line is rounded for itself.
    assert!(all > 0 && (nanos(cost) - all).abs() <= lines.len() as i64, "{cost}");
    assert_eq!(cost["prices_of"], "2026-11-20");
}

async fn turn(phone: &Phone, seed: u64) {
    phone.say(speech(Duration::from_millis(1_200), seed));
    phone.said(LIMIT).await.unwrap();
    phone.agent_finished(Duration::from_millis(400), LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_has_the_tokens_that_openai_counted() {
    let (app, provider) = (app().await, OpenAi::start(OpenAiOptions::default()).await.unwrap());
    let answers = ["Hello, this is the bakery.", "We open at eight.", "You are welcome."].map(Reply::say);
    provider.behave("sk-1", Behaviour::default().replies(answers));
    let variables = [("OPENAI_BASE_URL", provider.base_url()), ("WEBHOOK_ALLOW_PRIVATE", "true".to_owned())];
    let house = House::with(&variables.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    let mut claims = openai("sk-1");
    claims["agent"]["greeting"] = "Hello, this is the bakery.".into();
    claims["report"] = json!({ "url": app.url("/report") });
    let phone = house.call(claims).await;
    phone.agent_finished(Duration::from_millis(400), LIMIT).await.unwrap();
    turn(&phone, 5).await;
    turn(&phone, 6).await;
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    let data = report(&app, 0).await;
    let leg = provider.connection("sk-1", LIMIT).await.unwrap();
    let (talk, words) = by_openai(&leg);
    assert!(
        talk["audio_tokens_cached"].as_u64() > Some(0) && words["text_tokens_out"].as_u64() > Some(0),
        "{talk} {words}"
    );
    assert_eq!((used(&data, "gpt-realtime-2.1-mini"), used(&data, "gpt-transcribe")), (talk, words));
    is_billed(&data, &["gpt-realtime-2.1-mini", "gpt-transcribe"]);
    assert_eq!(data["cost"]["unpriced"], json!([]));
    let counted =
        r#"patchcord_tokens_total{provider="openai",model="gpt-realtime-2.1-mini",kind="audio_out"}"#;
    assert_eq!(
        Some(house.number(counted)),
        used(&data, "gpt-realtime-2.1-mini")["audio_tokens_out"].as_u64()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_has_the_sound_tokens_and_letters_that_the_parts_counted() {
    let pairs = [
        ("flux-general-en", "aura-2-thalia-en", "aura-2-thalia-en"),
        ("nova-3", "flux-kit-en", "flux-kit-en"),
        ("scribe_v2_realtime", "elevenlabs", "eleven_flash_v2_5"),
    ];
    join_all(pairs.map(|(ear, mouth, voice)| async move {
        let (app, pair) = (app().await, Pair { ear, mouth });
        let thinks = chat::Behaviour::default()
            .replies(["We open at eight. The café on the corner opens at nine.", "You are welcome."]);
        let mut script = Script::new(pair, ["When do you open?", "Thanks."], thinks);
        script.claims["report"] = json!({ "url": app.url("/report") });
        let talk = Talk::begin(pair, script).await;
        talk.turn(5).await;
        talk.turn(6).await;
        let (_, Talk { studio: Studio { chat, deepgram, elevenlabs, .. }, .. }) =
            talk.end_after_trouble().await;
        let data = report(&app, 0).await;
        let (heard, seconds) = (by_ears(&deepgram, &elevenlabs), &used(&data, ear)["seconds"]);
        assert!(is_about(seconds, heard), "{pair:?}: {seconds}, {heard:?}");
        let thought = by_chat(&chat, "k");
        assert!(thought["text_tokens_cached"].as_u64() > Some(0), "{thought}");
        assert_eq!(used(&data, "openai/gpt-oss-20b"), thought, "{pair:?}");
        let characters = by_voices(&deepgram, &elevenlabs);
        assert!(characters > 70, "{pair:?}: {characters}");
        assert_eq!(used(&data, voice), json!({ "characters": characters }), "{pair:?}");
        is_billed(&data, &[ear, "openai/gpt-oss-20b"]);
        let missing = match voice {
            "flux-kit-en" => json!([{ "provider": "deepgram", "model": voice, "what": ["characters"] }]),
            _ => json!([]),
        };
        assert_eq!(data["cost"]["unpriced"], missing, "{pair:?}");
    }))
    .await;
}

/// The first leg says that it is gone, or it says nothing any more and the call gives it up.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_has_what_both_legs_used_when_one_took_over_from_the_other() {
    join_all([What::Cut, What::Stall].map(one_takes_over)).await;
}

async fn one_takes_over(death: What) {
    let (app, provider) = (app().await, OpenAi::start(OpenAiOptions::default()).await.unwrap());
    let greets = Reply::say_for("Hello, this is the bakery.", Duration::from_secs(1));
    let answers = Reply::say_for("We open at eight on weekdays, and at nine.", Duration::from_secs(4));
    let dies = Faults::default().at(When::AudioSent(Duration::from_millis(2_200)), death);
    provider.behave("k", Behaviour::default().replies([greets, answers]).faults(dies));
    let studio = Studio::open_with(&[("OPENAI_BASE_URL", &provider.base_url())]).await;
    let pair = Pair { ear: "flux-general-en", mouth: "aura-2-thalia-en" };
    let thinks = chat::Behaviour::default().replies(["And at nine on Sundays.", "You are welcome."]);
    studio.prepare(&Script::new(pair, ["Thanks.", "Goodbye."], chat::Behaviour::default()));
    studio.chat.behave("k", thinks);
    let mut claims = pair.claims();
    claims["legs"] = json!([{ "kind": "openai", "model": "gpt-realtime-2.1" }, claims["legs"][0]]);
    claims["keys"]["openai"] = "k".into();
    claims["agent"]["greeting"] = "Hello, this is the bakery.".into();
    claims["report"] = json!({ "url": app.url("/report") });
    let phone = studio.house.call(claims).await;
    phone.agent_finished(Duration::from_millis(400), LIMIT).await.unwrap();
    turn(&phone, 5).await; // it dies in the middle of this one
    turn(&phone, 6).await;
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    let data = report(&app, 0).await;
    let outcomes: Vec<&Value> = data["legs"].as_array().unwrap().iter().map(|leg| &leg["outcome"]).collect();
    assert_eq!(outcomes, ["failed", "used"], "{}", data["legs"]);
    studio.is_clean().await;

    let leg = provider.connection("k", LIMIT).await.unwrap();
    let (mut talk, words) = by_openai(&leg);
    // The one in which it died. One that went silent may have begun another and told nobody.
    assert!(talk["untold_answers"].as_u64() >= Some(1), "{talk}");
    talk["untold_answers"] = 1.into();
    assert_eq!((used(&data, "gpt-realtime-2.1"), used(&data, "gpt-transcribe")), (talk, words));
    let Studio { chat, deepgram, elevenlabs, .. } = &studio;
    let seconds = &used(&data, "flux-general-en")["seconds"];
    assert!(is_about(seconds, by_ears(deepgram, elevenlabs)), "{seconds}");
    assert_eq!(used(&data, "openai/gpt-oss-20b"), by_chat(chat, "k"));
    assert_eq!(used(&data, "aura-2-thalia-en"), json!({ "characters": by_voices(deepgram, elevenlabs) }));
    is_billed(
        &data,
        &["gpt-realtime-2.1", "gpt-transcribe", "flux-general-en", "openai/gpt-oss-20b", "aura-2-thalia-en"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_waits_for_is_told_as_one_of_unknown_cost() {
    let (app, provider) = (app().await, OpenAi::start(OpenAiOptions::default()).await.unwrap());
    let studio = Studio::open_with(&[("OPENAI_BASE_URL", &provider.base_url())]).await;
    let long = "We open at eight on weekdays. At nine on Saturdays. And on Sundays we are closed all day.";
    let slowly = Reply::say_for(long, Duration::from_secs(8));
    provider.behave("k", Behaviour { pace: 1.0, ..Behaviour::default() }.replies([slowly]));
    let pair = Pair { ear: "flux-general-en", mouth: "aura-2-thalia-en" };
    let thinks = chat::Behaviour { token: Duration::from_millis(250), ..chat::Behaviour::default() };
    studio.prepare(&Script::new(pair, ["When do you open?"], chat::Behaviour::default()));
    studio.chat.behave("k", thinks.replies([long]));
    let kinds = [("openai", "gpt-realtime-2.1-mini"), ("cascade", "openai/gpt-oss-20b")];
    for (number, (kind, model)) in kinds.into_iter().enumerate() {
        let mut claims = if kind == "openai" { openai("k") } else { pair.claims() };
        claims["report"] = json!({ "url": app.url("/report") });
        let phone = studio.house.call(claims).await;
        phone.say(speech(Duration::from_millis(1_200), 5));
        phone
            .until(|phone| phone.playing && phone.played >= Duration::from_millis(600), LIMIT)
            .await
            .unwrap();
        phone.hang_up();
        phone.ended(LIMIT).await.unwrap();
        let data = report(&app, number).await;
        assert_eq!(used(&data, model), json!({ "untold_answers": 1 }), "{kind}: {}", data["usage"]);
        let lines = data["cost"]["lines"].as_array().unwrap();
        assert!(lines.iter().all(|line| line["model"] != model), "nothing is guessed: {}", data["cost"]);
    }
    let counted = r#"patchcord_untold_answers_total{provider="groq",model="openai/gpt-oss-20b"}"#;
    assert_eq!(studio.house.number(counted), 1);
}
