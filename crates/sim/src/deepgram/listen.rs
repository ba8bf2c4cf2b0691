//! What does a connection that listens say, and when? It goes by the sound's own clock, never by the wall's.
//!
//! Whoever sends no sound hears nothing back: no turn ends. That is how the service is.

use super::{
    behaviour::{Listen, ListenWhen, Trouble},
    ledger::{ListenLedger, PartEnd},
    strict,
};
use crate::{line::Line, ulaw};
use serde_json::{Value, json};
use std::{collections::VecDeque, time::Duration};
use tokio::{sync::watch, time::Instant};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tokio_util::sync::CancellationToken;

/// Louder than this is speech, as for the pretend OpenAI.
const LOUD: f64 = 600.0;
/// So many loud frames in a row begin a turn.
const FRAMES_TO_START: u32 = 3;
const FRAME_MS: u64 = 20;
/// Words are recognised about so fast.
const WORD_MS: u64 = 200;
const UPDATE_MS: u64 = 240;
/// A client may be so far ahead of the clock.
const MOST_AHEAD: Duration = Duration::from_secs(5);

pub(super) struct Listener {
    line: Line,
    script: VecDeque<String>,
    listen: Listen,
    ledger: watch::Sender<ListenLedger>,
    flux: bool,
    eager: bool,
    silence_ms: u64,
    utterance_end_ms: Option<u64>,
    began: Instant,
    part: Vec<u8>,
    heard_ms: u64,
    loud: u32,
    quiet_ms: u64,
    turn: Option<Turn>,
    turns: usize,
    /// Nova's word about an utterance is still to come.
    utterance: bool,
    stalled: bool,
    closing: bool,
    end: Option<PartEnd>,
}

/// A turn of the caller that is going on.
struct Turn {
    /// What is said up to each pause.
    parts: Vec<String>,
    pauses: usize,
    voiced_ms: u64,
    next_update: u64,
    guessed: bool,
}

impl Turn {
    /// All words up to the pause that the caller makes now.
    fn said(&self) -> String {
        self.parts[..self.parts.len().min(self.pauses + 1)].join(" ")
    }

    /// The words that were recognised so far.
    fn so_far(&self) -> String {
        let words = 1 + (self.voiced_ms / WORD_MS) as usize;
        self.said().split(' ').take(words).collect::<Vec<_>>().join(" ")
    }
}

impl Listener {
    pub fn new(line: Line, listen: Listen, ledger: watch::Sender<ListenLedger>) -> Self {
        let (flux, find) = {
            let seen = ledger.borrow();
            let find = |name: &str| {
                seen.query
                    .iter()
                    .find(|(key, _)| key == name)
                    .and_then(|(_, value)| value.parse::<f64>().ok())
            };
            let found =
                (find("endpointing"), find("utterance_end_ms"), find("eager_eot_threshold").is_some());
            (seen.version == 2, found)
        };
        let (endpointing, utterance_end, eager) = find;
        let own = listen.silence.as_millis() as u64;
        Self {
            script: listen.hears.iter().cloned().collect(),
            silence_ms: if flux { own } else { endpointing.map_or(own, |ms| ms as u64).max(FRAME_MS) },
            utterance_end_ms: utterance_end.map(|ms| ms as u64),
            line,
            listen,
            ledger,
            flux,
            eager,
            began: Instant::now(),
            part: Vec::new(),
            heard_ms: 0,
            loud: 0,
            quiet_ms: 0,
            turn: None,
            turns: 0,
            utterance: false,
            stalled: false,
            closing: false,
            end: None,
        }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        if self.flux {
            self.say(json!({ "type": "Connected", "request_id": "pretend", "sequence_id": 0 }));
        }
        self.happens(ListenWhen::Connected);
        while self.end.is_none() {
            let message = tokio::select! {
                () = stop.cancelled() => break,
                message = self.line.receive(true) => message,
            };
            match message {
                Some(Ok(Message::Binary(bytes))) => self.hear(&bytes),
                Some(Ok(Message::Text(text))) => self.obey(&text),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None | Some(Err(_)) => {
                    self.end = Some(if self.closing { PartEnd::Closed } else { PartEnd::Vanished });
                }
            }
        }
        let end = self.end.take().unwrap_or(PartEnd::Ours);
        self.ledger.send_modify(|ledger| ledger.end = Some(end));
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
        let allowed: &[(&'static str, &[&str])] = if self.flux {
            &[
                ("CloseStream", &[]),
                ("ForceEndTurn", &[]),
                ("Configure", &["thresholds", "keyterms", "language_hints", "numerals"]),
            ]
        } else {
            &[
                ("KeepAlive", &[]),
                ("Finalize", &["channel"]),
                ("CloseStream", &[]),
                ("Configure", &["keyterms", "features"]),
            ]
        };
        if self.closing {
            self.violation("a message after CloseStream");
        }
        let (kind, _) = match strict::kind(text, allowed) {
            Ok(known) => known,
            Err(problem) => {
                self.violation(problem.clone());
                self.say(
                    json!({ "type": "Error", "code": "UNPARSABLE_CLIENT_MESSAGE", "description": problem }),
                );
                return self.close(CloseCode::Policy, "DATA-0000");
            }
        };
        self.ledger.send_modify(|ledger| ledger.messages.push(kind.to_owned()));
        match kind {
            "CloseStream" => {
                self.closing = true;
                if !self.flux {
                    self.say(json!({ "type": "Metadata", "request_id": "pretend", "duration": self.heard_ms as f64 / 1_000.0, "channels": 1 }));
                }
                self.line.post(Message::Close(None));
            }
            "ForceEndTurn" | "Finalize" => self.force_end(),
            _ => {}
        }
    }

    fn close(&mut self, code: CloseCode, reason: &str) {
        self.line.post(Message::Close(Some(CloseFrame { code, reason: reason.to_owned().into() })));
        self.closing = true;
    }

    fn hear(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            self.violation("an empty binary message");
        }
        if self.closing {
            return self.violation("sound after CloseStream");
        }
        self.part.extend_from_slice(bytes);
        let part = std::mem::take(&mut self.part);
        let mut frames = part.chunks_exact(ulaw::FRAME);
        for frame in frames.by_ref() {
            self.heard_ms += FRAME_MS;
            self.frame(ulaw::loudness(frame) >= LOUD);
        }
        self.part = frames.remainder().to_vec();
        let heard = Duration::from_millis(self.heard_ms);
        if heard > self.began.elapsed() + MOST_AHEAD {
            self.violation("sound far faster than it is spoken");
        }
        self.ledger.send_modify(|ledger| ledger.heard = heard);
    }

