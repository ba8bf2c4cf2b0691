//! How does SignalWire say it? As Twilio does, but for the small differences that break a careless reader.
//!
//! `start` and `media` have no `streamSid` outside, `customParameters` may be missing, `stop` carries no object, and the
//! relay may ask for a key press.

use super::{Carrier, Dialect, Facts, Fields, FromRelay, fields::length_within};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// Longest media message a relay should send: 1 s.
const MOST: usize = 8000;
/// How long a key is held down.
const PRESS_MS: u64 = 260;

#[derive(Debug)]
pub(super) struct SignalWire {
    facts: Facts,
    sequence: u64,
    chunk: u64,
}

impl SignalWire {
    pub fn new(facts: Facts) -> Self {
        Self { facts, sequence: 0, chunk: 0 }
    }

    fn numbered(&mut self, event: &str) -> Value {
        self.sequence += 1;
        json!({"event": event, "sequenceNumber": self.facts.number(self.sequence)})
    }

    /// With the stream's id outside.
    fn addressed(&mut self, event: &str) -> Value {
        let mut message = self.numbered(event);
        message["streamSid"] = json!(self.facts.ids.stream_sid);
        message
    }
}

impl Dialect for SignalWire {
    fn connected(&mut self) -> Option<String> {
        Some(json!({"event": "connected", "protocol": "Call", "version": "0.2.0"}).to_string())
    }

    fn start(&mut self, _: Carrier) -> String {
        let mut message = self.numbered("start");
        message["start"] = json!({
            "accountSid": self.facts.ids.account_sid, "callSid": self.facts.ids.call_sid,
            "streamSid": self.facts.ids.stream_sid, "tracks": self.facts.tracks(),
            "mediaFormat": {"encoding": self.facts.encoding("audio/x-mulaw"), "sampleRate": self.facts.rate(8000), "channels": 1},
        });
        if !self.facts.parameters.is_empty() {
            message["start"]["customParameters"] = Value::Object(self.facts.parameters());
        }
        message.to_string()
    }

    fn media(&mut self, at_ms: u64, audio: &[u8]) -> Message {
        self.chunk += 1;
        let mut message = self.numbered("media");
        message["media"] = json!({
            "track": self.facts.track(), "chunk": self.facts.number(self.chunk),
            "timestamp": self.facts.number(at_ms), "payload": STANDARD.encode(audio),
        });
        Message::text(message.to_string())
    }

    fn skip(&mut self) {
        self.sequence += 1;
        self.chunk += 1;
    }

    fn dtmf(&mut self, _at_ms: u64, digit: char) -> String {
        let mut message = self.addressed("dtmf");
        message["dtmf"] = json!({"digit": digit.to_string(), "duration": PRESS_MS});
        message.to_string()
    }

    fn mark(&mut self, name: &str) -> String {
        let mut message = self.addressed("mark");
        message["mark"] = json!({ "name": name });
        message.to_string()
    }

    fn stop(&mut self) -> Option<String> {
        Some(self.addressed("stop").to_string())
    }

    fn read(&self, text: &str) -> Result<FromRelay, String> {
        let mut frame = Fields::of(text)?;
        frame.id("streamSid", &self.facts.ids.stream_sid)?;
        let said = match &*frame.text("event")? {
            "media" => FromRelay::Media(length_within(frame.object("media")?.only_payload()?, 1, MOST)?),
            "mark" => FromRelay::Mark(frame.object("mark")?.only_text("name")?),
            "clear" => FromRelay::Clear,
            "dtmf" => {
                let digit = frame.object("dtmf")?.only_text("digit")?;
                if digit.len() != 1 || !digit.contains(|one: char| "0123456789*#ABCD".contains(one)) {
                    return Err(format!("{digit:?} is no key"));
                }
                FromRelay::Digit(digit)
            }
            event => return Err(format!("unknown event {event:?}")),
        };
        frame.nothing_else().map(|()| said)
    }
}
