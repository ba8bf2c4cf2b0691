//! `load`: many phones at once, and what became of them.

mod book;
mod caller;
mod chart;
mod director;
mod figures;
mod health;
mod leaving;
mod machine;
mod meaning;
mod mix;
mod plan;
mod progress;
mod providers;
mod relay;
mod report;
mod room;
mod signature;
mod stage;
mod table;
mod verdict;

use std::{net::IpAddr, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use sim::phone::Carrier;

use self::{
    mix::{Kind, Mix},
    plan::{Ramp, Share, Steps},
};
use crate::drain::Signals;

#[derive(Debug, Args)]
pub(super) struct Load {
    /// The stream address of a relay that is already running, with its secret in RELAY_SECRET. Without it a relay of
    /// our own is started, as a process of its own.
    #[arg(value_parser = health::stream_address)]
    url: Option<String>,
    /// Which kind of agent everybody calls [default: openai; echo for a relay that is already running].
    #[arg(long, value_enum, conflicts_with = "mix")]
    leg: Option<Kind>,
    /// Several kinds at once, by weight: openai=3,cascade=1,echo=1.
    #[arg(long, value_parser = mix::mix)]
    mix: Option<Mix>,
    /// An agent of your own, a JSON file as `call` takes it, with its weight: bakery.json=3. Can be given more than once.
    #[arg(long, value_name = "FILE[=N]", value_parser = mix::file)]
    agent: Vec<(String, u32)>,
    /// Behind whose telephone network the phones are, as `call --carrier` has it.
    #[arg(long, value_name = "NAME", default_value = "twilio", value_parser = Carrier::parse)]
    carrier: Carrier,
    /// How many calls.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(plan::MOST_CALLS)))]
    calls: u32,
    /// More and more calls: 50,100,200. Each number is held, and has figures of its own.
    #[arg(long, value_parser = plan::steps, conflicts_with = "calls")]
    steps: Option<Steps>,
    /// How long each number of calls is held.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How many calls begin in a second.
    #[arg(long, value_name = "N/s", default_value = "100/s", value_parser = plan::ramp)]
    ramp: Ramp,
    /// On so many of the lines callers leave early, in every way there is, and are followed by others at once.
    #[arg(long, value_name = "N%", default_value = "0%", value_parser = plan::share)]
    hang_ups: Share,
    /// The port of our pretend providers, for a relay that is already running: its OPENAI_BASE_URL and so on must point
    /// here.
    #[arg(long, requires = "url", value_parser = clap::value_parser!(u16).range(1..))]
    provider_port: Option<u16>,
    /// The address they listen on.
    #[arg(long, default_value = "127.0.0.1", requires = "provider_port")]
    provider_bind: IpAddr,
    /// The process id of a relay that is already running on this machine, for its CPU time and memory.
    #[arg(long, requires = "url")]
    pid: Option<u32>,
    /// Write the report to this file: one HTML page with charts.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Print the figures as JSON, and nothing else.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(words: Load) -> anyhow::Result<()> {
    let mut signals = Signals::catch()?;
    if let Some(path) = &words.report {
        // Better known before the run than after it.
        std::fs::write(path, "").with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let stage = tokio::select! {
        stage = stage::set(&words) => stage?,
        () = signals.next() => bail!("stopped before the first call"),
    };
    let run = director::direct(stage, words.json, &mut signals).await?;
    if let Some(path) = &words.report {
        std::fs::write(path, report::page(&run))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if words.json {
        println!("{}", run.json());
    } else {
        table::print(&run);
        if let Some(path) = &words.report {
            println!("\nThe report is in {}.", path.display());
        }
    }
    match run.failures() {
        failures if failures.is_empty() => Ok(()),
        failures => bail!("{}", failures.join("; ")),
    }
}
