//! The whole command line, as clap reads it.

use std::{ffi::OsString, process::ExitCode, time::Instant};

use clap::{Parser, Subcommand};

use super::WRONG_USE;
use crate::serve;

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
    Serve,
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
    match words.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(since),
    }
}
