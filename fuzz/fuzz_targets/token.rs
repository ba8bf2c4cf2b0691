//! Can a token crash us? Input: a token, or what one holds when it is opened.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| patchcord::gate::poke::poke(bytes));
