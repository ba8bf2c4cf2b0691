//! Whole calls, told as scenes: what happens, and what the call does about it.

mod answers;
mod apology;
mod carriers;
mod consent;
mod crossings;
mod failover;
mod interruptions;
mod keys;
mod latency;
mod leaving;
mod lifecycle;
mod presence;
mod recording;
mod renewal;
mod scene;
mod tools;
mod usage;
