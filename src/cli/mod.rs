//! What was typed.
//!
//! With the feature `tools` there are more commands, and clap to read them. The production image is built
//! without it and understands no more than it needs.

#[cfg(feature = "tools")]
mod agent;
#[cfg(feature = "tools")]
mod call;
#[cfg(feature = "tools")]
mod carrier;
#[cfg(feature = "tools")]
mod cast;
#[cfg(feature = "tools")]
mod demo;
#[cfg(feature = "tools")]
mod load;
#[cfg(feature = "tools")]
mod show;
#[cfg(feature = "tools")]
mod sim;
#[cfg(feature = "tools")]
mod stage;
#[cfg(feature = "tools")]
mod token;
#[cfg(feature = "tools")]
mod tools;

#[cfg(not(feature = "tools"))]
mod plain;

use std::{ffi::OsString, process::ExitCode, time::Instant};

#[cfg(not(feature = "tools"))]
use self::plain as words;
#[cfg(feature = "tools")]
use self::tools as words;

/// Runs the command and says how it went: 0 fine, 1 failed, 2 wrong use. `since` is when the process began.
pub fn run(arguments: impl IntoIterator<Item = OsString>, since: Instant) -> ExitCode {
    words::run(arguments, since)
}

const WRONG_USE: u8 = 2;
