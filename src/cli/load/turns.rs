//! How long callers wait for an answer of a cascade, and what a call costs.
//!
//! Each phone speaks, hears the answer to its end and speaks again. The providers in this process take a fixed
//! time each, so what is above that is the relay's, and the machine's.

use std::time::{Duration, Instant};

use anyhow::bail;
use futures_util::future::join_all;
use secrecy::SecretString;
use serde_json::{Value, json};
use sim::{
    chat::{self, Chat, ChatOptions},
    deepgram::{self, Deepgram, DeepgramOptions},
    phone::{Phone, PhoneOptions},
    probe::Histogram,
    voice::speech,
};
use tokio::time::sleep;

use super::{
    Load,
    frames::{bar, percentiles},
    relay::{Relay, SECRET, cpu, memory},
};
use crate::{
    cli::stage::{PRETEND_KEY, claims},
    gate::mint::Minter,
};

pub(super) async fn run(words: Load) -> anyhow::Result<()> {
    let mut behaviour = deepgram::Behaviour::default();
    behaviour.listen.silence = TURN_ENDS;
    behaviour.speak.first = FIRST_SOUND;
    let deepgram = Deepgram::start(DeepgramOptions { behaviour }).await?;
    let behaviour = chat::Behaviour { first: FIRST_WORD, ..chat::Behaviour::default() };
    let chat = Chat::start(ChatOptions { behaviour, ..ChatOptions::default() }).await?;
    let providers = [
        ("DEEPGRAM_BASE_URL", deepgram.base_url()),
        ("DEEPGRAM_API_KEY", PRETEND_KEY.to_owned()),
        ("GROQ_BASE_URL", chat.base_url()),
        ("GROQ_API_KEY", PRETEND_KEY.to_owned()),
    ];
    let relay = Relay::start(&providers, words.calls)?;
    let (url, pid) = (relay.url(), relay.pid());
    let before = memory(pid);
    let bar = bar(&words);
    bar.set_message("talking");
    let silences = Histogram::default();
    let (start, cpu_before) = (Instant::now(), cpu(pid));
    let end = start + Duration::from_secs(words.seconds);
    let voice = speech(Duration::from_millis(900), 5);
    let half_way = async {
        sleep(Duration::from_secs(words.seconds) / 2).await;
        memory(pid)
    };
    let talks = join_all((0..words.calls).map(|number| talk(&url, number, &voice, end, &silences, &bar)));
    let (outcomes, during) = tokio::join!(talks, half_way);
    let cpu_after = cpu(pid);
    bar.finish_and_clear();
    let talked: Vec<&Talked> = outcomes.iter().flatten().collect();
    let lost = outcomes.len() - talked.len();
    let wrong = deepgram.violations().len() + chat.violations().len();
    let call_seconds: f64 = talked.iter().map(|one| one.lasted.as_secs_f64()).sum();
    let turns: u64 = talked.iter().map(|one| one.turns).sum();
    let figures = json!({
        "calls": words.calls,
        "seconds": start.elapsed().as_secs_f64(),
        "turns": turns,
        "silence_ms": percentiles(&silences),
        "providers_ms": (TURN_ENDS + FIRST_WORD + FIRST_SOUND).as_secs_f64() * 1_000.0,
        "cpu_ms_per_call_second": cpu_after.zip(cpu_before).map(|(after, before)| (after - before) * 1_000.0 / call_seconds),
        "memory_kb_per_call": during.zip(before).map(|(during, before)| (during - before) / f64::from(words.calls)),
        "calls_lost": lost,
        "violations": wrong,
    });
    if words.json {
        println!("{figures}");
    } else {
        show(&figures);
    }
    if lost > 0 || wrong > 0 {
        bail!("{lost} calls were lost and {wrong} messages were wrong");
    }
    Ok(())
}

struct Talked {
    turns: u64,
    lasted: Duration,
}

/// One call, until the time is over. `None` when it was lost.
async fn talk(
    url: &str,
    number: u32,
    voice: &[u8],
    end: Instant,
    silences: &Histogram,
    bar: &indicatif::ProgressBar,
) -> Option<Talked> {
    let agent = json!({ "agent": { "prompt": "You are fast." }, "legs": [{ "kind": "cascade",
        "stt": { "provider": "deepgram" }, "llm": { "provider": "groq", "model": "openai/gpt-oss-20b" },
        "tts": { "provider": "deepgram", "voice": "aura-2-thalia-en" } }] });
    let options = PhoneOptions::new(url);
    let token =
        Minter::new(&SecretString::from(SECRET)).seal(&claims(&agent, Some(&options.ids.call_sid), 60));
    let mut options = options.token(&token);
    options.record = false;
    // A thousand people do not call in one moment.
    sleep(Duration::from_millis(u64::from(number) * 10)).await;
    let born = Instant::now();
    let phone = Phone::dial(options).await.ok()?;
    bar.inc(1);
    let mut turns = 0;
    while Instant::now() < end {
        phone.say(voice.to_vec());
        phone.said(PATIENCE).await.ok()?;
        phone.agent_finished(Duration::from_millis(300), PATIENCE).await.ok()?;
        turns += 1;
        if let Some(silence) = phone.look(|phone| Some(phone.playback_began? - phone.speech_ended?)) {
            silences.add(silence);
        }
    }
    phone.hang_up();
    phone.ended(PATIENCE).await.ok()?;
    Some(Talked { turns, lasted: born.elapsed() })
}

fn show(figures: &Value) {
    let number = |value: &Value| value.as_f64().map_or("–".to_owned(), |number| format!("{number:.2}"));
    println!(
        "{} calls, {} answers in {} s\n",
        figures["calls"],
        figures["turns"],
        number(&figures["seconds"])
    );
    println!("{:<40}{:>9}{:>9}{:>9}{:>9}", "", "p50", "p90", "p99", "max");
    let row = ["p50", "p90", "p99", "max"].map(|at| number(&figures["silence_ms"][at]));
    println!("{:<40}{:>9}{:>9}{:>9}{:>9}", "silence before an answer, ms", row[0], row[1], row[2], row[3]);
    println!("of it the providers take, ms             {}", number(&figures["providers_ms"]));
    println!("\nCPU per call-second              {} ms", number(&figures["cpu_ms_per_call_second"]));
    println!("memory per call                  {} kB", number(&figures["memory_kb_per_call"]));
    println!("lost calls, wrong messages       {}, {}", figures["calls_lost"], figures["violations"]);
}

/// What the pretend providers take: until the turn is over, until the first word, until the first sound.
const TURN_ENDS: Duration = Duration::from_millis(400);
const FIRST_WORD: Duration = Duration::from_millis(150);
const FIRST_SOUND: Duration = Duration::from_millis(5);

const PATIENCE: Duration = Duration::from_secs(20);
