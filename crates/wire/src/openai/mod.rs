//! How OpenAI Realtime speaks (the GA protocol of May 2026), as one leg of a call.
//!
//! [`Session`] is the protocol as a machine without a socket: messages in by [`Session::read`], the call's
//! commands in by [`Session::obey`]; events out by [`Session::poll_event`], frames to send out by
//! [`Session::poll_frame`]. Servers that copy the protocol (Azure, xAI) differ in their details, so
//! everything that is unknown is tolerated, and errors are told apart by code, type and words.

mod client;
mod creates;
mod failure;
mod names;
mod news;
mod remembered;
mod server;
mod session;
mod setup;
mod tool_calls;
mod usage;

pub use client::path_and_query;
pub use failure::refused;
pub use session::Session;
pub use setup::{Eagerness, NoiseReduction, ReasoningEffort, Setup, Transcription, Turn};
