//! What did the call sound like? Both sides on one time line, the agent's as it was played.

use crate::{ulaw, wav};
use std::path::Path;
use tokio::time::Instant;

/// Longer calls are recorded up to here: one hour, 29 MB a side.
const MAX_BYTES: usize = 3600 * 8000;

/// µ-law, both sides beginning when the stream began.
#[derive(Clone, Debug)]
pub struct Recording {
    began: Instant,
    pub caller: Vec<u8>,
    pub agent: Vec<u8>,
}

impl Recording {
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, caller: Vec::new(), agent: Vec::new() }
    }

    pub(crate) fn caller_said(&mut self, audio: &[u8]) {
        append(&mut self.caller, audio);
    }

    pub(crate) fn agent_played(&mut self, at: Instant, audio: &[u8]) {
        let position = ulaw::bytes_of(at.saturating_duration_since(self.began)).min(MAX_BYTES);
        if self.agent.len() < position {
            self.agent.resize(position, ulaw::SILENCE);
        }
        append(&mut self.agent, audio);
    }

    /// Stereo, 8 kHz, 16 bit: the caller left, the agent right.
    pub fn write_wav(&self, path: &Path) -> Result<(), wav::WavError> {
        wav::write_stereo(path, &self.caller, &self.agent)
    }
}

fn append(side: &mut Vec<u8>, audio: &[u8]) {
    let room = MAX_BYTES.saturating_sub(side.len());
    side.extend_from_slice(&audio[..audio.len().min(room)]);
}
