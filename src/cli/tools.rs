//! The whole command line, as clap reads it.

use std::{ffi::OsString, future::Future, process::ExitCode, time::Instant};

use clap::{Parser, Subcommand};

use super::{WRONG_USE, call, demo, load, sim, token};
use crate::{check, serve};

/// Plugs a phone call into an AI voice agent.
#[derive(Debug, Parser)]
#[command(name = "patchcord", version)]
struct Words {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay (the default); its settings are environment variables.
    Serve {
        /// Needs no app: answers Twilio's webhooks itself, at /twiml, with the agent of this TOML or JSON file; - is
        /// standard input.
        #[arg(long, value_name = "FILE")]
        agent: Option<String>,
    },
    /// See it work, without any account: a relay, a pretend phone and a pretend provider.
    Demo(demo::Demo),
    /// Be the phone: place a call and see what happens.
    Call(call::Call),
    /// Many phones at once: how long the relay keeps a frame, and what a call costs it.
    Load(load::Load),
    /// A pretend provider on a port, for your own tests.
    Sim(sim::Sim),
    /// Make a call token or the TwiML around it, or explain one.
    Token(token::Token),
    /// Look at settings, keys, providers and clock: what is wrong, and what to do.
    Check {
        /// Try the agent of this TOML or JSON file too: key, model and voice of each leg. It says two sentences at your
        /// providers' usual price.
        #[arg(long)]
        agent: Option<String>,
    },
}

pub(super) fn run(arguments: impl IntoIterator<Item = OsString>, since: Instant) -> ExitCode {
    let words = match Words::try_parse_from(arguments) {
        Ok(words) => words,
        Err(error) => {
            // Help and version come this way too, with exit code 0; what is wrong use with 2.
            error.print().ok();
            return u8::try_from(error.exit_code()).unwrap_or(WRONG_USE).into();
        }
    };
    match words.command.unwrap_or(Command::Serve { agent: None }) {
        Command::Serve { agent } => serve::run(since, agent.as_deref()),
        Command::Check { agent } => check::run(agent.as_deref()),
        Command::Token(words) => say(token::run(&words)),
        Command::Demo(words) => say(wait_for(demo::run(words))),
        Command::Call(words) => say(wait_for(call::run(words))),
        Command::Load(words) => say(wait_for(load::run(words))),
        Command::Sim(words) => say(wait_for(sim::run(words))),
    }
}

fn wait_for(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Words that clap takes one by one and that make no sense together: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct WrongUse(pub String);

/// An error is one sentence, with its causes behind it.
fn say(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("patchcord: {error:#}");
            if error.is::<WrongUse>() { WRONG_USE.into() } else { ExitCode::FAILURE }
        }
    }
}
