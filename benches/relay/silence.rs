//! How much of the silence before an answer is ours, when a cascade answers.
//!
//! The pretend providers take a fixed time each and write down how long they really took; the rest is what the
//! relay added between the ear's word and the first sound on its way to the caller.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::join_all;
use patchcord::{
    bridge::{News, What},
    gate::mint::Minter,
    relay::Relay,
    settings::Settings,
};
use secrecy::SecretString;
use serde_json::json;
use sim::{
    chat::{self, Chat, ChatOptions, Ledger},
    deepgram::{self, Deepgram, DeepgramOptions},
    phone::{Phone, PhoneOptions},
    voice::speech,
};
use tokio::sync::broadcast::error::RecvError;

const SECRET: &str = "a secret for benches on this machine only";
const LIMIT: Duration = Duration::from_secs(60);
const TURNS: usize = 3;

pub fn of_a_cascade(calls: &[usize]) {
    println!(
        "\n{:<22}{:>12}{:>12}{:>16}{:>16}{:>10}",
        "cascade calls", "ours p50, ms", "p99", "silence, ms", "with guesses", "wasted"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for calls in calls {
        let (mut ours, plain, _) = runtime.block_on(run(*calls, false));
        let (_, eager, wasted) = runtime.block_on(run(*calls, true));
        println!(
            "{calls:<22}{:>12.2}{:>12.2}{:>16.0}{:>16.0}{:>9.0}%",
            at(&mut ours, 0.5),
            at(&mut ours, 0.99),
            at(&mut plain.clone(), 0.5),
            at(&mut eager.clone(), 0.5),
            wasted * 100.0
        );
    }
}

/// What is ours of each answer's silence, all of each silence at the phone, and the share of questions that
/// were asked for nothing.
async fn run(calls: usize, eager: bool) -> (Vec<f64>, Vec<f64>, f64) {
    let deepgram = Deepgram::start(DeepgramOptions::default()).await.expect("a port");
    let chat = Chat::start(ChatOptions::default()).await.expect("a port");
    let variables = [
        ("RELAY_SECRET", SECRET.to_owned()),
        ("PORT", "0".to_owned()),
        ("OPS_PORT", "0".to_owned()),
        ("BIND", "127.0.0.1".to_owned()),
        ("MAX_PENDING", "1000".to_owned()),
        ("LOG", "error".to_owned()),
        ("DEEPGRAM_BASE_URL", deepgram.base_url()),
        ("GROQ_BASE_URL", chat.base_url()),
    ];
    let settings = Settings::read(variables).expect("these settings fit");
    let relay = Relay::start(&settings, std::time::Instant::now()).await.expect("free ports");
    let mut news = relay.exchange.watch();
    let answered: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let taking_note = answered.clone();
    tokio::spawn(async move {
        loop {
            match news.recv().await {
                Ok(News { what: What::Note(note), .. }) => {
                    if let call::Note::Answered { after } = *note {
                        taking_note.lock().expect("nobody panics").push(after);
                    }
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
    let talks = (0..calls).map(|number| talk(&relay, &deepgram, &chat, number, eager));
    let silences: Vec<f64> = join_all(talks).await.into_iter().flatten().collect();
    let mut theirs = Vec::new();
    let mut asked = 0;
    for number in 0..calls {
        let key = format!("k{number}");
        let requests = chat.requests(&key);
        asked += requests.len();
        let mouth = deepgram.speaker(&key, 0, LIMIT).await.expect("a voice");
        let sounds = mouth
            .look(|ledger| ledger.utterances.iter().filter_map(|one| one.first_sound).collect::<Vec<_>>());
        let finished = requests.iter().filter(|request| request.look(Ledger::is_finished));
        let words = finished.filter_map(|request| request.look(Ledger::first_token_after));
        theirs.extend(words.zip(sounds).map(|(word, (at, sound))| (at, word + sound)));
    }
    theirs.sort(); // as the answers came, one after another
    let answered = std::mem::take(&mut *answered.lock().expect("nobody panics"));
    let pairs = answered.into_iter().zip(theirs);
    let ours = pairs.map(|(all, (_, their))| all.saturating_sub(their).as_secs_f64() * 1_000.0).collect();
    let wasted = (asked as f64 - (calls * TURNS) as f64).max(0.0) / asked.max(1) as f64;
    (ours, silences, wasted)
}

async fn talk(relay: &Relay, deepgram: &Deepgram, chat: &Chat, number: usize, eager: bool) -> Vec<f64> {
    let key = format!("k{number}");
    let mut hears = deepgram::Behaviour::default().hears(["Are you open?", "And now?", "Now?"]);
    hears.listen.silence = Duration::from_millis(400);
    deepgram.behave(&key, hears);
    chat.behave(
        &key,
        chat::Behaviour { first: Duration::from_millis(150), ..chat::Behaviour::default() }
            .replies(["Yes.", "Yes.", "Yes."]),
    );
    let options = PhoneOptions::new(format!("ws://{}/stream/twilio", relay.address));
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let mut stt = json!({ "provider": "deepgram" });
    if eager {
        stt["eager_eot_threshold"] = json!(0.4);
    }
    let token = Minter::new(&SecretString::from(SECRET)).seal(&json!({
        "iss": "bench", "aud": "patchcord", "sub": options.ids.call_sid, "iat": now, "exp": now + 60,
        "agent": { "prompt": "x" },
        "legs": [{ "kind": "cascade", "stt": stt, "llm": { "provider": "groq", "model": "openai/gpt-oss-20b" },
                   "tts": { "provider": "deepgram", "voice": "aura-2-thalia-en" } }],
        "keys": { "deepgram": key, "groq": key },
    }));
    tokio::time::sleep(Duration::from_millis(number as u64 * 17 % 1_000)).await;
    let phone = Phone::dial(options.token(&token)).await.expect("the call is taken");
    let mut silences = Vec::new();
    for turn in 0..TURNS {
        phone.say(speech(Duration::from_millis(900), turn as u64 + 4));
        phone.said(LIMIT).await.ok();
        let runs = phone.look(|phone| phone.runs);
        phone.until(|phone| phone.runs > runs || phone.playing, LIMIT).await.ok();
        let silence = phone.look(|phone| Some(phone.playback_began? - phone.speech_ended?));
        silences.extend(silence.map(|silence| silence.as_secs_f64() * 1_000.0));
        phone
            .until(|phone| phone.quiet_for().is_some_and(|quiet| quiet > Duration::from_millis(200)), LIMIT)
            .await
            .ok();
    }
    phone.hang_up();
    phone.ended(LIMIT).await.ok();
    silences
}

fn at(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}
