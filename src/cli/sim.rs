//! `sim`: the pretend providers on one port, for anyone's tests.

use std::{net::IpAddr, time::Duration};

use anyhow::Context;
use clap::Args;
use sim::{
    chat::{self, Chat, ChatOptions},
    deepgram::{self, Deepgram, DeepgramOptions, SpeakWhen, Trouble},
    elevenlabs::{self, ElevenLabs},
    front,
    openai::{Behaviour, Faults, OpenAi, OpenAiOptions, What, When},
    twilio::{Trouble::Status, Twilio},
};
use tokio::net::TcpListener;

use crate::drain::Signals;

#[derive(Debug, Args)]
pub(super) struct Sim {
    #[arg(long, default_value_t = 8090)]
    port: u16,
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// The way between relay and provider, in each direction.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// From the start of an answer to its first sound.
    #[arg(long, value_name = "MS", default_value_t = 300)]
    first_audio: u64,
    /// So many answers of each call fail before one succeeds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fail: u32,
    /// Every account is out of credit.
    #[arg(long)]
    quota: bool,
    /// Cuts the connection after so much of the agent's speech.
    #[arg(long, value_name = "MS")]
    cut_after: Option<u64>,
    /// Falls silent after so much of the agent's speech.
    #[arg(long, value_name = "MS")]
    stall_after: Option<u64>,
    /// Answers each frame with itself at once, as load runs need it.
    #[arg(long)]
    echo: bool,
}

pub(super) async fn run(words: Sim) -> anyhow::Result<()> {
    let mut signals = Signals::catch()?;
    let listener = TcpListener::bind((words.bind, words.port)).await;
    let listener = listener
        .with_context(|| format!("port {} cannot be opened: is another program using it?", words.port))?;
    let at = listener.local_addr()?;
    let openai = OpenAi::start(OpenAiOptions { behaviour: behaviour(&words), ..Default::default() }).await?;
    let deepgram = Deepgram::start(DeepgramOptions { behaviour: parts(&words) }).await?;
    let chat = Chat::start(ChatOptions { behaviour: mind(&words), ..ChatOptions::default() }).await?;
    let elevenlabs = ElevenLabs::start().await?;
    elevenlabs.behave_all(voice(&words));
    let twilio = Twilio::start_easy().await?;
    twilio.answers_after(Duration::from_millis(words.latency));
    twilio.trouble(std::iter::repeat_n(Status(500), words.fail as usize));
    println!("Pretend providers. Any key but one with `invalid` in it will do. For the relay:\n");
    println!("  OPENAI_BASE_URL=http://{at}/v1 OPENAI_API_KEY=sk-pretend");
    println!("  DEEPGRAM_BASE_URL=http://{at}/v1 DEEPGRAM_API_KEY=pretend");
    println!("  GROQ_BASE_URL=http://{at}/openai/v1 GROQ_API_KEY=gsk-pretend");
    println!("  ELEVENLABS_BASE_URL=http://{at}/v1 ELEVENLABS_API_KEY=pretend");
    println!("  TWILIO_BASE_URL=http://{at}\n\nCtrl-C ends it.");
    let services = [
        ("/2010-04-01/", twilio.address),
        ("/v1/realtime", openai.address),
        ("/v1/user", elevenlabs.address),
        ("/v1/text-to-speech", elevenlabs.address),
        ("/v1/speech-to-text", elevenlabs.address),
        ("/v1/chat", chat.address),
        ("/v1/models", chat.address),
        ("/openai/", chat.address),
        ("/v1/", deepgram.address),
        ("/v2/", deepgram.address),
    ];
    tokio::select! {
        () = front::share(listener, &services) => {}
        () = signals.next() => {}
    }
    for asked in twilio.asked() {
        println!("Twilio was asked to change {}: {:?}, answered {}", asked.call, asked.wish, asked.status);
    }
    for placed in twilio.placed() {
        println!("Twilio was asked to place {:?}, answered {}", placed.call, placed.status);
        if let Some(Err(why)) = placed.document {
            println!("its webhook was no good: {why}");
        }
    }
    let violations = [
        openai.violations(),
        deepgram.violations(),
        chat.violations(),
        elevenlabs.violations(),
        twilio.violations(),
    ];
    for violation in violations.iter().flatten() {
        println!("violation: {violation}");
    }
    Ok(())
}

/// What a voice does wrong after so much of the agent's speech.
fn troubles(words: &Sim) -> Vec<(SpeakWhen, Trouble)> {
    let after = |ms: u64, trouble| (SpeakWhen::SoundSent(Duration::from_millis(ms)), trouble);
    let cut = words.cut_after.map(|ms| after(ms, Trouble::Cut));
    let stall = words.stall_after.map(|ms| after(ms, Trouble::Stall));
    cut.into_iter().chain(stall).collect()
}

fn parts(words: &Sim) -> deepgram::Behaviour {
    let mut behaviour =
        deepgram::Behaviour { latency: Duration::from_millis(words.latency), ..Default::default() };
    behaviour.speak.troubles = troubles(words);
    if words.quota {
        behaviour.refuse = Some((402, r#"{"err_code":"ASR_PAYMENT_REQUIRED","err_msg":"no credit"}"#.into()));
    }
    behaviour
}

fn mind(words: &Sim) -> chat::Behaviour {
    let fails = std::iter::repeat_n(chat::Fault::overloaded(), words.fail as usize);
    let first = Duration::from_millis(words.first_audio);
    chat::Behaviour { first, ..chat::Behaviour::default() }.faults(fails)
}

fn voice(words: &Sim) -> elevenlabs::Behaviour {
    let mut behaviour =
        elevenlabs::Behaviour { latency: Duration::from_millis(words.latency), ..Default::default() };
    behaviour.speak.troubles = troubles(words);
    behaviour.error = words.quota.then(|| ("quota_exceeded".to_owned(), "no credits".to_owned()));
    behaviour
}

fn behaviour(words: &Sim) -> Behaviour {
    let ms = Duration::from_millis;
    let usual = if words.echo { Behaviour::echo() } else { Behaviour::default() };
    let cut = words.cut_after.map(|after| (When::AudioSent(ms(after)), What::Cut));
    let stall = words.stall_after.map(|after| (When::AudioSent(ms(after)), What::Stall));
    let faults = Faults {
        failing_responses: words.fail,
        failure: (words.fail > 0).then_some(("server_error", "server_error")),
        out_of_quota: words.quota,
        troubles: cut.into_iter().chain(stall).collect(),
        ..Faults::default()
    };
    Behaviour { latency: ms(words.latency), first_audio_after: ms(words.first_audio), faults, ..usual }
}
