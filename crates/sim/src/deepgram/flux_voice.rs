//! What does a Flux voice send, and when? Turns, one after the other, each with its beginning and its end.
//!
//! Its clock is the session's: everything that the client has played since the connection opened. An interruption sets
//! it back to what was played, and must be beyond the one before.

use super::{
    behaviour::{Speak, SpeakWhen, Trouble},
    ledger::{Interruption, PartEnd, SpeakLedger, Utterance},
    sound::audio_of,
    strict,
};
use crate::{line::Line, ulaw};
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

/// Without a message or a ping of the client.
const IDLE: Duration = Duration::from_secs(60);
/// A client's clock may be so far ahead of ours.
const TOLERANCE: Duration = Duration::from_millis(60);
const MOST_TURNS: usize = 16;
const MOST_LETTERS: usize = 100_000;

pub(super) struct FluxSpeaker {
    line: Line,
    speak: Speak,
    ledger: watch::Sender<SpeakLedger>,
    /// The first is being spoken.
    turns: VecDeque<Turn>,
    made: u64,
    /// Where the present turn begins on the session's clock, and where the last interruption was.
    begins: Duration,
    cut_at: Duration,
    sent: Duration,
    client_spoke: Instant,
    stalled: bool,
    closing: bool,
    end: Option<PartEnd>,
}

#[derive(Default)]
struct Turn {
    id: String,
    /// Text that is not spoken yet, up to the next end of a sentence.
    text: String,
    letters: usize,
    /// Which utterances it has.
    utterances: Vec<usize>,
    jobs: VecDeque<Job>,
    sent: Duration,
    started: bool,
    flushed: bool,
}

struct Job {
    utterance: usize,
    rest: Bytes,
    taken: Instant,
    due: Instant,
}

