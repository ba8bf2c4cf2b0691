//! `sim`: the pretend provider on a port of its own, for anyone's tests.

use std::{net::IpAddr, time::Duration};

use anyhow::Context;
use clap::Args;
use sim::openai::{Behaviour, Faults, OpenAi, OpenAiOptions, What, When};
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
    let provider =
        OpenAi::serve(listener, OpenAiOptions { behaviour: behaviour(&words), ..Default::default() })?;
    println!("A pretend OpenAI Realtime. Any key but one with `invalid` in it will do. For the relay:\n");
    println!("  OPENAI_BASE_URL={} OPENAI_API_KEY=sk-pretend\n\nCtrl-C ends it.", provider.base_url());
    signals.next().await;
    for violation in provider.violations() {
        println!("violation: {violation}");
    }
    Ok(())
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
