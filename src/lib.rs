//! Patchcord plugs a phone call into an AI voice agent.

pub mod bridge;
pub mod drain;
pub mod gate;
pub mod metrics;
pub mod outbox;
pub mod outward;
