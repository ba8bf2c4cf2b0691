//! The caller's voice, cut anew: carriers send 20 ms at a time, ears hear better in longer pieces.

use bytes::{Bytes, BytesMut};
use call::{Audio, ulaw};

#[derive(Debug, Default)]
pub(crate) struct Chunks {
    waiting: BytesMut,
    /// Bytes that went out since somebody asked.
    sent: u64,
}

impl Chunks {
    /// Adds sound; complete pieces of so many bytes come out.
    pub fn push(&mut self, audio: &Audio, piece: usize, mut out: impl FnMut(Bytes)) {
        self.waiting.extend_from_slice(&audio.decode());
        while self.waiting.len() >= piece {
            self.sent += piece as u64;
            out(self.waiting.split_to(piece).freeze());
        }
    }

    /// What is left over, before a word about the turn. May be empty.
    pub fn rest(&mut self) -> Bytes {
        self.sent += self.waiting.len() as u64;
        self.waiting.split().freeze()
    }

    /// How much went out since this was last asked.
    pub fn take_seconds(&mut self) -> f64 {
        ulaw::duration(std::mem::take(&mut self.sent)).as_secs_f64()
    }
}
