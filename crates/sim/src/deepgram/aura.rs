//! What does an Aura voice send, and when? The sound of its texts, faster than it is spoken.
//!
//! Text waits for the end of a sentence or a `Flush`. Sound carries no name, and what is on its way when a `Clear`
//! comes still arrives.

use super::{
    behaviour::{Speak, SpeakWhen, Trouble},
    ledger::{PartEnd, SpeakLedger, Utterance},
    sound::audio_of,
    strict,
};
use crate::{clips, line::Line, ulaw};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{collections::VecDeque, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tokio_util::sync::CancellationToken;

const MOST_LETTERS: usize = 2_000;
const MOST_FLUSHES: usize = 20;
const FLUSH_WINDOW: Duration = Duration::from_secs(60);
/// Texts waiting to be spoken. A client has one reply at a time.
const MOST_WAITING: usize = 1_000;

pub(super) struct AuraSpeaker {
    line: Line,
    speak: Speak,
    ledger: watch::Sender<SpeakLedger>,
    text: String,
    jobs: VecDeque<Job>,
    flushed_at: VecDeque<Instant>,
    sequence: u64,
    sent: Duration,
    stalled: bool,
    closing: bool,
    end: Option<PartEnd>,
}

enum Job {
    Sound { utterance: usize, rest: Bytes, taken: Instant, due: Instant },
    Flushed,
}

impl AuraSpeaker {
    pub fn new(line: Line, speak: Speak, ledger: watch::Sender<SpeakLedger>) -> Self {
        Self {
            line,
            speak,
            ledger,
            text: String::new(),
            jobs: VecDeque::new(),
            flushed_at: VecDeque::new(),
            sequence: 0,
            sent: Duration::ZERO,
            stalled: false,
            closing: false,
            end: None,
        }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        self.say(
            json!({ "type": "Metadata", "request_id": "pretend", "model_name": "aura-2", "model_uuid": "0" }),
        );
        self.happens(SpeakWhen::Connected);
        let alarm = sleep_until(Instant::now());
        tokio::pin!(alarm);
        while self.end.is_none() {
            let due = self.work();
            if self.end.is_some() {
                break;
            }
            if self.closing && self.jobs.is_empty() {
                self.line
                    .post(Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })));
                self.jobs.clear();
            }
            alarm.as_mut().reset(due.unwrap_or_else(|| Instant::now() + FLUSH_WINDOW));
            let message = tokio::select! {
                () = stop.cancelled() => break,
                message = self.line.receive(true) => message,
                () = alarm.as_mut() => continue,
            };
            match message {
                Some(Ok(Message::Text(text))) => self.obey(&text),
                Some(Ok(Message::Binary(_))) => {
                    self.violation("a binary message");
                    self.close(CloseCode::Unsupported, "MESSAGE-0000");
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None | Some(Err(_)) => {
                    self.end = Some(if self.closing { PartEnd::Closed } else { PartEnd::Vanished });
                }
            }
        }
        let end = self.end.take().unwrap_or(PartEnd::Ours);
        self.ledger.send_modify(|ledger| ledger.end = Some(end));
    }

    /// Does what is due, and says when the next is.
    fn work(&mut self) -> Option<Instant> {
        loop {
            match self.jobs.front_mut()? {
                Job::Flushed => {
                    self.jobs.pop_front();
                    self.sequence += 1;
                    self.say(json!({ "type": "Flushed", "sequence_id": self.sequence }));
                }
                Job::Sound { due, .. } if *due > Instant::now() => return Some(*due),
                Job::Sound { utterance, rest, taken, due } => {
                    let waited = taken.elapsed();
                    let piece = rest.split_to(rest.len().min(ulaw::bytes_of(self.speak.piece)));
                    let length = ulaw::length_of(piece.len() as u64);
                    *due += length.div_f64(self.speak.pace);
                    let (utterance, over) = (*utterance, rest.is_empty());
                    if over {
                        self.jobs.pop_front();
                    }
                    self.send(utterance, piece, length, waited);
                }
            }
            if self.end.is_some() {
                return None;
            }
        }
    }

    fn send(&mut self, utterance: usize, piece: Bytes, length: Duration, waited: Duration) {
        if !self.stalled {
            self.line.post(Message::Binary(piece));
            self.sent += length;
            self.ledger.send_modify(|ledger| {
                if let Some(utterance) = ledger.utterances.get_mut(utterance) {
                    utterance.first_sound.get_or_insert((Instant::now(), waited));
                    utterance.sent += length;
                }
            });
        }
        let sent = self.sent;
        while let Some(at) = self
            .speak
            .troubles
            .iter()
            .position(|(when, _)| matches!(when, SpeakWhen::SoundSent(after) if *after <= sent))
        {
            let (_, what) = self.speak.troubles.remove(at);
            self.trouble(what);
        }
    }

    fn say(&mut self, message: Value) {
        if !self.stalled {
            self.line.text(message.to_string());
        }
    }

    fn violation(&self, what: impl Into<String>) {
        self.ledger.send_modify(|ledger| ledger.violation(what));
    }

    fn obey(&mut self, text: &str) {
        if self.closing {
            return self.violation("a message after Close");
        }
        let allowed: &[(&'static str, &[&str])] =
            &[("Speak", &["text"]), ("Flush", &[]), ("Clear", &[]), ("Close", &[])];
        let (kind, message) = match strict::kind(text, allowed) {
            Ok(known) => known,
            Err(problem) => {
                self.violation(problem);
                return self.close(CloseCode::Policy, "DATA-0000");
            }
        };
        match kind {
            "Speak" => self.take_text(message["text"].as_str().unwrap_or("")),
            "Flush" => self.flush(),
            "Clear" => self.clear(),
            _ => {
                self.synthesise();
                self.closing = true;
            }
        }
    }

    fn take_text(&mut self, text: &str) {
        if text.trim().is_empty() {
            return self.violation("nothing to speak");
        }
        self.ledger.send_modify(|ledger| ledger.characters += text.chars().count() as u64);
        if text.chars().count() > MOST_LETTERS {
            self.violation("more than 2,000 letters at once");
            return self.close(CloseCode::Size, "BIG-0001");
        }
        if let Some(what) = strict::unspeakable(text) {
            self.violation(format!("{what} in {text:?}"));
        }
        self.text.push_str(text);
        // A boundary that it finds by itself.
        if self.text.trim_end().ends_with(['.', '!', '?', '…', '।', '。']) {
            self.synthesise();
        }
    }

    fn flush(&mut self) {
        let now = Instant::now();
        self.flushed_at.retain(|at| now < *at + FLUSH_WINDOW);
        self.flushed_at.push_back(now);
        if self.flushed_at.len() > MOST_FLUSHES {
            self.violation("more than 20 flushes a minute");
            return self
                .say(json!({ "type": "Warning", "code": "EXCESSIVE_FLUSH", "description": "ignored" }));
        }
        self.ledger.send_modify(|ledger| ledger.flushes += 1);
        self.synthesise();
        self.jobs.push_back(Job::Flushed);
    }

    fn synthesise(&mut self) {
        let text = std::mem::take(&mut self.text).trim().to_owned();
        if text.is_empty() || self.jobs.len() >= MOST_WAITING {
            return;
        }
        let sound = clips::spoken(&text).unwrap_or_else(|| audio_of(&text, self.speak.letter).into());
        let utterance = self.ledger.borrow().utterances.len();
        self.ledger.send_modify(|ledger| {
            ledger.utterances.push(Utterance {
                text,
                first_sound: None,
                sent: Duration::ZERO,
                cleared: false,
            });
        });
        let taken = Instant::now();
        self.jobs.push_back(Job::Sound { utterance, rest: sound, taken, due: taken + self.speak.first });
    }

    fn clear(&mut self) {
        self.text.clear();
        let mut in_flight = self.speak.in_flight;
        for job in std::mem::take(&mut self.jobs) {
            let Job::Sound { utterance, mut rest, .. } = job else { continue };
            while in_flight > 0 && !rest.is_empty() {
                in_flight -= 1;
                let piece = rest.split_to(rest.len().min(ulaw::bytes_of(self.speak.piece)));
                if !self.stalled {
                    self.line.post(Message::Binary(piece));
                }
            }
            self.ledger.send_modify(|ledger| {
                if let Some(utterance) = ledger.utterances.get_mut(utterance) {
                    utterance.cleared = true;
                }
            });
        }
        self.sequence += 1;
        self.ledger.send_modify(|ledger| ledger.clears += 1);
        self.say(json!({ "type": "Cleared", "sequence_id": self.sequence }));
    }

    fn close(&mut self, code: CloseCode, reason: &str) {
        self.line.post(Message::Close(Some(CloseFrame { code, reason: reason.to_owned().into() })));
    }

    fn happens(&mut self, when: SpeakWhen) {
        while let Some(at) = self.speak.troubles.iter().position(|(at, _)| *at == when) {
            let (_, what) = self.speak.troubles.remove(at);
            self.trouble(what);
        }
    }

    fn trouble(&mut self, what: Trouble) {
        match what {
            Trouble::Cut => self.end = Some(PartEnd::Ours),
            Trouble::Stall => {
                self.stalled = true;
                self.line.mute();
            }
            Trouble::Close(code, reason) => self.close(code.into(), &reason),
            Trouble::SendText(text) => self.line.text(text),
        }
    }
}
