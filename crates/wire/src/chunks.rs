//! The caller's voice, cut anew: carriers send 20 ms at a time, ears hear better in longer pieces.

use bytes::{Bytes, BytesMut};
use call::Audio;

#[derive(Debug, Default)]
pub(crate) struct Chunks {
    waiting: BytesMut,
}

impl Chunks {
    /// Adds sound; complete pieces of so many bytes come out.
    pub fn push(&mut self, audio: &Audio, piece: usize, mut out: impl FnMut(Bytes)) {
        self.waiting.extend_from_slice(&audio.decode());
        while self.waiting.len() >= piece {
            out(self.waiting.split_to(piece).freeze());
        }
    }

    /// What is left over, before a word about the turn. May be empty.
    pub fn rest(&mut self) -> Bytes {
        self.waiting.split().freeze()
    }
}
