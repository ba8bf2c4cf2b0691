//! `load`: many phones at once.

mod frames;
mod relay;
mod turns;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(super) struct Load {
    /// The stream address of a relay that is already running, with this secret (RELAY_SECRET) and with
    /// OPENAI_BASE_URL pointing here. Without it a relay of our own is started.
    #[arg(conflicts_with = "leg")]
    url: Option<String>,
    /// Which kind of leg: `openai` times every frame, `cascade` every answer.
    #[arg(long, value_enum, default_value_t = Leg::Openai)]
    leg: Leg,
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    calls: u32,
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// The port of our pretend provider, for a relay that is already running.
    #[arg(long, default_value_t = 0)]
    provider_port: u16,
    /// The process id of a relay that is already running, for its CPU time and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Print the figures as JSON, and nothing else.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Leg {
    Openai,
    Cascade,
}

pub(super) async fn run(words: Load) -> anyhow::Result<()> {
    match words.leg {
        Leg::Openai => frames::run(words).await,
        Leg::Cascade => turns::run(words).await,
    }
}
