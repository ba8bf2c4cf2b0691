//! The relay as a process: from its settings to its exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Instant,
};

use tokio::runtime;
use tracing::{error, info, warn};

use crate::{
    agent_file::{AgentFile, Faults},
    drain::Signals,
    log,
    relay::Relay,
    settings::Settings,
    standalone::Standalone,
};

/// Runs until a signal has asked to stop and every call is over. `since` is when the process began. With the path of an
/// agent file it answers Twilio's webhooks itself.
pub fn run(since: Instant, agent: Option<&str>) -> ExitCode {
    let (settings, standalone) = match prepare(agent) {
        Ok(both) => both,
        Err(text) => {
            writeln!(io::stderr(), "patchcord: {text}").ok();
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
    let code = runtime.block_on(serve(&settings, standalone, since));
    // Everything is said and done. A thread that still waits for a dead disk must not keep the process.
    runtime.shutdown_background();
    code
}

/// Settings and agent, or all that is wrong with both of them.
fn prepare(agent: Option<&str>) -> Result<(Settings, Option<Standalone>), String> {
    let of_settings = |problems| format!("the settings need a hand:\n{problems}");
    let of_agent = |Faults(faults): Faults| format!("the agent needs a hand:\n  {}", faults.join("\n  "));
    let Some(path) = agent else {
        return Ok((Settings::read(std::env::vars_os()).map_err(of_settings)?, None));
    };
    match (Settings::read_for_standalone(std::env::vars_os()), AgentFile::read(path)) {
        (Ok(settings), Ok(file)) => {
            let standalone = Standalone::new(&settings, file).map_err(of_agent)?;
            Ok((settings, Some(standalone)))
        }
        (Err(problems), Err(faults)) => Err(format!("{}\n{}", of_settings(problems), of_agent(faults))),
        (Err(problems), Ok(_)) => Err(of_settings(problems)),
        (Ok(_), Err(faults)) => Err(of_agent(faults)),
    }
}

async fn serve(settings: &Settings, standalone: Option<Standalone>, since: Instant) -> ExitCode {
    // Before anything slow: as the first process of a container we would not be stopped at all otherwise.
    let mut signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => {
            error!(%error, "cannot listen for signals");
            return ExitCode::FAILURE;
        }
    };
    let relay = match standalone {
        Some(standalone) => {
            say_what_it_does(settings, &standalone);
            Relay::start_standalone(settings, since, standalone).await
        }
        None => {
            if settings.calling.is_guarded() {
                warn!("CALL_ME_NUMBERS and CALL_ME_SECRET are of no use without `serve --agent FILE`");
            }
            Relay::start(settings, since).await
        }
    };
    let relay = match relay {
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

/// Where Twilio and people should go.
fn say_what_it_does(settings: &Settings, standalone: &Standalone) {
    let Some(public) = &settings.public_url else { return };
    info!(
        "answers calls itself: in Twilio's console give your number the webhook {}, by POST",
        public.http("/twiml")
    );
    if !public.is_tls() {
        warn!("PUBLIC_URL is this machine itself, where Twilio does not reach it: fine for tests only");
    }
    match standalone.call_me() {
        Some(_) => info!("calls people who ask for it at {}", public.http("/twilio/call-me")),
        None => info!(
            "calls nobody: for /twilio/call-me set CALL_ME_NUMBERS (whom) or CALL_ME_SECRET (for whom), with \
             TWILIO_ACCOUNT_SID and TWILIO_NUMBER"
        ),
    }
}
