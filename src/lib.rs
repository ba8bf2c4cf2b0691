//! Patchcord

pub mod gate;
pub mod outward;
