//! The real binary through whole lives: everything it prints, everything it leaves behind, how it stops.

mod canary;
mod check;
mod drain;
mod lines;
mod process;
mod reports;
mod soak;
mod tools;
