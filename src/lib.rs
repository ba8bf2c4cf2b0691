//! Patchcord: plugs a phone call into an AI voice agent.
//!
//! The decisions of a call are in the crate `call`, the vendors' wire formats in `wire`. Here is the process
//! around them: settings, HTTP, sockets, queues, drain, metrics and logs.

pub mod settings;
