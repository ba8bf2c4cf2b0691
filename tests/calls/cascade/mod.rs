//! Cascades of every kind behind the real relay.

mod heard;
mod pairs;
mod scripts;
mod studio;
mod troubles;

pub use pairs::{MOUTHS, Pair, Script, Talk, with_every_pair};
pub use studio::{Studio, cascade};
