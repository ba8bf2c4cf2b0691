//! How does Plivo say it? With numbers that are numbers, times that are moments, and every event's extra headers.
//!
//! There is no `connected`, and no `stop`: the socket just closes. What is elsewhere a mark is a checkpoint here, which
//! comes back as `playedStream`.

use super::{Carrier, Dialect, Facts, Fields, FromRelay, fields::length_within};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_tungstenite::tungstenite::Message;

const ENCODING: &str = "audio/x-mulaw";
const RATE: u32 = 8000;
/// Longest media message a relay should send: 1 s.
const MOST: usize = 8000;

#[derive(Debug)]
pub(super) struct Plivo {
    facts: Facts,
    /// When the stream began, in ms since 1970.
    epoch_ms: u64,
    sequence: u64,
    chunk: u64,
}

impl Plivo {
    pub fn new(facts: Facts) -> Self {
        let epoch_ms =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        Self { facts, epoch_ms, sequence: 0, chunk: 0 }
    }

    /// The first is number 0.
    fn numbered(&mut self, event: &str) -> Value {
        let message = json!({"event": event, "sequenceNumber": self.sequence});
        self.sequence += 1;
        message
    }

    fn addressed(&mut self, event: &str) -> Value {
        let mut message = self.numbered(event);
        message["streamId"] = json!(self.facts.ids.stream_sid);
        message
    }

    /// An object, written into a string.
    fn extra_headers(&self) -> Value {
        json!(Value::Object(self.facts.parameters()).to_string())
    }

    fn moment(&self, at_ms: u64) -> Value {
        json!((self.epoch_ms + at_ms).to_string())
    }
}

impl Dialect for Plivo {
    fn start(&mut self, _: Carrier) -> String {
        let mut message = self.numbered("start");
        message["extra_headers"] = self.extra_headers();
        message["start"] = json!({
            "callId": self.facts.ids.call_sid, "streamId": self.facts.ids.stream_sid,
            "accountId": self.facts.ids.account_sid, "tracks": self.facts.tracks(),
            "mediaFormat": {"encoding": self.facts.encoding(ENCODING), "sampleRate": self.facts.rate(RATE)},
        });
        message.to_string()
    }

    fn media(&mut self, at_ms: u64, audio: &[u8]) -> Message {
        self.chunk += 1;
        let mut message = self.addressed("media");
        message["extra_headers"] = self.extra_headers();
        message["media"] = json!({
            "track": self.facts.track(), "timestamp": self.moment(at_ms), "chunk": self.chunk,
            "payload": STANDARD.encode(audio),
        });
        Message::text(message.to_string())
    }

    fn skip(&mut self) {
        self.sequence += 1;
        self.chunk += 1;
    }

    fn dtmf(&mut self, at_ms: u64, digit: char) -> String {
        let mut message = self.addressed("dtmf");
        message["extra_headers"] = self.extra_headers();
        message["dtmf"] =
            json!({"track": "inbound", "digit": digit.to_string(), "timestamp": self.moment(at_ms)});
        message.to_string()
    }

    fn mark(&mut self, name: &str) -> String {
        let mut message = self.addressed("playedStream");
        message["name"] = json!(name);
        message.to_string()
    }

    fn cleared(&mut self) -> Option<String> {
        Some(self.addressed("clearedAudio").to_string())
    }

    fn read(&self, text: &str) -> Result<FromRelay, String> {
        let mut frame = Fields::of(text)?;
        let stream = &self.facts.ids.stream_sid;
        let said = match &*frame.text("event")? {
            "playAudio" => {
                frame.id_if_there("streamId", stream)?;
                let mut media = frame.object("media")?;
                let (kind, rate) = (media.text("contentType")?, media.number("sampleRate")?);
                if (kind.as_str(), rate) != (ENCODING, u64::from(RATE)) {
                    return Err(format!("{kind} at {rate}, and the stream is {ENCODING} at {RATE}"));
                }
                FromRelay::Media(length_within(media.only_payload()?, 1, MOST)?)
            }
            "checkpoint" => {
                frame.id("streamId", stream)?;
                FromRelay::Mark(frame.text("name")?)
            }
            "clearAudio" => {
                frame.id("streamId", stream)?;
                FromRelay::Clear
            }
            event => return Err(format!("unknown event {event:?}")),
        };
        frame.nothing_else().map(|()| said)
    }
}
