//! A pretend phone and pretend providers, for tests, `demo`, `call`, `load` and `sim`.
//!
//! Nothing here uses the relay's own message types: the JSON is written from the vendors' documents, so that one
//! mistake cannot cancel out another. Everything observable can be awaited with a time limit; no test needs a sleep.

mod accept;
pub mod alaw;
pub mod app;
pub mod chat;
pub mod clips;
pub mod deepgram;
pub mod dice;
pub mod elevenlabs;
pub mod front;
mod http;
mod line;
pub mod openai;
pub mod phone;
pub mod probe;
mod rates;
mod resample;
pub mod tls;
pub mod twilio;
pub mod ulaw;
pub mod voice;
mod waited;
pub mod wav;

pub use http::Headers;
pub use waited::Waited;
