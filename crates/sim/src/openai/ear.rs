//! Is somebody speaking? A plain voice detector over the appended audio, in the service's own clock.
//!
//! Milliseconds count audio appended in this session, not time that passed: a relay that leaves gaps in the caller's
//! audio shifts this clock, and one that sends nothing at all never sees the turn end.

use super::session::TurnDetection;
use crate::ulaw;

/// Louder than this is speech: about -34 dB, above line noise and below a whisper into the phone.
const LOUD: f64 = 600.0;
/// So many loud frames in a row begin a turn (60 ms): a click does not.
const FRAMES_TO_START: u32 = 3;

#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    Started { audio_start_ms: u64 },
    Stopped { audio_end_ms: u64 },
}

#[derive(Debug, Default)]
pub(super) struct Ear {
    /// Bytes appended in this session, and those not yet committed.
    appended: u64,
    pending: u64,
    part: Vec<u8>,
    loud: u32,
    quiet: u32,
    speaking: bool,
}

impl Ear {
    /// Takes appended audio; without turn detection it is only counted.
    pub fn hear(&mut self, audio: &[u8], turn: Option<&TurnDetection>) -> Vec<Heard> {
        let mut heard = Vec::new();
        self.pending += audio.len() as u64;
        let Some(turn) = turn else {
            self.appended += audio.len() as u64;
            return heard;
        };
        self.part.extend_from_slice(audio);
        let part = std::mem::take(&mut self.part);
        let mut frames = part.chunks_exact(ulaw::FRAME);
        for frame in frames.by_ref() {
            self.appended += frame.len() as u64;
            heard.extend(self.frame(ulaw::loudness(frame) >= LOUD, turn));
        }
        self.part = frames.remainder().to_vec();
        heard
    }

    fn frame(&mut self, loud: bool, turn: &TurnDetection) -> Option<Heard> {
        let now_ms = self.appended / ulaw::BYTES_PER_MS;
        self.loud = if loud { self.loud + 1 } else { 0 };
        self.quiet = if loud { 0 } else { self.quiet + 1 };
        if !self.speaking && self.loud >= FRAMES_TO_START {
            self.speaking = true;
            let began_ms = now_ms - u64::from(FRAMES_TO_START) * 20;
            return Some(Heard::Started {
                audio_start_ms: began_ms.saturating_sub(turn.prefix.as_millis() as u64),
            });
        }
        if self.speaking && u128::from(self.quiet) * 20 >= turn.silence.as_millis().max(20) {
            self.speaking = false;
            return Some(Heard::Stopped { audio_end_ms: now_ms });
        }
        None
    }

    /// A changed turn detection begins anew.
    pub fn forget_turn(&mut self) {
        (self.speaking, self.loud, self.quiet) = (false, 0, 0);
    }

    /// Takes what is pending into the conversation (or throws it away), and says how long it is.
    pub fn take_pending_ms(&mut self) -> u64 {
        std::mem::take(&mut self.pending) / ulaw::BYTES_PER_MS
    }

    pub fn pending_ms(&self) -> u64 {
        self.pending / ulaw::BYTES_PER_MS
    }

    pub fn appended_ms(&self) -> u64 {
        self.appended / ulaw::BYTES_PER_MS
    }

    pub fn is_speaking(&self) -> bool {
        self.speaking
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice;
    use std::time::Duration;

    fn turn(silence_ms: u64) -> TurnDetection {
        TurnDetection {
            prefix: Duration::from_millis(300),
            silence: Duration::from_millis(silence_ms),
            create_response: true,
            interrupt_response: true,
            idle_timeout: None,
        }
    }

    #[test]
    fn a_turn_begins_with_its_padding_and_ends_after_the_silence() {
        let mut ear = Ear::default();
        let quiet = ulaw::silence(Duration::from_secs(1));
        let said = voice::speech(Duration::from_secs(2), 1);
        assert_eq!(ear.hear(&quiet, Some(&turn(500))), []);
        let heard = ear.hear(&[said, quiet].concat(), Some(&turn(500)));
        let [Heard::Started { audio_start_ms }, Heard::Stopped { audio_end_ms }] = heard[..] else {
            panic!("{heard:?}");
        };
        assert!((700..=800).contains(&audio_start_ms), "{audio_start_ms}");
        assert!((3480..=3520).contains(&audio_end_ms), "{audio_end_ms}");
    }

    #[test]
    fn odd_pieces_are_heard_like_whole_frames_and_clicks_are_not_heard() {
        let mut ear = Ear::default();
        let click =
            [ulaw::tone(900.0, 0.9, Duration::from_millis(35)), ulaw::silence(Duration::from_secs(1))];
        assert_eq!(ear.hear(&click.concat(), Some(&turn(200))), []);
        let said = voice::speech(Duration::from_secs(1), 2);
        let heard: Vec<Heard> = said.chunks(37).flat_map(|piece| ear.hear(piece, Some(&turn(200)))).collect();
        assert_eq!(heard.len(), 1, "{heard:?}");
    }

    #[test]
    fn no_appended_audio_means_that_a_turn_never_ends() {
        let mut ear = Ear::default();
        ear.hear(&voice::speech(Duration::from_secs(1), 3), Some(&turn(200)));
        assert!(ear.is_speaking());
    }
}
