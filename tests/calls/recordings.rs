//! Recordings: what the storage gets is what the phone said and played, and what goes wrong is in the report.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sim::{
    app::{Answer, App},
    chat,
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply},
    phone::{Phone, PhoneEnd},
    ulaw,
    voice::speech,
    wav::read_stereo_ulaw,
};

use crate::{
    cascade::{MOUTHS, Pair, Script, Talk},
    house::{House, LIMIT, echo, is_whole, keeps_every_byte, openai},
    stalls,
};

const SILENCE: u8 = 0xff;

/// A main app with a storage that takes everything.
async fn app() -> App {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::json(&json!({})));
    app.answer("/kept", Answer::status(200, ""));
    app
}

fn recorded(mut claims: Value, app: &App) -> Value {
    claims["call"]["record"] = json!({ "put_url": app.url("/kept?signature=abc") });
    claims["report"] = json!({ "url": app.url("/report") });
    claims
}

/// Both sides, as the storage has them.
async fn kept(app: &App, before: usize) -> (Vec<u8>, Vec<u8>) {
    let put = app.post("/kept", before, |_| true, LIMIT).await.unwrap();
    assert_eq!((put.method.as_str(), put.header("content-type")), ("PUT", "audio/wav"));
    assert_eq!(put.header("content-length"), put.body.len().to_string());
    assert_eq!((put.header("transfer-encoding"), put.header("authorization")), ("", ""));
    read_stereo_ulaw(&put.body).unwrap()
}

/// What the report says about it.
async fn told(app: &App) -> Value {
    app.post("/report", 0, |_| true, LIMIT).await.unwrap().json()["data"]["recording"].clone()
}

/// Stretches of sound with no longer silence in them than a moment: where they begin, and their samples.
fn stretches(track: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut all: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut end = 0;
    for (at, sample) in track.iter().enumerate().filter(|(_, sample)| **sample != SILENCE) {
        match all.last_mut() {
            Some((_, samples)) if at < end + 2_400 => samples.push(*sample),
            _ => all.push((at, vec![*sample])),
        }
        end = at;
    }
    all
}

/// The recording beside the phone's own. The caller's side is the same to the sample. So is the agent's; only where
/// an interruption cut it the relay has to guess how far the phone had come, by so many ms at most.
fn compare(phone: &Phone, (left, right): &(Vec<u8>, Vec<u8>), guess: u128, what: &str) {
    if !keeps_every_byte() {
        return;
    }
    let own = phone.recording();
    assert_eq!(left.len(), right.len());
    let (said, rest) = left.split_at(own.caller.len().min(left.len()));
    // What is missing at its end can only have been silence.
    let differs = (0..own.caller.len()).find(|at| said.get(*at).unwrap_or(&SILENCE) != &own.caller[*at]);
    assert_eq!(
        differs,
        None,
        "{what}: of {} samples of the caller, {} recorded",
        own.caller.len(),
        left.len()
    );
    assert!(rest.iter().all(|sample| *sample == SILENCE), "{what}");
    let (played, kept) = (stretches(&own.agent), stretches(right));
    let sizes = |all: &[(usize, Vec<u8>)]| -> Vec<(usize, usize)> {
        all.iter().map(|(at, samples)| (at / 8, samples.len() / 8)).collect()
    };
    println!("{what}: {:?} and {:?}", sizes(&played), sizes(&kept));
    assert_eq!(played.len(), kept.len(), "{what}: {:?} and {:?}", sizes(&played), sizes(&kept));
    let cuts = phone.look(|phone| phone.clears.len());
    for (number, ((played_at, played), (kept_at, kept))) in played.iter().zip(&kept).enumerate() {
        let both = played.len().min(kept.len());
        let differs = (0..both).find(|at| played[*at] != kept[*at]);
        assert_eq!(differs, None, "{what}: stretch {number}");
        let missing = played.len().abs_diff(kept.len()) as u128 / 8;
        let allowed = if number < cuts { guess } else { 0 };
        assert!(missing <= allowed, "{what}: stretch {number} was cut {missing} ms beside the phone");
        // The pretend phone sends a frame when it begins, a real one when it is full.
        let off = (played_at + 160).abs_diff(*kept_at) as u128 / 8;
        assert!(off <= guess, "{what}: stretch {number} lies {off} ms beside where it was played");
    }
}