    fn frame(&mut self, loud: bool) {
        self.loud = if loud { self.loud + 1 } else { 0 };
        self.quiet_ms = if loud { 0 } else { self.quiet_ms + FRAME_MS };
        if self.turn.is_none() {
            if self.loud >= FRAMES_TO_START {
                self.begin();
            } else if self.utterance && self.utterance_end_ms.is_some_and(|after| self.quiet_ms >= after) {
                self.utterance = false;
                self.say(json!({ "type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 1.0 }));
            }
            return;
        }
        if loud {
            self.goes_on();
        } else if self.quiet_ms >= self.silence_ms {
            self.finish("model");
        } else if self.eager && self.quiet_ms >= self.listen.eager.as_millis() as u64 {
            self.guess();
        }
        self.update();
    }

    fn begin(&mut self) {
        let script = self.script.pop_front().unwrap_or_else(|| self.listen.fallback.clone());
        let parts: Vec<String> = script.split('|').map(|part| part.trim().to_owned()).collect();
        self.turns += 1;
        let turn = Turn { parts, pauses: 0, voiced_ms: 60, next_update: UPDATE_MS, guessed: false };
        let words = turn.so_far();
        self.turn = Some(turn);
        if self.flux {
            self.turn_info("StartOfTurn", &words, None);
        } else {
            self.results(&words, false, false);
        }
        self.happens(ListenWhen::TurnStarted(self.turns));
    }

    fn goes_on(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        turn.voiced_ms += FRAME_MS;
        if std::mem::take(&mut turn.guessed) {
            turn.pauses += 1;
            let words = turn.so_far();
            self.ledger.send_modify(|ledger| ledger.resumed += 1);
            self.turn_info("TurnResumed", &words, None);
        }
    }

    fn guess(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        if !std::mem::replace(&mut turn.guessed, true) {
            let words = turn.said();
            self.ledger.send_modify(|ledger| ledger.guesses += 1);
            self.turn_info("EagerEndOfTurn", &words, None);
        }
    }

    fn update(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        if turn.voiced_ms < turn.next_update || turn.guessed {
            return;
        }
        turn.next_update += UPDATE_MS;
        let words = turn.so_far();
        if self.flux {
            self.turn_info("Update", &words, None);
        } else {
            self.results(&words, false, false);
        }
    }

    fn force_end(&mut self) {
        if self.turn.is_some() {
            self.finish("manual");
        } else if self.flux {
            self.say(json!({ "type": "Warning", "code": "FORCE_END_TURN_NO_ACTIVE_TURN", "description": "no turn" }));
        }
    }

    fn finish(&mut self, trigger: &str) {
        let Some(turn) = self.turn.take() else { return };
        let words = turn.said();
        self.ledger.send_modify(|ledger| ledger.turns.push(words.clone()));
        if self.flux {
            self.turn_info("EndOfTurn", &words, Some(trigger));
        } else {
            self.utterance = true;
            self.results(&words, true, true);
        }
        self.happens(ListenWhen::TurnEnded(self.turns));
    }

    fn turn_info(&mut self, event: &str, words: &str, trigger: Option<&str>) {
        let end = self.heard_ms as f64 / 1_000.0;
        let mut message = json!({
            "type": "TurnInfo", "request_id": "pretend", "sequence_id": self.heard_ms, "event": event,
            "turn_index": self.turns - 1, "audio_window_start": 0.0, "audio_window_end": end, "transcript": words,
            "words": [], "end_of_turn_confidence": 0.5,
        });
        if let Some(trigger) = trigger {
            message["trigger"] = trigger.into();
        }
        self.say(message);
    }

    fn results(&mut self, words: &str, is_final: bool, speech_final: bool) {
        self.say(json!({
            "type": "Results", "channel_index": [0, 1], "start": 0.0, "duration": 1.0, "is_final": is_final,
            "speech_final": speech_final, "from_finalize": false,
            "channel": { "alternatives": [{ "transcript": words, "confidence": 0.98, "words": [] }] },
            "metadata": { "request_id": "pretend" },
        }));
    }

    fn happens(&mut self, when: ListenWhen) {
        while let Some(at) = self.listen.troubles.iter().position(|(at, _)| *at == when) {
            let (_, what) = self.listen.troubles.remove(at);
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
}
