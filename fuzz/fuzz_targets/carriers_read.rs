//! Can any carrier crash us, or make sound out of nothing? Input: messages, one per line; behind a zero byte, binary ones.
#![no_main]

libfuzzer_sys::fuzz_target!(|lines: &[u8]| wire::fuzz::carriers(lines));
