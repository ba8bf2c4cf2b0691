//! Can any order of events break the rules of a call? Input: three bytes for each thing that happens.
#![no_main]

libfuzzer_sys::fuzz_target!(|story: &[u8]| call::fuzz::run(story, std::time::Instant::now()));
