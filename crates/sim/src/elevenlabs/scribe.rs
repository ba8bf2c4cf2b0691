//! What does Scribe say, and when? It goes by the sound's own clock; what a turn is, its client says with a commit.

use super::{Listening, ScribeLedger};
use crate::{
    deepgram::{ListenWhen, PartEnd, Trouble},
    line::Line,
    ulaw,
};
use base64::{Engine, engine::general_purpose::STANDARD};
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

/// Louder than this is speech, as for the others.
const LOUD: f64 = 600.0;
const FRAMES_TO_START: u32 = 3;
const FRAME_MS: u64 = 20;
const WORD_MS: u64 = 200;
const PARTIAL_MS: u64 = 240;
/// A commit needs so much sound.
const SHORTEST_SEGMENT: Duration = Duration::from_millis(300);
/// A segment that is not committed until then is committed here.
const LONGEST_SEGMENT: Duration = Duration::from_secs(90);
/// A client may be so far ahead of the clock.
const MOST_AHEAD: Duration = Duration::from_secs(8);
/// Without a message.
const IDLE: Duration = Duration::from_secs(20);

pub(super) struct Scribe {
    line: Line,
    listening: Listening,
    script: VecDeque<String>,
    ledger: watch::Sender<ScribeLedger>,
    began: Instant,
    client_spoke: Instant,
    part: Vec<u8>,
    heard: Duration,
    /// Since the last commit.
    segment: Duration,
    first_chunk: bool,
    loud: u32,
    turns: usize,
    speech: Option<Speech>,
    /// Transcripts on their way, and when they are due.
    due: VecDeque<(Instant, String, usize)>,
    stalled: bool,
    closing: bool,
    end: Option<PartEnd>,
}

/// What was heard of the caller since the last commit.
struct Speech {
    words: String,
    voiced_ms: u64,
    next_partial: u64,
}

impl Scribe {
    pub fn new(line: Line, listening: Listening, ledger: watch::Sender<ScribeLedger>) -> Self {
        let now = Instant::now();
        Self {
            line,
            script: listening.hears.iter().cloned().collect(),
            listening,
            ledger,
            began: now,
            client_spoke: now,
            part: Vec::new(),
            heard: Duration::ZERO,
            segment: Duration::ZERO,
            first_chunk: true,
            loud: 0,
            turns: 0,
            speech: None,
            due: VecDeque::new(),
            stalled: false,
            closing: false,
            end: None,
        }
    }

