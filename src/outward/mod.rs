//! What the relay opens towards the outside.

pub mod address;
