//! What a turn's silence was made of, against what the phone has heard.
//!
//! The phone knows from its own record when the last sample of speech left it, and when the next one was played.
//! It shares neither clock nor code with the relay.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use call::{Segments, Turn};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sim::{
    app::{Answer, App, Post},
    chat,
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply},
    phone::{Phone, PhoneEvent},
    voice::speech,
};

use crate::{
    cascade::{Pair, Script, Talk, with_every_pair},
    house::{House, LIMIT, at_a_time, openai},
    stalls,
};

const QUIET: Duration = Duration::from_millis(300);

/// For each thing that the caller said, how many milliseconds it was silent until something was played; nothing
/// when the caller spoke again before that.
fn silences(phone: &Phone) -> Vec<Option<i64>> {
    let caller = phone.recording().caller;
    let spoken = |frame: &[u8]| frame.iter().any(|byte| *byte != 0xff);
    let frames: Vec<bool> = caller.chunks(160).map(spoken).collect();
    let ends = (0..frames.len()).filter(|n| frames[*n] && !frames[n + 1..].iter().take(12).any(|loud| *loud));
    let ends: Vec<f64> = ends
        .map(|n| {
            let last = caller[n * 160..(n + 1) * 160].iter().rposition(|byte| *byte != 0xff).unwrap();
            // A frame leaves every 20 ms, when its last sample has been spoken.
            n as f64 * 20.0 - (159 - last) as f64 / 8.0
        })
        .collect();
    let played: Vec<f64> = phone.look(|phone| {
        let began = |(at, event): &(tokio::time::Instant, PhoneEvent)| {
            (*event == PhoneEvent::PlaybackBegan).then(|| (*at - phone.began).as_secs_f64() * 1_000.0)
        };
        phone.events.iter().filter_map(began).collect()
    });
    let silence = |(n, end): (usize, &f64)| {
        let next = ends.get(n + 1).copied().unwrap_or(f64::MAX);
        played.iter().find(|at| (*end..next).contains(*at)).map(|at| (at - end).round() as i64)
    };
    ends.iter().enumerate().map(silence).collect()
}

/// Each turn's silence, as the relay says that it was.
fn told(turns: &[Turn]) -> Vec<Option<i64>> {
    turns.iter().map(|turn| turn.latency.map(|latency| ms(latency.silence()))).collect()
}

fn ms(time: Duration) -> i64 {
    time.as_millis() as i64
}

/// What the relay told and what the phone heard, once it is one call's.
struct Both {
    told: Vec<Option<i64>>,
    heard: Vec<Option<i64>>,
}

impl Both {
    /// By how much they differ at most; nothing when they are not of the same turns.
    fn apart(&self) -> Option<i64> {
        let apart = |(told, heard): (&Option<i64>, &Option<i64>)| match (told, heard) {
            (Some(told), Some(heard)) => Some((told - heard).abs()),
            (None, None) => Some(0),
            (Some(_), None) | (None, Some(_)) => None,
        };
        let same = self.told.len() == self.heard.len();
        self.told
            .iter()
            .zip(&self.heard)
            .try_fold(0, |most, both| Some(apart(both)?.max(most)))
            .filter(|_| same)
    }
}

/// Places a call, and it was the same silence on both ends. When the machine stood still meanwhile its times mean
/// nothing, and the call is placed again; on a machine that is never at rest the time it stood still is taken off.
async fn agree<F: Future<Output = Both>>(who: &str, call: impl Fn() -> F) {
    stalls::watch_out();
    for again in 0..5 {
        let start = Instant::now();
        let both = call().await;
        let stood_still = ms(stalls::between(start, Instant::now()));
        let Both { told, heard } = &both;
        println!("{who}: told {told:?}, heard {heard:?}, stood still for {stood_still} ms");
        let apart = both.apart().unwrap_or_else(|| panic!("{who}: told {told:?}, heard {heard:?}"));
        let close = ms(at_a_time());
        if apart <= close {
            return;
        }
        let excused = if again < 4 { i64::MAX * stood_still.signum() } else { close + stood_still };
        assert!(apart <= excused, "{who}: the relay says {told:?}, the phone heard {heard:?}");
    }
}

/// The reports of turns, in their order.
async fn turns_reported(app: &App, count: usize) -> Vec<Value> {
    let is_turn = |post: &Post| post.json()["type"] == "turn.ended";
    app.post("/report", count - 1, is_turn, LIMIT).await.unwrap();
    let mut turns: Vec<Value> = app.posts("/report").iter().map(Post::json).collect();
    turns.retain(|report| report["type"] == "turn.ended");
    turns.sort_by_key(|report| report["data"]["turn"].as_u64());
    turns.into_iter().map(|mut report| report["data"].take()).collect()
}

