//! What does the agent's side do? It plays what was said, returns the marks it passes, and stops when told to.

use super::{Live, lock};
use crate::{
    phone::{Cleared, PhoneEvent, dialect::FromRelay, edge::Heard, playback::Passed},
    ulaw,
};
use std::time::Duration;
use tokio::time::Instant;

impl Live {
    pub(super) fn follow(&mut self, now: Instant, message: FromRelay) {
        match message {
            FromRelay::Media(audio) => self.hear(now, audio),
            FromRelay::Mark(name) => {
                if !self.playback.mark(name.clone()) {
                    self.violation(now, "too many pending marks".to_owned());
                }
                self.state.send_modify(|state| {
                    state.marks_received += 1;
                    state.note(now, PhoneEvent::Mark { name });
                });
                // With nothing queued it is passed already.
                self.play(now);
            }
            FromRelay::Clear => self.clear(now),
            FromRelay::Digit(digit) => self.state.send_modify(|state| state.pressed(&digit)),
        }
    }

    fn hear(&mut self, now: Instant, wire: Vec<u8>) {
        let begins = !self.playback.is_playing();
        if begins {
            self.ear.forget();
        }
        let Heard { amended, audio } = self.ear.hear(wire);
        self.playback.amend(&amended);
        if let Some((probe, _)) = &self.options.probe {
            probe.arrives_at_phone(&audio);
        }
        let bytes = audio.len();
        let lost = self.playback.queue(now, audio);
        if lost > 0 {
            self.ear.forget();
            self.violation(now, self.options.carrier.overflow(lost));
        }
        let (played, queued) = self.position();
        self.state.send_modify(|state| {
            state.media_messages += 1;
            state.media_bytes += bytes as u64;
            state.first_media_at.get_or_insert(now);
            state.last_media_at = Some(now);
            (state.played, state.queued) = (played, queued);
            state.note(now, PhoneEvent::Media { bytes });
            if begins {
                state.playing = true;
                state.playback_began = Some(now);
                state.runs += 1;
                state.note(now, PhoneEvent::PlaybackBegan);
            }
        });
    }

    pub(super) fn play(&mut self, now: Instant) {
        let Passed { marks, sound, ended } = self.playback.advance(now);
        if !sound.is_empty() {
            let mut recording = lock(&self.recording);
            sound.iter().for_each(|(at, piece)| recording.agent_played(*at, piece));
        }
        if marks.is_empty() && ended.is_none() {
            return;
        }
        self.return_marks(&marks);
        let (played, queued) = self.position();
        self.state.send_modify(|state| {
            (state.played, state.queued) = (played, queued);
            state.marks_returned += marks.len() as u64;
            marks.into_iter().for_each(|name| state.note(now, PhoneEvent::MarkReturned { name }));
            if let Some((bytes, at)) = ended {
                state.playing = false;
                state.quiet_since = Some(at);
                state.note(at, PhoneEvent::PlaybackRanDry { played: ulaw::length_of(bytes) });
            }
        });
    }

    /// Played and still queued.
    pub(super) fn position(&self) -> (Duration, Duration) {
        (ulaw::length_of(self.playback.played()), ulaw::length_of(self.playback.queued()))
    }

    fn return_marks(&mut self, names: &[String]) {
        if self.closing.is_some() {
            return;
        }
        for name in names {
            self.line.text(self.dialect.mark(name));
        }
    }

    fn clear(&mut self, now: Instant) {
        let carrier = self.options.carrier;
        if !self.options.clear_returns_marks.unwrap_or(carrier.clear_returns_marks()) {
            self.playback.forget_marks();
        }
        let emptied = self.playback.clear();
        self.ear.forget();
        self.return_marks(&emptied.marks);
        if let (Some(text), None) = (self.dialect.cleared(), self.closing) {
            self.line.text(text);
        }
        let cleared = Cleared {
            at: now,
            played: ulaw::length_of(emptied.played),
            played_in_all: ulaw::length_of(self.playback.played()),
            thrown_away: ulaw::length_of(emptied.thrown_away),
            unheard: emptied.unheard.into(),
            marks_returned: emptied.marks.len(),
        };
        self.state.send_modify(|state| {
            state.note(now, PhoneEvent::Clear);
            state.marks_returned += emptied.marks.len() as u64;
            emptied.marks.into_iter().for_each(|name| state.note(now, PhoneEvent::MarkReturned { name }));
            if state.playing {
                state.playing = false;
                state.quiet_since = Some(now);
            }
            (state.played, state.queued) = (cleared.played_in_all, Duration::ZERO);
            state.cleared(cleared);
        });
    }
}
