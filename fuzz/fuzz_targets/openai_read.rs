//! Can a provider crash us? Input: messages, one per line.
#![no_main]

libfuzzer_sys::fuzz_target!(|lines: &[u8]| wire::fuzz::openai(lines));