    /// `error` is said instead of everything.
    pub async fn run(mut self, error: Option<(String, String)>, stop: CancellationToken) {
        match error {
            Some((name, words)) => self.fail(&name, &words),
            None => {
                let config = json!({ "sample_rate": 8000, "audio_format": "ulaw_8000", "commit_strategy": "manual",
                                     "model_id": "scribe_v2_realtime", "include_timestamps": false });
                self.say(
                    json!({ "message_type": "session_started", "session_id": "pretend", "config": config }),
                );
            }
        }
        self.happens(ListenWhen::Connected);
        let alarm = sleep_until(Instant::now());
        tokio::pin!(alarm);
        while self.end.is_none() {
            self.commit_what_is_due();
            if self.end.is_some() {
                break;
            }
            let idle = self.client_spoke + IDLE;
            alarm.as_mut().reset(self.due.front().map_or(idle, |(due, ..)| idle.min(*due)));
            let message = tokio::select! {
                () = stop.cancelled() => break,
                message = self.line.receive(true) => message,
                () = alarm.as_mut() => {
                    if Instant::now() >= idle && !self.closing {
                        self.violation("no message for 20 s");
                        self.fail("insufficient_audio_activity", "no audio");
                    }
                    continue;
                }
            };
            match message {
                Some(Ok(Message::Text(text))) => {
                    self.client_spoke = Instant::now();
                    self.obey(&text);
                }
                Some(Ok(Message::Binary(_))) => self.wrong("a binary message"),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) => self.end = Some(PartEnd::Closed),
                None | Some(Err(_)) => self.end = Some(PartEnd::Vanished),
            }
        }
        let end = self.end.take().unwrap_or(PartEnd::Ours);
        self.ledger.send_modify(|ledger| ledger.end = Some(end));
    }

    fn obey(&mut self, text: &str) {
        let Ok(Value::Object(message)) = serde_json::from_str::<Value>(text) else {
            return self.wrong("not a JSON object");
        };
        const KNOWN: &[&str] = &["message_type", "audio_base_64", "commit", "sample_rate", "previous_text"];
        if let Some(name) = message.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return self.wrong(&format!("unknown field {name}"));
        }
        if message.get("message_type") != Some(&"input_audio_chunk".into()) {
            return self.wrong("no input_audio_chunk");
        }
        if message.get("sample_rate").is_some_and(|rate| *rate != 8000) {
            return self.wrong("another sample rate than the query's");
        }
        let first = std::mem::replace(&mut self.first_chunk, false);
        if message.contains_key("previous_text") && !first {
            return self.wrong("previous_text that is not in the first chunk");
        }
        let Some(audio) = message.get("audio_base_64").and_then(Value::as_str) else {
            return self.wrong("no audio_base_64");
        };
        let Ok(bytes) = STANDARD.decode(audio) else { return self.wrong("audio that is not base64") };
        self.hear(&bytes);
        match message.get("commit") {
            Some(Value::Bool(true)) => self.commit(),
            Some(Value::Bool(false)) | None => {}
            Some(_) => self.wrong("commit is not a boolean"),
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.part.extend_from_slice(bytes);
        let part = std::mem::take(&mut self.part);
        let mut frames = part.chunks_exact(ulaw::FRAME);
        for frame in frames.by_ref() {
            self.frame(ulaw::loudness(frame) >= LOUD);
        }
        self.part = frames.remainder().to_vec();
        let length = ulaw::length_of(bytes.len() as u64);
        self.heard += length;
        self.segment += length;
        if self.heard > self.began.elapsed() + MOST_AHEAD {
            self.violation("sound far faster than it is spoken");
            self.fail("queue_overflow", "audio faster than real time");
        }
        let heard = self.heard;
        self.ledger.send_modify(|ledger| ledger.heard = heard);
        if self.segment > LONGEST_SEGMENT {
            self.violation("no commit for 90 s");
            self.commit();
        }
    }

    fn frame(&mut self, loud: bool) {
        self.loud = if loud { self.loud + 1 } else { 0 };
        if self.speech.is_none() && self.loud >= FRAMES_TO_START {
            let words = self.script.pop_front().unwrap_or_else(|| self.listening.fallback.clone());
            self.speech = Some(Speech { words, voiced_ms: 0, next_partial: 60 });
            self.turns += 1;
            self.happens(ListenWhen::TurnStarted(self.turns));
        }
        let Some(speech) = self.speech.as_mut().filter(|_| loud) else { return };
        speech.voiced_ms += FRAME_MS;
        if speech.voiced_ms >= speech.next_partial {
            speech.next_partial += PARTIAL_MS;
            let count = 1 + (speech.voiced_ms / WORD_MS) as usize;
            let text = speech.words.split(' ').take(count).collect::<Vec<_>>().join(" ");
            self.say(json!({ "message_type": "partial_transcript", "text": text }));
        }
    }

    fn commit(&mut self) {
        let segment = std::mem::take(&mut self.segment);
        self.ledger.send_modify(|ledger| ledger.commits += 1);
        if segment < SHORTEST_SEGMENT {
            self.violation(format!("a commit of {segment:?}"));
            return self.fail("commit_throttled", "too little audio since the last commit");
        }
        let words = self.speech.take().map(|speech| speech.words);
        let number = if words.is_some() { self.turns } else { 0 };
        let due = Instant::now() + self.listening.committed_after;
        self.due.push_back((due, words.unwrap_or_default(), number));
    }

    fn commit_what_is_due(&mut self) {
        while let Some((_, words, number)) = self.due.pop_front_if(|(due, ..)| *due <= Instant::now()) {
            self.say(json!({ "message_type": "committed_transcript", "text": words }));
            if number > 0 {
                self.ledger.send_modify(|ledger| ledger.turns.push(words));
                self.happens(ListenWhen::TurnEnded(number));
            }
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

    fn wrong(&mut self, what: &str) {
        self.violation(what);
        self.fail("input_error", what);
    }

    fn fail(&mut self, name: &str, words: &str) {
        self.say(json!({ "message_type": name, "error": words }));
        self.closing = true;
        self.close(CloseCode::Policy, name);
    }

    fn close(&mut self, code: CloseCode, reason: &str) {
        self.line.post(Message::Close(Some(CloseFrame { code, reason: reason.to_owned().into() })));
    }

    fn happens(&mut self, when: ListenWhen) {
        while let Some(at) = self.listening.troubles.iter().position(|(at, _)| *at == when) {
            match self.listening.troubles.remove(at).1 {
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
