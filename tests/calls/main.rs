//! Whole calls through the real relay: a pretend phone on one side, a pretend provider or none on the other.

mod barge_in;
mod carriers;
mod cascade;
mod conversation;
mod costs;
mod echo;
mod elsewhere;
mod examples;
mod failover;
mod goodbye;
mod house;
mod latency;
mod over_carriers;
mod phone_page;
mod provider;
mod raw;
mod recordings;
mod reports;
mod stalls;
mod tokens;
mod tools;
mod transfer;
