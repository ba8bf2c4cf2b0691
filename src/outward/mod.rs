//! What the relay opens towards the outside.

pub mod address;
pub mod dial;
pub mod dns;
pub mod number;
pub mod report_secret;
pub mod requests;
mod stream;
pub mod tls;
pub mod twilio;
pub mod twiml;
pub mod webhooks;
