//! Patchcord plugs a phone call into an AI voice agent.
//!
//! The decisions of a call are in the crate `call`, the vendors' wire formats in `wire`. Here is the process
//! around them.

pub mod agent_file;
pub mod bridge;
pub mod check;
pub mod cli;
pub mod costs;
pub mod derive;
pub mod drain;
pub mod gate;
pub mod http;
pub mod log;
pub mod markup;
pub mod metrics;
pub mod outbox;
pub mod outward;
pub mod phone;
pub mod recording;
pub mod relay;
pub mod report;
pub mod serve;
pub mod settings;
pub mod standalone;
pub mod utc;
