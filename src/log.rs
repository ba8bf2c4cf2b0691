//! What the process tells a person who reads along.
//!
//! One line an event, to standard output: JSON for machines, text at a terminal. Libraries that would print
//! what they send (a key, a token) are held at `info` whatever `LOG` says, and nobody who closes the pipe can
//! make a call fail.

use std::{
    io::{self, IsTerminal, Write},
    panic::{self, PanicHookInfo},
};

use tracing::{error, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, filter::Targets, fmt, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::settings::{LogFormat, Settings};

/// Call once. A second call does nothing: the first one has the word.
pub fn start(settings: &Settings) {
    let json = match settings.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::ByTerminal => !io::stdout().is_terminal(),
    };
    let filter = quiet(settings.log.clone());
    let layer = if json {
        let layer = fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(Out);
        layer.with_filter(filter).boxed()
    } else {
        let layer = fmt::layer().with_ansi(io::stdout().is_terminal()).with_writer(Out);
        layer.with_filter(filter).boxed()
    };
    if tracing_subscriber::registry().with(layer).try_init().is_ok() {
        panic::set_hook(Box::new(say_panic));
    }
}

/// Where a panic was, and its words when they are a fixed text of ours: others may quote what somebody sent.
fn say_panic(panic: &PanicHookInfo<'_>) {
    let text = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not shown)");
    let place = panic.location().map(ToString::to_string);
    error!(place, "a mistake of ours: {text}");
}

/// The same, but only our own modules say more than `info`: a library may print what it sends.
fn quiet(filter: Targets) -> Targets {
    let default = filter.default_level().unwrap_or(LevelFilter::OFF);
    let ours = OURS.map(|module| (module.to_owned(), default));
    let asked = filter.iter().map(|(target, level)| (target.to_owned(), level));
    let held = |(target, level): (String, LevelFilter)| {
        let is_ours = OURS.contains(&target.split("::").next().unwrap_or_default());
        (target, if is_ours { level } else { level.min(LevelFilter::INFO) })
    };
    let targets: Targets = ours.into_iter().chain(asked).map(held).collect();
    targets.with_default(default.min(LevelFilter::INFO))
}

const OURS: [&str; 4] = ["call", "patchcord", "sim", "wire"];

/// Standard output, to which writing never fails as far as anybody here is concerned.
struct Out;

impl<'a> MakeWriter<'a> for Out {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().lock().write_all(bytes).ok(); // a line as a whole, or none of it
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().ok();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_that_would_print_keys_are_held_at_info() {
        for asked in ["trace", "tungstenite=trace,hyper=debug,info", "debug,hyper::proto=trace"] {
            let filter = quiet(asked.parse().unwrap());
            for library in ["tungstenite", "hyper", "rustls", "h2"] {
                assert!(!filter.would_enable(library, &Level::DEBUG), "{asked}: {library}");
                assert!(filter.would_enable(library, &Level::INFO), "{asked}: {library}");
            }
        }
        assert!(quiet("trace".parse().unwrap()).would_enable("patchcord", &Level::TRACE));
        assert!(!quiet("warn".parse().unwrap()).would_enable("hyper", &Level::INFO));
    }

    #[test]
    fn a_module_of_a_library_is_held_too() {
        let filter = quiet("hyper::proto=trace".parse().unwrap());
        assert!(!filter.would_enable("hyper::proto", &Level::TRACE));
    }
}
