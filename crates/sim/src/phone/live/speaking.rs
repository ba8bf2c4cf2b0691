//! What does the caller's side do every 20 ms? It takes the next words, or silence, and sends them or loses them.

use super::{Live, lock};
use crate::{
    phone::{Opening, PhoneEvent, SILENT_FRAME},
    rates, ulaw,
};
use std::time::Duration;
use tokio::time::Instant;

impl Live {
    pub(super) fn speak(&mut self, now: Instant) {
        if self.options.opening != Opening::Full {
            // The tick still counts, so that waiting tests look again.
            return self.state.send_modify(|_| {});
        }
        let in_gap = self.gap_until.is_some_and(|until| now < until);
        let mut frame = SILENT_FRAME;
        let said = if in_gap { 0 } else { self.next_words(&mut frame) };
        if let Some((probe, call)) = &self.options.probe {
            probe.leaves_phone(*call, self.ticks, &mut frame);
        }
        let withheld = in_gap || self.frozen || (self.options.suppress_silence && said == 0);
        let lost = !withheld && self.lose > 0;
        let congested = !withheld && !lost && self.line.is_congested(now);
        let (goes, at_ms) = (!withheld && !lost && !congested, self.at_ms());
        self.pronounce(&frame, in_gap, goes);
        if lost || congested {
            self.packets.lose();
            self.lose -= u32::from(lost);
        } else if goes {
            self.packets.begin(at_ms);
        }
        self.packets.frame_over(self.ticks, &mut *self.dialect, &mut self.line);
        if self.options.record {
            let sound = if withheld || lost { &SILENT_FRAME } else { &frame };
            lock(&self.recording).caller_said(sound);
        }
        let (began, ended) = (said > 0 && !self.speaking, said == 0 && self.speaking);
        self.speaking = if in_gap { self.speaking } else { said > 0 };
        let to_say = self.left_to_say();
        let (played, queued) = self.position();
        self.state.send_modify(|state| {
            (state.played, state.queued) = (played, queued);
            state.frames_withheld += u64::from(withheld || lost);
            state.frames_congested += u64::from(congested);
            state.frames_sent += u64::from(goes);
            state.to_say = to_say;
            if began {
                state.speech_began = Some(now);
                state.note(now, PhoneEvent::SpeechBegan);
            }
            if ended && !in_gap {
                state.speech_ended = Some(now);
                state.note(now, PhoneEvent::SpeechEnded);
            }
        });
        if self.to_say.is_empty() {
            // Whoever waited may have gone; that is no failure.
            for done in self.waiting_for_said.drain(..) {
                let _ = done.send(());
            }
        }
    }

    /// The moment of the next frame, as timestamps have it.
    pub(super) fn at_ms(&self) -> u64 {
        self.options.first_timestamp_ms + u64::from(self.ticks) * 20
    }

    /// Brings a frame to the wire, or only past the mouth: the time goes by there too.
    fn pronounce(&mut self, frame: &[u8], in_gap: bool, goes: bool) {
        let next = self.to_say.iter().flatten().copied().take(if in_gap { 0 } else { rates::REACH });
        let ahead: Vec<u8> = next.collect();
        let before = self.packets.audio.len();
        self.mouth.speak(frame, &ahead, &mut self.packets.audio);
        if !goes {
            self.packets.audio.truncate(before);
        }
    }

    /// Fills `frame` with what is next to be said, and says how many bytes that were.
    fn next_words(&mut self, frame: &mut [u8]) -> usize {
        let mut filled = 0;
        while let (Some(words), true) = (self.to_say.front_mut(), filled < frame.len()) {
            let count = words.len().min(frame.len() - filled);
            frame[filled..filled + count].copy_from_slice(&words.split_to(count));
            filled += count;
            if words.is_empty() {
                self.to_say.pop_front();
            }
        }
        filled
    }

    pub(super) fn left_to_say(&self) -> Duration {
        ulaw::length_of(self.to_say.iter().map(|words| words.len() as u64).sum())
    }
}