impl FluxSpeaker {
    pub fn new(line: Line, speak: Speak, ledger: watch::Sender<SpeakLedger>) -> Self {
        Self {
            line,
            speak,
            ledger,
            turns: VecDeque::new(),
            made: 0,
            begins: Duration::ZERO,
            cut_at: Duration::ZERO,
            sent: Duration::ZERO,
            client_spoke: Instant::now(),
            stalled: false,
            closing: false,
            end: None,
        }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        self.say(json!({ "type": "Connected", "request_id": "pretend", "model_name": "flux-kit-en",
                         "model_version": "2026.06.01", "model_uuids": ["0"] }));
        self.happens(SpeakWhen::Connected);
        let alarm = sleep_until(Instant::now());
        tokio::pin!(alarm);
        while self.end.is_none() {
            let due = self.work();
            if self.end.is_some() {
                break;
            }
            if self.closing && self.turns.is_empty() {
                self.say(json!({ "type": "SessionMetadata", "total_audio_duration_ms": millis(self.begins),
                                 "total_input_character_count": 0, "total_billable_character_count": 0 }));
                self.close(CloseCode::Normal, "");
            }
            let idle = self.client_spoke + IDLE;
            alarm.as_mut().reset(due.unwrap_or(idle).min(idle));
            let message = tokio::select! {
                () = stop.cancelled() => break,
                message = self.line.receive(true) => message,
                () = alarm.as_mut() => {
                    if Instant::now() >= idle {
                        self.violation("no message and no ping for 60 s");
                        self.fail("NET-0004", "no message for 60 s");
                    }
                    continue;
                }
            };
            self.client_spoke = Instant::now();
            match message {
                Some(Ok(Message::Text(text))) => self.obey(&text),
                Some(Ok(Message::Binary(_))) => {
                    self.violation("a binary message");
                    self.fail("MESSAGE-0000", "a binary message");
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
        while self.end.is_none() {
            let turn = self.turns.front_mut()?;
            let Some(job) = turn.jobs.front_mut() else {
                if !turn.flushed {
                    return None;
                }
                self.turn_is_over();
                continue;
            };
            if job.due > Instant::now() {
                return Some(job.due);
            }
            let (utterance, waited) = (job.utterance, job.taken.elapsed());
            let piece = job.rest.split_to(job.rest.len().min(ulaw::bytes_of(self.speak.piece)));
            let length = ulaw::length_of(piece.len() as u64);
            job.due += length.div_f64(self.speak.pace);
            if job.rest.is_empty() {
                turn.jobs.pop_front();
            }
            let first = !std::mem::replace(&mut turn.started, true);
            let id = turn.id.clone();
            if first {
                self.say(json!({ "type": "SpeechStarted", "speech_id": id }));
            }
            self.send(utterance, piece, length, waited);
        }
        None
    }

    fn send(&mut self, utterance: usize, piece: Bytes, length: Duration, waited: Duration) {
        if !self.stalled {
            self.line.post(Message::Binary(piece));
            self.sent += length;
            if let Some(turn) = self.turns.front_mut() {
                turn.sent += length;
            }
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

    fn turn_is_over(&mut self) {
        let Some(turn) = self.turns.pop_front() else { return };
        self.begins += turn.sent;
        self.say(json!({ "type": "Flushed", "speech_id": turn.id }));
        let metadata = self.metadata(&turn);
        self.say(with_type("SpeechMetadata", metadata));
    }

    fn metadata(&self, turn: &Turn) -> Value {
        json!({ "speech_id": turn.id, "audio_duration_ms": millis(turn.sent), "input_character_count": turn.letters,
                "billable_character_count": turn.letters,
                "controls_applied": { "pronunciations_applied": 0, "breaks_applied": 0, "pronunciation_warnings": 0 } })
    }

    fn obey(&mut self, text: &str) {
        if self.closing {
            return self.violation("a message after Close");
        }
        let allowed: &[(&'static str, &[&str])] = &[
            ("Speak", &["text"]),
            ("Flush", &[]),
            ("Interrupt", &["playback_offset"]),
            ("Configure", &["speed"]),
            ("Close", &[]),
        ];
        let (kind, message) = match strict::kind(text, allowed) {
            Ok(known) => known,
            Err(problem) => {
                self.violation(problem);
                return self.fail("MESSAGE-0000", "The message could not be parsed.");
            }
        };
        match kind {
            "Speak" => self.take_text(message["text"].as_str().unwrap_or("")),
            "Flush" => self.flush(),
            "Interrupt" => self.interrupt(message.get("playback_offset")),
            "Configure" => {
                self.say(json!({ "type": "ConfigureSuccess", "applied": { "speed": message["speed"] } }));
            }
            _ => {
                self.turns.iter_mut().for_each(|turn| turn.flushed = true);
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
        if let Some(what) = strict::unspeakable(text) {
            self.violation(format!("{what} in {text:?}"));
        }
        if self.turns.back().is_none_or(|turn| turn.flushed) {
            if self.turns.len() >= MOST_TURNS {
                return self.violation("too many turns at once");
            }
            self.made += 1;
            self.turns.push_back(Turn { id: format!("dg_sp_{:012}", self.made), ..Turn::default() });
        }
        let Some(turn) = self.turns.back_mut() else { return };
        // It adds no spaces: words that are not kept apart become one.
        let joins = turn.text.ends_with(char::is_alphanumeric) && text.starts_with(char::is_alphanumeric);
        turn.letters += text.chars().count();
        turn.text.push_str(text);
        let too_long = turn.letters > MOST_LETTERS;
        let complete = turn.text.trim_end().ends_with(['.', '!', '?', ',', '…', '।', '。']);
        if joins {
            self.violation(format!("words run together before {text:?}"));
        }
        if too_long {
            return self.fail("BIG-0000", "too much text");
        }
        if complete {
            self.synthesise();
        }
    }

    fn flush(&mut self) {
        self.ledger.send_modify(|ledger| ledger.flushes += 1);
        match self.turns.back_mut().filter(|turn| !turn.flushed) {
            Some(turn) => {
                turn.flushed = true;
                self.synthesise();
            }
            None => {
                self.violation("Flush without a turn");
                self.warn("NO_ACTIVE_SPEECH");
            }
        }
    }

    /// The newest turn's text becomes sound.
    fn synthesise(&mut self) {
        let Some(turn) = self.turns.back_mut() else { return };
        let text = std::mem::take(&mut turn.text).trim().to_owned();
        if text.is_empty() {
            return;
        }
        let sound = Bytes::from(audio_of(&text, self.speak.letter));
        let utterance = self.ledger.borrow().utterances.len();
        let taken = Instant::now();
        turn.utterances.push(utterance);
        turn.jobs.push_back(Job { utterance, rest: sound, taken, due: taken + self.speak.first });
        self.ledger.send_modify(|ledger| {
            ledger.utterances.push(Utterance {
                text,
                first_sound: None,
                sent: Duration::ZERO,
                cleared: false,
            });
        });
    }

    fn interrupt(&mut self, offset: Option<&Value>) {
        let at =
            offset.map(|offset| (offset["type"] == "time_ms").then(|| offset["value"].as_u64()).flatten());
        let at = match at {
            Some(None) => {
                self.violation(format!("a playback_offset that is none: {offset:?}"));
                return self.fail("MESSAGE-0000", "The message could not be parsed.");
            }
            Some(Some(ms)) => Some(Duration::from_millis(ms)),
            None => None,
        };
        if self.sent.is_zero() {
            return self.warn("NO_AUDIO_GENERATED");
        }
        if at.is_some_and(|at| at <= self.cut_at && !self.cut_at.is_zero()) {
            self.violation(format!("an offset of {at:?} after one of {:?}", self.cut_at));
            return self.warn("INVALID_INTERRUPT_OFFSET");
        }
        let Some(mut turn) = self.turns.pop_front() else { return self.warn("NO_ACTIVE_SPEECH") };
        if at.is_some_and(|at| at > self.begins + turn.sent + TOLERANCE) {
            self.violation(format!("more was heard ({at:?}) than sent ({:?})", self.begins + turn.sent));
        }
        let mut in_flight = self.speak.in_flight;
        for job in &mut turn.jobs {
            while in_flight > 0 && !job.rest.is_empty() && !self.stalled {
                in_flight -= 1;
                let piece = job.rest.split_to(job.rest.len().min(ulaw::bytes_of(self.speak.piece)));
                self.line.post(Message::Binary(piece));
            }
        }
        let (spoken, remaining) = self.split(&turn, at.unwrap_or_default().saturating_sub(self.begins));
        let now = at.unwrap_or(self.begins + turn.sent);
        self.ledger.send_modify(|ledger| {
            for utterance in &turn.utterances {
                ledger.utterances[*utterance].cleared = true;
            }
            ledger.interruptions.push(Interruption { offset: at, spoken: spoken.clone() });
        });
        (self.begins, self.cut_at) = (now, now);
        let metadata = self.metadata(&turn);
        let mut answer =
            json!({ "type": "SpeechInterrupted", "audio_played_ms": millis(now), "metadata": metadata });
        if at.is_some() {
            answer["text_spoken"] = spoken.into();
            answer["text_remaining"] = remaining.into();
        }
        self.say(answer);
    }

    /// The turn's text before and after so much of its sound, cut at a word.
    fn split(&self, turn: &Turn, heard: Duration) -> (String, String) {
        let ledger = self.ledger.borrow();
        let mut left = (heard.as_secs_f64() / self.speak.letter.as_secs_f64()) as usize;
        let (mut spoken, mut remaining) = (Vec::new(), Vec::new());
        for utterance in &turn.utterances {
            for word in ledger.utterances[*utterance].text.split(' ') {
                let letters = word.chars().count();
                if remaining.is_empty() && letters <= left {
                    spoken.push(word);
                } else {
                    remaining.push(word);
                }
                left = left.saturating_sub(letters + 1);
            }
            left += 1; // no space is spoken between two of them
        }
        remaining.push(&turn.text);
        (spoken.join(" "), remaining.join(" "))
    }

    fn say(&mut self, message: Value) {
        if !self.stalled {
            self.line.text(message.to_string());
        }
    }

    fn warn(&mut self, code: &str) {
        self.say(json!({ "type": "Warning", "code": code, "description": "The request will be ignored." }));
    }

    fn fail(&mut self, code: &str, words: &str) {
        self.say(json!({ "type": "Error", "code": code, "description": words }));
        self.close(CloseCode::Error, code);
    }

    fn violation(&self, what: impl Into<String>) {
        self.ledger.send_modify(|ledger| ledger.violation(what));
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

fn with_type(kind: &str, mut message: Value) -> Value {
    message["type"] = kind.into();
    message
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}
