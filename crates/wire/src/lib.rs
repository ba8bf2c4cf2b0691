//! What each vendor's bytes mean, and how to say things to it.
//!
//! One module for each vendor, all pure: text in, [`call`]'s words out, and back. No socket, no clock, no
//! randomness. Vendors add events and fields without notice, so what is unknown is let pass here, and what
//! is broken is named and counted; nothing that arrives may panic.

pub mod carrier;
pub mod chat;
mod chunks;
pub mod deepgram;
pub mod elevenlabs;
pub mod exotel;
mod function;
#[doc(hidden)]
pub mod fuzz;
mod loose;
pub mod openai;
mod part;
mod plain;
pub mod plivo;
mod protocol;
mod query;
pub mod signalwire;
pub mod sound;
mod talk;
pub mod telnyx;
pub mod twilio;
pub mod vonage;

pub use function::Function;
pub use part::{Ear, Mouth};
pub use protocol::{Frame, Protocol};
