//! A call with a cascade for its leg, and a clock of its own: every part says what the test lets it say.

mod crossings;
mod duo;
mod guesses;
mod interruptions;
mod latency;
mod tools;
mod troubles;
mod turns;
mod usage;
