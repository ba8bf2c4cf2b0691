//! In which messages do the frames of 20 ms leave? One each, or five together, and on a bad day twice or in disorder.

use super::dialect::Dialect;
use crate::line::Line;
use tokio_tungstenite::tungstenite::Message;

#[derive(Debug)]
pub(super) struct Packets {
    frames_per_message: u32,
    /// What the next message will carry, as it is on the wire, and since when.
    pub audio: Vec<u8>,
    began_ms: Option<u64>,
    /// Frames of it got lost.
    lost: bool,
    swaps: u32,
    repeats: u32,
    held: Option<Message>,
}

impl Packets {
    pub fn of(frames_per_message: u32) -> Self {
        Self {
            frames_per_message,
            audio: Vec::new(),
            began_ms: None,
            lost: false,
            swaps: 0,
            repeats: 0,
            held: None,
        }
    }

    /// A frame begins that will be sent.
    pub fn begin(&mut self, at_ms: u64) {
        self.began_ms.get_or_insert(at_ms);
    }

    pub fn lose(&mut self) {
        self.lost = true;
    }

    /// The frame with this number is over, sent or not.
    pub fn frame_over(&mut self, frame: u32, dialect: &mut dyn Dialect, line: &mut Line) {
        if (frame + 1).is_multiple_of(self.frames_per_message) {
            self.send(dialect, line);
        }
    }

    /// The next `pairs` of messages leave in reverse order.
    pub fn swap(&mut self, pairs: u32) {
        self.swaps = self.swaps.saturating_add(pairs);
    }

    /// The next `messages` leave twice.
    pub fn repeat(&mut self, messages: u32) {
        self.repeats = self.repeats.saturating_add(messages);
    }

    /// Whatever is still here leaves.
    pub fn send_rest(&mut self, dialect: &mut dyn Dialect, line: &mut Line) {
        self.send(dialect, line);
        self.held.take().into_iter().for_each(|message| line.post(message));
    }

    fn send(&mut self, dialect: &mut dyn Dialect, line: &mut Line) {
        let lost = std::mem::take(&mut self.lost);
        let Some(began_ms) = self.began_ms.take() else {
            if lost {
                dialect.skip();
            }
            return;
        };
        let message = dialect.media(began_ms, &self.audio);
        self.audio.clear();
        let held = match (self.held.take(), self.swaps) {
            (None, 1..) => return self.held = Some(message),
            (held, _) => held,
        };
        self.swaps -= u32::from(held.is_some());
        for message in [Some(message), held].into_iter().flatten() {
            if self.repeats > 0 {
                self.repeats -= 1;
                line.post(message.clone());
            }
            line.post(message);
        }
    }
}