/// The recording has the greeting and what else was said after the notice, and nothing of what came before.
fn said_from(phone: &Phone, [notice, greeting]: [usize; 2], (left, right): &(Vec<u8>, Vec<u8>)) {
    let own = phone.recording();
    if keeps_every_byte() {
        let heard =
            |track: &[u8]| -> Vec<u8> { track.iter().copied().filter(|one| *one != SILENCE).collect() };
        let begin = own.agent.iter().position(|sample| *sample != SILENCE).unwrap() + notice * 8;
        assert!(heard(right) == heard(&own.agent[begin..]), "the greeting, and nothing of what came before");
        assert!(own.caller.ends_with(left), "of the caller, what was said from then on");
    } else {
        let first = right.iter().position(|sample| *sample != SILENCE).unwrap();
        let last = right.iter().rposition(|sample| *sample != SILENCE).unwrap();
        let kept = (last - first) / 8;
        assert!(kept.abs_diff(greeting) < 20, "{kept} ms kept of the agent, the greeting has {greeting}");
    }
}

/// So much may be guessed wrong between two moments.
fn guess(start: Instant) -> u128 {
    40 + stalls::between(start, Instant::now()).as_millis()
}

async fn interrupted(phone: &Phone, times: usize, after: u64) {
    for cleared in 1..=times {
        let before = phone.look(|phone| phone.played);
        let enough = before + Duration::from_millis(after);
        phone.until(|phone| phone.playing && phone.played >= enough, LIMIT).await.unwrap();
        phone.say(speech(Duration::from_millis(900), 5 + cleared as u64));
        phone.until(|phone| phone.clears.len() == cleared, LIMIT).await.unwrap();
    }
    phone.agent_finished(Duration::from_millis(400), LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_with_two_interruptions_is_recorded_to_the_sample() {
    stalls::watch_out();
    // The last one's phone sends nothing while nothing is said.
    for (delay, suppress) in [(0, false), (70, false), (20, true)] {
        let (start, app) = (Instant::now(), app().await);
        let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
        // No two neighbours alike, and no silence.
        let sound = |from: u8, ms: usize| -> Vec<u8> { (from..from + 37).cycle().take(ms * 8).collect() };
        let replies = [
            Reply::audio("We open at eight on weekdays.", sound(1, 5_000)),
            Reply::audio("On Sundays we are closed all day long.", sound(40, 5_000)),
            Reply::audio("You are welcome.", sound(80, 900)),
        ];
        provider.behave("sk", Behaviour { pace: 3.0, ..Behaviour::default() }.replies(replies));
        let url = provider.base_url();
        let house = House::with(&[("OPENAI_BASE_URL", &url), ("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
        let options = house.phone(recorded(openai("sk"), &app)).delay(Duration::from_millis(delay));
        let phone = Phone::dial(options).await.unwrap();
        phone.until(|phone| phone.frames_sent > 5, LIMIT).await.unwrap(); // both begin with the first one
        phone.suppress_silence(suppress);
        phone.say(speech(Duration::from_millis(900), 5));
        interrupted(&phone, 2, 1_200).await;
        phone.lose_frames(7);
        phone.say(speech(Duration::from_millis(600), 9));
        phone.said(LIMIT).await.unwrap();
        phone.hang_up();
        phone.ended(LIMIT).await.unwrap();
        let tracks = kept(&app, 0).await;
        compare(&phone, &tracks, guess(start), &format!("{delay} ms"));
        let recording = told(&app).await;
        let lasts = tracks.0.len() as f64 / 8_000.0;
        assert_eq!((&recording["outcome"], &recording["complete"]), (&json!("uploaded"), &json!(true)));
        assert_eq!((&recording["failure"], &recording["attempts"]), (&json!(null), &json!(1)));
        assert!((recording["seconds"].as_f64().unwrap() - lasts).abs() < 0.06, "{recording}");
        assert_eq!(recording["bytes"], 58 + 2 * tracks.0.len());
        assert_eq!(provider.violations(), Vec::<String>::new());
        assert_eq!(app.posts("/kept").len(), 1);
        assert_eq!(house.number(r#"patchcord_recordings_total{outcome="uploaded"}"#), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cascade_with_two_interruptions_is_recorded_to_the_sample() {
    stalls::watch_out();
    for mouth in MOUTHS {
        let (start, app) = (Instant::now(), app().await);
        let pair = Pair { ear: "flux-general-en", mouth };
        let long =
            "We open at eight on weekdays, at nine on Saturdays, and on Sundays we are closed all day.";
        let other =
            "The rye bread comes out of the oven at ten, if you want it warm, and the rolls at eleven.";
        let thinks = chat::Behaviour::default().replies([long, other, "You are welcome."]);
        let mut script = Script::new(pair, ["When do you open?", "And the bread?", "Thank you."], thinks);
        script.claims = recorded(script.claims, &app);
        let talk = Talk::begin(pair, script).await;
        talk.say(5).await;
        interrupted(&talk.phone, 2, 1_500).await;
        let phone = &talk.phone;
        phone.hang_up();
        phone.ended(LIMIT).await.unwrap();
        compare(phone, &kept(&app, 0).await, guess(start), mouth);
        assert_eq!(told(&app).await["complete"], true);
        talk.studio.is_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_must_be_told_first_is_recorded_from_then_on() {
    let app = app().await;
    let notice = "This call is recorded to train our bakers.";
    let greeting = "Hello, this is the bakery.";
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let url = provider.base_url();
    let house = House::with(&[("OPENAI_BASE_URL", &url), ("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let mut claims = recorded(openai("sk"), &app);
    claims["call"]["record"]["say"] = notice.into();
    claims["agent"]["greeting"] = greeting.into();
    let phone = house.call(claims).await;
    // Talking over it changes nothing.
    phone.until(|phone| phone.playing, LIMIT).await.unwrap();
    phone.say(speech(Duration::from_millis(900), 5));
    phone.until(|phone| phone.runs == 2, LIMIT).await.unwrap();
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    // Each letter takes 65 ms, and nothing was cut.
    let [first, second] = [notice, greeting].map(|text| text.len() * 65);
    assert_eq!(phone.look(|phone| (phone.runs, phone.clears.len())), (2, 0));
    let played = phone.look(|phone| phone.played);
    assert!(is_whole(played, Duration::from_millis((first + second) as u64)), "{played:?}");
    said_from(&phone, [first, second], &kept(&app, 0).await);
    let recording = told(&app).await;
    let from = recording["from_ms"].as_u64().unwrap();
    assert!((first as u64..first as u64 + 1_500).contains(&from), "{recording}");
    let words = app.posts("/report")[0].json()["data"]["transcript"][0]["said"].clone();
    assert_eq!(words, notice);
    assert_eq!(provider.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cascade_tells_first_as_well() {
    let app = app().await;
    let pair = Pair { ear: "nova-3", mouth: "aura-2-thalia-en" };
    let (notice, greeting) = ("This call is recorded to train our bakers.", "Hello, this is the bakery.");
    let mut script = Script::new(pair, ["Hello?", "Thanks."], chat::Behaviour::default().replies(["Bye!"]));
    script.claims = recorded(script.claims, &app);
    script.claims["call"]["record"]["say"] = notice.into();
    script.claims["agent"]["greeting"] = greeting.into();
    let talk = Talk::begin(pair, script).await;
    talk.heard(100).await;
    talk.say(5).await;
    let all = Duration::from_millis(65 * (notice.len() + greeting.len()) as u64);
    talk.phone.until(|phone| is_whole(phone.played, all) && !phone.playing, LIMIT).await.unwrap();
    assert_eq!(talk.said(), [notice, greeting]);
    let phone = &talk.phone;
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    assert_eq!(phone.look(|phone| phone.clears.len()), 0);
    said_from(phone, [notice, greeting].map(|text| text.len() * 65), &kept(&app, 0).await);
    talk.studio.is_clean().await;
}

/// A line test of two seconds, with a recording that goes there.
async fn short_call(house: &House, app: &App, url: &str) -> Value {
    let mut claims = recorded(echo(), app);
    claims["call"]["record"]["put_url"] = url.into();
    let phone = house.call(claims).await;
    phone.say(speech(Duration::from_millis(700), 5));
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    phone.hang_up();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    told(app).await
}

async fn house() -> House {
    House::with(&[("WEBHOOK_ALLOW_PRIVATE", "true")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_is_down_for_a_moment_gets_it_afterwards() {
    let app = app().await;
    app.answer("/kept", Answer::status(200, "").cuts(1).first([503]));
    let recording = short_call(&house().await, &app, &app.url("/kept")).await;
    assert_eq!(
        (&recording["outcome"], &recording["attempts"]),
        (&json!("uploaded"), &json!(3)),
        "{recording}"
    );
    assert_eq!((&recording["complete"], &recording["failure"]), (&json!(true), &json!(null)));
    let all = app.posts("/kept");
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|put| put.body == all[0].body), "the same each time");
    read_stereo_ulaw(&all[2].body).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_hangs_is_left_and_asked_again() {
    let app = app().await;
    app.answer("/kept", Answer::status(200, "").after(Duration::from_secs(600)));
    let house = house().await;
    let phone = house.call(recorded(echo(), &app)).await;
    phone.until(|phone| phone.frames_sent > 100, LIMIT).await.unwrap();
    phone.hang_up();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    house.idle().await; // no call waits for its upload
    app.post("/kept", 0, |_| true, LIMIT).await.unwrap();
    app.answer("/kept", Answer::status(201, ""));
    app.post("/kept", 0, |put| put.abandoned, 2 * LIMIT).await.unwrap();
    let recording = told(&app).await;
    assert_eq!(
        (&recording["outcome"], &recording["attempts"]),
        (&json!("uploaded"), &json!(2)),
        "{recording}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_finds_no_more_room_ends_there_and_its_beginning_is_uploaded() {
    let app = app().await;
    let allow = [("WEBHOOK_ALLOW_PRIVATE", "true")];
    let house = House::changed(&allow, |settings| settings.recording_max = 40_000).await;
    let phone = house.call(recorded(echo(), &app)).await;
    phone.until(|phone| phone.frames_sent > 260, LIMIT).await.unwrap();
    phone.hang_up();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    let recording = told(&app).await;
    assert_eq!((&recording["outcome"], &recording["complete"]), (&json!("uploaded"), &json!(false)));
    assert_eq!((&recording["failure"]["kind"], &recording["seconds"]), (&json!("no_room"), &json!(2.0)));
    let (left, _) = kept(&app, 0).await;
    assert_eq!(left.len(), 16_000);
    // In A-law there is no zero: its silence is the smallest step.
    let quiet = if keeps_every_byte() { 0 } else { 8 };
    assert!(left.iter().all(|sample| ulaw::decode(*sample).abs() <= quiet));
    // What it took is given back.
    let phone = house.call(recorded(echo(), &app)).await;
    phone.until(|phone| phone.frames_sent > 60, LIMIT).await.unwrap();
    phone.hang_up();
    let report = app.post("/report", 1, |_| true, LIMIT).await.unwrap().json();
    assert_eq!(report["data"]["recording"]["complete"], true, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_says_no_is_not_asked_again() {
    let house = house().await;
    for (status, kind) in [(403, "refused"), (404, "refused"), (307, "redirect")] {
        let app = app().await;
        app.answer("/kept", Answer::status(status, "").header("location", &app.url("/elsewhere")));
        let recording = short_call(&house, &app, &app.url("/kept")).await;
        assert_eq!((&recording["outcome"], &recording["attempts"]), (&json!("failed"), &json!(1)));
        assert_eq!((&recording["failure"]["kind"], &recording["complete"]), (&json!(kind), &json!(false)));
        assert!(
            recording["failure"]["detail"].as_str().unwrap().contains(&status.to_string()),
            "{recording}"
        );
        assert_eq!((app.posts("/kept").len(), app.posts("/elsewhere").len()), (1, 0));
    }
    assert_eq!(house.number(r#"patchcord_recordings_total{outcome="failed"}"#), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_stops_waits_for_no_storage_and_says_so() {
    let app = app().await;
    app.answer("/kept", Answer::status(200, "").after(Duration::from_secs(600)));
    let house = house().await;
    let phone = house.call(recorded(echo(), &app)).await;
    phone.say(speech(Duration::from_millis(700), 5));
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    app.post("/kept", 0, |_| true, LIMIT).await.unwrap();
    assert_eq!(app.posts("/report").len(), 0, "the report waits for the upload");
    house.relay.drain(std::future::pending()).await;
    let recording = told(&app).await;
    assert_eq!((&recording["outcome"], &recording["failure"]["kind"]), (&json!("failed"), &json!("stopped")));
    app.post("/kept", 0, |put| put.abandoned, LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ends_while_the_machine_drains_is_uploaded_before_the_end() {
    let app = app().await;
    app.answer("/kept", Answer::status(200, "").after(Duration::from_millis(300)));
    let house = house().await;
    let phone = house.call(recorded(echo(), &app)).await;
    phone.say(speech(Duration::from_millis(700), 5));
    let lifecycle = house.relay.exchange.lifecycle.clone();
    let drained = tokio::spawn(house.relay.drain(std::future::pending()));
    lifecycle.drain.cancelled().await;
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    phone.hang_up();
    assert!(drained.await.unwrap());
    assert_eq!(told(&app).await["outcome"], "uploaded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_is_in_the_report_and_the_call_never_knows() {
    let app = app().await;
    let directory = std::env::temp_dir().join(format!("patchcord-gone-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let name = directory.display().to_string();
    let house = House::with(&[("WEBHOOK_ALLOW_PRIVATE", "true"), ("RECORDING_DIR", &name)]).await;
    std::fs::remove_dir(&directory).unwrap();
    let recording = short_call(&house, &app, &app.url("/kept")).await;
    assert_eq!((&recording["outcome"], &recording["failure"]["kind"]), (&json!("failed"), &json!("disk")));
    assert_eq!(app.posts("/kept").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_call_is_recorded_no_file_of_it_can_be_found_or_left_behind() {
    let app = app().await;
    let directory = std::env::temp_dir().join(format!("patchcord-seen-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let name = directory.display().to_string();
    let house = House::with(&[("WEBHOOK_ALLOW_PRIVATE", "true"), ("RECORDING_DIR", &name)]).await;
    let phone = house.call(recorded(echo(), &app)).await;
    phone.until(|phone| phone.frames_sent > 150, LIMIT).await.unwrap();
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
    phone.hang_up();
    assert_eq!(told(&app).await["outcome"], "uploaded");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
    std::fs::remove_dir(&directory).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_not_recorded_says_nothing_of_it() {
    let app = app().await;
    let mut claims = recorded(echo(), &app);
    claims["call"] = json!({});
    let house = house().await;
    let phone = house.call(claims).await;
    phone.until(|phone| phone.frames_sent > 100, LIMIT).await.unwrap();
    phone.hang_up();
    assert_eq!(told(&app).await, json!(null));
}
