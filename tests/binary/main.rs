//! The real binary through whole lives: everything it prints, everything it leaves behind, how it stops.

mod canary;
mod drain;
mod process;
mod soak;