/// A turn's segments in the report, which add up to its silence.
#[track_caller]
fn added_up(latency: &Value) -> Option<i64> {
    let silence = latency["silence_ms"].as_i64()?;
    let names = Segments::default().named().map(|(name, _)| format!("{name}_ms"));
    let sum: i64 = names.iter().map(|name| latency[name].as_i64().expect(name)).sum();
    assert_eq!(sum, silence, "{latency}");
    Some(silence)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_turn_with_openai_is_reported_and_its_segments_are_the_silence_that_the_phone_heard() {
    // On a long line, and on one that leaves out silence.
    let lines = [(0, false), (45, false), (20, true)].map(|(way, suppresses)| async move {
        agree(&format!("{way} ms, suppresses: {suppresses}"), || with_openai(way, suppresses)).await;
    });
    join_all(lines).await;
}

/// Three turns: one is interrupted, and one needs a tool.
async fn with_openai(way: u64, suppresses: bool) -> Both {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::json(&json!({})));
    app.answer("/lookup", Answer::json(&json!({ "status": "shipped" })).after(Duration::from_millis(400)));
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let long = "We open at eight on weekdays, and at nine on Saturdays.";
    let behaviour = Behaviour {
        first_audio_after: Duration::from_millis(120),
        latency: Duration::from_millis(25),
        caller_says: vec!["When do you open?".into(), "Thanks.".into(), "And my order?".into()],
        ..Behaviour::default()
    };
    provider.behave(
        "sk",
        behaviour.replies([
            Reply::say_for(long, Duration::from_secs(4)),
            Reply::say("You are welcome."),
            Reply::call("lookup", "{}", "call_1"),
            Reply::say("It is on its way."),
        ]),
    );
    let url = provider.base_url();
    let house = House::with(&[("OPENAI_BASE_URL", &url), ("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let mut claims = openai("sk");
    claims["agent"]["greeting"] = "Hello, this is the bakery.".into();
    claims["tools"] = json!([{ "name": "lookup", "url": app.url("/lookup"), "timeout_ms": 1500 }]);
    claims["report"] = json!({ "url": app.url("/report"), "events": ["turn.ended", "call.ended"] });
    let mut news = house.listen();
    let options = house.phone(claims).delay(Duration::from_millis(way));
    let phone = Phone::dial(options).await.unwrap();
    phone.suppress_silence(suppresses);
    phone.agent_finished(QUIET, LIMIT).await.unwrap();
    phone.say(speech(Duration::from_millis(1_195), 5));
    let some = phone.look(|phone| phone.played) + Duration::from_millis(1_500);
    phone.until(|phone| phone.played >= some, LIMIT).await.unwrap();
    for seed in [6, 7] {
        phone.say(speech(Duration::from_millis(900 + seed), seed));
        phone.said(LIMIT).await.unwrap();
        phone.agent_finished(QUIET, LIMIT).await.unwrap();
    }
    let turns = turns_reported(&app, 3).await;
    phone.hang_up();
    let summary = news.ended().await;
    let heard = silences(&phone);
    let reported: Vec<_> = turns.iter().map(|turn| added_up(&turn["latency"])).collect();
    assert_eq!(reported, told(&summary.turns));

    let caller: Vec<&str> = turns.iter().filter_map(|turn| turn["caller"].as_str()).collect();
    assert_eq!(caller, ["When do you open?", "Thanks.", "And my order?"]);
    let (said, cut) = (&turns[0]["agent"]["said"], turns[0]["agent"]["heard"].as_str().unwrap());
    assert!(said == long && long.starts_with(cut) && cut.len() < long.len(), "{}", turns[0]);
    let interrupted: Vec<_> = turns.iter().map(|turn| turn["interrupted"] == true).collect();
    assert_eq!(interrupted, [true, false, false]);
    assert_eq!(turns[2]["agent"], json!({ "said": "It is on its way.", "heard": "It is on its way." }));
    let tool = &turns[2]["tools"][0];
    assert_eq!((&tool["name"], &tool["result"]), (&json!("lookup"), &json!({ "status": "shipped" })));
    for (turn, with_tool) in turns.iter().zip([false, false, true]) {
        let at_least = |name: &str| turn["latency"][name].as_i64().unwrap();
        // About what was to be waited for: a relay that looks late sees less of it.
        assert!(at_least("decided_ms") >= 480, "{turn}");
        assert!(at_least("voiced_ms") + at_least("thought_ms") >= 60, "{turn}");
        assert!(
            (at_least("tools_ms") >= 300) == with_tool && at_least("heard_ms") + 1 >= 2 * way as i64,
            "{turn}"
        );
        assert_eq!(
            (&turn["latency"]["thought_ahead"], &turn["latency"]["estimated"]),
            (&json!(false), &json!(false))
        );
    }

    let ended = app.post("/report", 3, |post| post.json()["type"] == "call.ended", LIMIT).await.unwrap();
    let all = ended.json()["data"]["latency"].clone();
    let of_turns: Vec<_> =
        turns.iter().map(|turn| (&turn["turn"], &turn["at_ms"], added_up(&turn["latency"]))).collect();
    let of_call: Vec<_> =
        all.as_array().unwrap().iter().map(|one| (&one["turn"], &one["at_ms"], added_up(one))).collect();
    assert_eq!(of_turns, of_call);
    assert_eq!(house.number("patchcord_turn_latency_seconds_count"), 3);
    assert_eq!(house.number(r#"patchcord_turn_segment_seconds_count{segment="voiced"}"#), 3);
    assert_eq!(provider.violations(), Vec::<String>::new());
    Both { told: reported, heard }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_segments_of_a_cascade_are_the_silence_that_the_phone_heard_with_every_ear_and_voice() {
    with_every_pair(|pair| async move { agree(&format!("{pair:?}"), || with_pair(pair)).await }).await;
}

/// Three turns, of which one is interrupted.
async fn with_pair(pair: Pair) -> Both {
    let slow = chat::Behaviour {
        first: Duration::from_millis(150),
        token: Duration::from_millis(20),
        ..chat::Behaviour::default()
    };
    let long = "We open at eight on weekdays, at nine on Saturdays, and on Sundays we are closed.";
    let hears = ["When do you open?", "Thanks.", "Goodbye."];
    let mut script = Script::new(pair, hears, slow.replies([long, "You are welcome.", "See you soon, bye!"]));
    script.delay = Duration::from_millis(30);
    let talk = Talk::begin(pair, script).await;
    talk.say(5).await;
    talk.heard(1_500).await;
    talk.turn(6).await;
    talk.turn(7).await;
    let (summary, talk) = talk.end_after_trouble().await;
    let both = Both { told: told(&summary.turns), heard: silences(&talk.phone) };
    let interrupted: Vec<_> = summary.turns.iter().map(|turn| turn.interrupted).collect();
    assert_eq!(interrupted, [true, false, false], "{pair:?}");
    for Turn { latency, estimated, ahead, .. } in summary.turns {
        let Segments { decided, thought, tools, voiced, heard, .. } = latency.unwrap();
        let waits = decided >= Duration::from_millis(280) && thought >= Duration::from_millis(140);
        assert!(waits && tools.is_zero() && !voiced.is_zero(), "{pair:?}: {latency:?}");
        assert!(heard >= Duration::from_millis(59) && !estimated && !ahead, "{pair:?}: {latency:?}");
    }
    both
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_tool_or_a_guess_a_cascade_s_segments_are_the_silence_too() {
    agree("tool and guess", with_tool_and_guess).await;
}

/// Two turns, both thought ahead; one needs a tool.
async fn with_tool_and_guess() -> Both {
    let pair = Pair { ear: "flux-general-en", mouth: "aura-2-thalia-en" };
    let app = App::start().await.unwrap();
    app.answer("/lookup", Answer::json(&json!({ "status": "shipped" })).after(Duration::from_millis(2_400)));
    app.answer("/report", Answer::json(&json!({})));
    let slow = chat::Behaviour { first: Duration::from_millis(400), ..chat::Behaviour::default() };
    let thinks = slow
        .on("order", chat::Answer::call("call_1", "lookup", "{}"))
        .on_result("lookup", chat::Answer::say("It is on its way."))
        .replies(["We open at eight."]);
    let mut script = Script::new(pair, ["Where is my order?", "When do you open?"], thinks);
    script.claims["legs"][0]["stt"]["eager_eot_threshold"] = json!(0.4);
    script.claims["tools"] =
        json!([{ "name": "lookup", "url": app.url("/lookup"), "say": "One moment, please." }]);
    script.claims["report"] = json!({ "url": app.url("/report"), "events": ["turn.ended"] });
    let talk = Talk::begin(pair, script).await;
    talk.say(5).await;
    talk.phone.until(|phone| phone.runs == 2 && !phone.playing, LIMIT).await.unwrap();
    talk.turn(6).await;
    let turns = turns_reported(&app, 2).await;
    let (summary, talk) = talk.end_after_trouble().await;
    let both = Both { told: told(&summary.turns), heard: silences(&talk.phone) };
    let [tool, guess] = &turns[..] else { panic!("{turns:?}") };
    assert_eq!(tool["agent"]["said"], "One moment, please. It is on its way.");
    assert_eq!(
        (&tool["tools"][0]["name"], &tool["latency"]["thought_ahead"]),
        (&json!("lookup"), &json!(false))
    );
    // The filler is asked for after half a second, and is over before the tool is done.
    assert!((490..1_500).contains(&tool["latency"]["tools_ms"].as_i64().unwrap()), "{tool}");
    assert_eq!(
        (&guess["latency"]["thought_ahead"], &guess["latency"]["tools_ms"]),
        (&json!(true), &json!(0))
    );
    let thought = guess["latency"]["thought_ms"].as_i64().unwrap();
    assert!(thought < 320, "it was thought while nobody was sure yet: {guess}");
    let posted = app.posts("/report").iter().all(|post| post.json()["type"] == "turn.ended");
    assert!(posted, "only what was asked for");
    both
}
