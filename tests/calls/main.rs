//! Whole calls through the real relay: a pretend phone on one side, a pretend provider or none on the other.

mod barge_in;
mod conversation;
mod doors;
mod echo;
mod faults;
mod house;
mod stalls;
