//! What the relay opens towards the outside.

pub mod address;
pub mod dial;
pub mod dns;
mod stream;
pub mod tls;
