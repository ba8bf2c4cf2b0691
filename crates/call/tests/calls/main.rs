//! Whole calls, told as scenes: what happens, and what the call does about it.

mod answers;
mod crossings;
mod interruptions;
mod keys;
mod latency;
mod leaving;
mod lifecycle;
mod presence;
mod scene;
mod tools;
