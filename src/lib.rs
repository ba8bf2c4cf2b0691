//! Patchcord
pub mod outbox;
pub mod outward;
