//! `call`: be the phone.
//!
//! Against any relay by its address, or without one against a relay and pretend providers of our own. Freely, with a
//! sentence or a recording; or by a script, with what is expected of the agent.

mod diary;
mod fit;
mod free;
mod news;
mod place;
mod report;
mod script;
mod scripts;
mod session;
mod target;
mod timeline;
mod view;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use sim::phone::{Carrier, Phone};

use self::{diary::Diary, session::Session};

#[derive(Debug, Args)]
pub(super) struct Call {
    /// A relay's address, such as wss://relay.example.com/stream/browser, which also tells what is said, or
    /// …/stream/twilio, which does not. Without it: a relay of our own, with pretend providers.
    url: Option<String>,
    /// Whose telephone network stands in between: twilio, telnyx, telnyx-pcma, signalwire, plivo, exotel, vonage and more; a
    /// name that is none lists them all. Without it: twilio, or whatever the relay's address says.
    #[arg(long, value_name = "NAME", value_parser = Carrier::parse)]
    carrier: Option<Carrier>,
    /// A file with the agent's claims; - is standard input. Without it: the line test. For a relay elsewhere the token
    /// is made with RELAY_SECRET, which must be that relay's.
    #[arg(long)]
    agent: Option<String>,
    /// The call's whole token instead, for a relay whose secret is not at hand: `patchcord token` makes one.
    #[arg(long, conflicts_with = "agent", requires = "url")]
    token: Option<String>,
    /// The call id that the token is for.
    #[arg(long, requires = "token")]
    call_id: Option<String>,
    /// What the caller says: a WAV file of any usual kind. Without it: two sentences of a made-up voice.
    #[arg(long)]
    audio: Option<PathBuf>,
    /// A conversation with expectations, as docs/call.md describes; fails if one is not met. May be given several times.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["audio", "interrupt_after", "seconds"])]
    script: Vec<PathBuf>,
    /// Writes what became of each expectation as JUnit XML, for a CI system.
    #[arg(long, value_name = "FILE", requires = "script")]
    junit: Option<PathBuf>,
    /// Writes both sides to a stereo WAV file: caller left, agent right.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draws the call as an SVG: who spoke when, what was cut off, what each silence was made of.
    #[arg(long, value_name = "FILE")]
    timeline: Option<PathBuf>,
    /// The longest the call may last.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Speaks again when the agent's answer has been heard for so many milliseconds.
    #[arg(long)]
    interrupt_after: Option<u64>,
    /// Print what happened as JSON, and nothing else.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(words: Call) -> anyhow::Result<()> {
    if words.script.is_empty() { free::run(&words).await } else { scripts::run(&words).await }
}

/// The files that show a call. `name`: put into each file's own name, where there are several calls.
fn write_files(
    words: &Call,
    session: &Session,
    title: &str,
    name: Option<&str>,
) -> anyhow::Result<Vec<String>> {
    let mut written = Vec::new();
    if let Some(path) = words.out.as_deref().map(|path| called(path, name)) {
        session.phone.recording().write_wav(&path)?;
        written.push(format!("Both sides are in {}.", path.display()));
    }
    if let Some(path) = words.timeline.as_deref().map(|path| called(path, name)) {
        let svg = draw(title, &session.diary, &session.phone);
        std::fs::write(&path, svg).with_context(|| format!("{} cannot be written", path.display()))?;
        written.push(format!("The call is drawn in {}.", path.display()));
    }
    Ok(written)
}

fn draw(title: &str, diary: &Diary, phone: &Phone) -> String {
    phone.hear(|sound| timeline::svg(title, diary, &sound.caller, &sound.agent))
}

/// `call.wav` of the script `bakery` becomes `call-bakery.wav`.
fn called(path: &Path, name: Option<&str>) -> PathBuf {
    let Some(name) = name else { return path.to_owned() };
    let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{name}{ending}"))
}

#[cfg(test)]
impl Call {
    /// Nothing is printed, and nothing written.
    fn quiet() -> Self {
        #[derive(Debug, clap::Parser)]
        struct Words {
            #[command(flatten)]
            call: Call,
        }
        <Words as clap::Parser>::parse_from(["call", "--json"]).call
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_several_calls_has_files_of_its_own() {
        assert_eq!(called(Path::new("out/call.wav"), Some("bakery")), Path::new("out/call-bakery.wav"));
        assert_eq!(called(Path::new("call"), Some("bakery")), Path::new("call-bakery"));
        assert_eq!(called(Path::new("call.wav"), None), Path::new("call.wav"));
    }
}
