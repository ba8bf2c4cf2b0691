//! The few words that the production binary knows.

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
    time::Instant,
};

use super::WRONG_USE;
use crate::{check, serve};

pub(super) fn run(arguments: impl IntoIterator<Item = OsString>, since: Instant) -> ExitCode {
    let words: Vec<OsString> = arguments.into_iter().skip(1).collect();
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap_or("?")).collect();
    match words[..] {
        [] | ["serve"] => return serve::run(since, None),
        ["serve", "--agent", path] => return serve::run(since, Some(path)),
        ["check"] => return check::run(None),
        ["check", "--agent", path] => return check::run(Some(path)),
        ["--version" | "-V"] => say(io::stdout(), concat!("patchcord ", env!("CARGO_PKG_VERSION"))),
        ["--help" | "-h" | "help"] => say(io::stdout(), HELP),
        _ => {
            say(io::stderr(), HELP);
            return WRONG_USE.into();
        }
    }
    ExitCode::SUCCESS
}

/// Does not mind when nobody reads.
fn say(mut to: impl Write, text: &str) {
    writeln!(to, "{text}").ok();
}

const HELP: &str = "Plugs a phone call into an AI voice agent

Usage: patchcord [serve [--agent FILE] | check [--agent FILE]]

  serve      run the relay (the default); its settings are environment variables;
             with --agent it needs no app: it answers Twilio's webhooks itself, with
             the agent of this TOML or JSON file
  check      look at settings, ports, keys and clock: what is wrong, and what to do;
             with --agent try the agent of this TOML or JSON file: key, model and voice of each leg
  --version  print the version
  --help     print this";
