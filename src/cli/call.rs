//! `call`: be the phone.
//!
//! Against any relay by its address, or without one against a relay and a pretend provider of our own; then
//! the words are known too, and not only who spoke when.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};
use sim::{
    phone::{Phone, PhoneEvent, PhoneOptions},
    voice::speech,
    wav,
};

use super::{
    agent,
    show::{Story, follow, millis, print},
    stage::{Keys, Stage, claims},
    token,
};

#[derive(Debug, Args)]
pub(super) struct Call {
    /// A relay's stream address, such as wss://relay.example.com/stream/twilio. Without it: a relay of our own.
    url: Option<String>,
    /// A JSON file with the agent's claims; - is standard input. Without it: the line test. For a relay
    /// elsewhere the token is made with RELAY_SECRET, which must be that relay's.
    #[arg(long)]
    agent: Option<String>,
    /// The call's whole token instead, for a relay whose secret is not at hand: `patchcord token` makes one.
    #[arg(long, conflicts_with = "agent", requires = "url")]
    token: Option<String>,
    /// The call id that the token is for.
    #[arg(long, requires = "token")]
    call_id: Option<String>,
    /// What the caller says: a WAV file. Without it: two sentences of a made-up voice.
    #[arg(long)]
    audio: Option<PathBuf>,
    /// Writes both sides to a stereo WAV file: caller left, agent right.
    #[arg(long)]
    out: Option<PathBuf>,
    /// The longest the call may last.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Speaks again when the agent's answer has been heard for so many milliseconds.
    #[arg(long)]
    interrupt_after: Option<u64>,
    /// Print what happened as JSON, and nothing else.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(words: Call) -> anyhow::Result<()> {
    let limit = Duration::from_secs(words.seconds);
    let audio = match &words.audio {
        Some(path) => wav::read_ulaw(path)?,
        None => speech(Duration::from_millis(1_800), 21),
    };
    let agent = words.agent.as_deref().map_or_else(|| Ok(agent::echo()), agent::read)?;
    // Nobody knows of an agent that came as a token.
    let greets = words.token.is_some() || agent.pointer("/agent/greeting").is_some();
    let (stage, options, story) = match &words.url {
        Some(url) => (None, elsewhere(&words, &agent, url)?, None),
        None => {
            let stage = Stage::set(0, Keys::default()).await?;
            let story = tokio::spawn(follow(stage.news(), words.json));
            let options = stage.phone(&agent);
            (Some(stage), options, Some(story))
        }
    };
    let start = Instant::now();
    let phone = Phone::dial(options).await.context("the relay did not take the call")?;
    let answered = start.elapsed();
    tokio::time::timeout(limit, talk(&phone, &audio, greets, words.interrupt_after)).await.ok();
    phone.hang_up();
    phone.ended(Duration::from_secs(10)).await?;
    let story = match story {
        Some(story) => tokio::time::timeout(Duration::from_secs(10), story).await??,
        None => Story::default(),
    };
    if let Some(path) = &words.out {
        phone.recording().write_wav(path)?;
    }
    if words.json {
        println!(
            "{}",
            json!({ "answered_ms": millis(answered), "phone": heard(&phone), "call": story.json() })
        );
    } else {
        timeline(&phone);
        if let Some(path) = &words.out {
            println!("\nBoth sides are in {}.", path.display());
        }
    }
    if let Some(stage) = stage {
        stage.relay.drain(std::future::pending()).await;
    }
    if phone.look(|phone| phone.played.is_zero()) {
        bail!("the agent was not heard: {:?}", phone.look(|phone| phone.end.clone()));
    }
    Ok(())
}

/// Sealed: on its way to a relay elsewhere nobody else need read it.
fn elsewhere(words: &Call, agent: &Value, url: &str) -> anyhow::Result<PhoneOptions> {
    let mut options = PhoneOptions::new(url);
    if let Some(call) = &words.call_id {
        options.ids.call_sid.clone_from(call);
    }
    let token = match &words.token {
        Some(token) => token.clone(),
        None => {
            let claims = claims(agent, Some(&options.ids.call_sid), 60);
            token::minter(None)?.seal(&claims)
        }
    };
    Ok(options.token(&token))
}

/// Listens to the greeting if there is one, speaks, and listens to the answer; and again after an
/// interruption.
async fn talk(phone: &Phone, audio: &[u8], greets: bool, interrupt_after: Option<u64>) -> anyhow::Result<()> {
    if greets {
        phone.agent_finished(QUIET, GREETING).await.ok();
    }
    phone.say(audio.to_vec());
    phone.said(LONG).await?;
    if let Some(ms) = interrupt_after {
        phone.until(|phone| phone.playing, LONG).await?;
        let before = phone.look(|phone| phone.played);
        phone.until(|phone| phone.played >= before + Duration::from_millis(ms), LONG).await?;
        phone.say(audio.to_vec());
        phone.said(LONG).await?;
    }
    phone.agent_finished(QUIET, LONG).await?;
    Ok(())
}

/// Who spoke when, as the phone heard it.
fn timeline(phone: &Phone) {
    println!("\nWhat the phone heard:\n");
    phone.look(|state| {
        for (at, event) in &state.events {
            let at = at.saturating_duration_since(state.began);
            match event {
                PhoneEvent::SpeechBegan => print(at, "caller", "begins to speak"),
                PhoneEvent::SpeechEnded => print(at, "caller", "has spoken"),
                PhoneEvent::PlaybackBegan => print(at, "agent", "begins to be heard"),
                PhoneEvent::PlaybackRanDry { played } => {
                    print(at, "agent", &format!("was heard for {:.2} s", played.as_secs_f64()));
                }
                PhoneEvent::Clear => print(at, "agent", "is cut off"),
                PhoneEvent::Ended => print(at, "line", "over"),
                PhoneEvent::Violation => print(at, "line", "the relay broke the carrier's protocol"),
                PhoneEvent::Media { .. } | PhoneEvent::Mark { .. } | PhoneEvent::MarkReturned { .. } => {}
            }
        }
    });
}

fn heard(phone: &Phone) -> serde_json::Value {
    phone.look(|state| {
        let first = state.first_media_at.map(|at| millis(at.saturating_duration_since(state.began)));
        json!({
            "first_audio_ms": first,
            "played_ms": millis(state.played),
            "clears": state.clears.len(),
            "violations": state.violations,
            "end": format!("{:?}", state.end),
        })
    })
}

const QUIET: Duration = Duration::from_millis(700);

/// An agent that greets does so by then.
const GREETING: Duration = Duration::from_secs(6);

/// `--seconds` bounds the whole call; this only each step of it.
const LONG: Duration = Duration::from_secs(3_600);
