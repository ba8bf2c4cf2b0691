//! Whole calls, told as scenes: what happens, and what the call does about it.

mod answers;
mod crossings;
mod interruptions;
mod lifecycle;
mod scene;
mod tools;
