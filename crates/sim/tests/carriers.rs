//! Does the pretend phone call as each carrier does, and does it see what each would complain about?
//!
//! The relay is scripted by hand, from the carriers' documents once more.

mod common;

#[path = "carriers/disorder.rs"]
mod disorder;
#[path = "carriers/marks.rs"]
mod marks;
#[path = "carriers/relay.rs"]
mod relay;
#[path = "carriers/shapes.rs"]
mod shapes;
#[path = "carriers/sound.rs"]
mod sound;
#[path = "carriers/strict.rs"]
mod strict;
