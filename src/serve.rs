//! The relay as a process: from its settings to its exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Instant,
};

use tokio::runtime;
use tracing::error;

use crate::{drain::Signals, log, relay::Relay, settings::Settings};

/// Runs until a signal has asked to stop and every call is over. `since` is when the process began.
pub fn run(since: Instant) -> ExitCode {
    let settings = match Settings::read(std::env::vars_os()) {
        Ok(settings) => settings,
        Err(problems) => {
            writeln!(io::stderr(), "patchcord: the settings need a hand:\n{problems}").ok();
            return ExitCode::from(2);
        }
    };
    log::start(&settings);
    let runtime = match runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "the system gives no threads to run on");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(serve(&settings, since));
    // Everything is said and done. A thread that still waits for a dead disk must not keep the process.
    runtime.shutdown_background();
    code
}

async fn serve(settings: &Settings, since: Instant) -> ExitCode {
    // Before anything slow: as the first process of a container we would not be stopped at all otherwise.
    let mut signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => {
            error!(%error, "cannot listen for signals");
            return ExitCode::FAILURE;
        }
    };
    let relay = match Relay::start(settings, since).await {
        Ok(relay) => relay,
        Err(error) => {
            error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    signals.next().await;
    if relay.drain(signals.next()).await {
        return ExitCode::SUCCESS;
    }
    error!("calls were left that did not end when they were told to");
    ExitCode::FAILURE
}
