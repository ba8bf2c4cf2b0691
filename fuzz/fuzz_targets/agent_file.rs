//! Can an agent's file crash us, as TOML or as JSON? Input: the file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| patchcord::agent_file::poke(bytes));
