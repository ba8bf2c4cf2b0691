//! Can a form crash a relay without an app? Input: a webhook's body, or a link's query.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| patchcord::standalone::poke(bytes));
