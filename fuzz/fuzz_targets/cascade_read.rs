//! Can Deepgram or a language model crash us? Input: messages, one per line, and the same as a stream.
#![no_main]

libfuzzer_sys::fuzz_target!(|lines: &[u8]| wire::fuzz::cascade(lines));
