//! How does Exotel say it? In snake_case, in linear samples, a tenth of a second at a time, and without any timestamp.
//!
//! It wants large pieces back: at least 3,200 bytes, whole blocks of 320. The vendor's own sample writes camelCase; the
//! documents do not, and these are what counts here.

use super::{Carrier, Dialect, Facts, Fields, FromRelay, fields::length_within};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

const LEAST: usize = 3200;
const MOST: usize = 100_000;
const BLOCK: usize = 320;

#[derive(Debug)]
pub(super) struct Exotel {
    facts: Facts,
    sequence: u64,
}

impl Exotel {
    pub fn new(facts: Facts) -> Self {
        Self { facts, sequence: 0 }
    }

    fn wrap(&mut self, event: &str, body: Value) -> String {
        self.sequence += 1;
        let number = self.facts.number(self.sequence);
        json!({"event": event, "sequence_number": number, "stream_sid": self.facts.ids.stream_sid, event: body})
            .to_string()
    }
}

impl Dialect for Exotel {
    fn connected(&mut self) -> Option<String> {
        Some(json!({"event": "connected"}).to_string())
    }

    fn start(&mut self, carrier: Carrier) -> String {
        let ids = &self.facts.ids;
        let body = json!({
            "stream_sid": ids.stream_sid, "call_sid": ids.call_sid, "account_sid": ids.account_sid,
            "from": self.facts.from, "to": self.facts.to, "custom_parameters": self.facts.parameters(),
            "media_format": {
                "encoding": self.facts.encoding("audio/x-raw"), "sample_rate": self.facts.rate(carrier.sends().rate()).to_string(),
                "bit_rate": "16",
            },
        });
        self.wrap("start", body)
    }

    fn media(&mut self, _at_ms: u64, audio: &[u8]) -> Message {
        Message::text(self.wrap("media", json!({"payload": STANDARD.encode(audio)})))
    }

    fn skip(&mut self) {
        self.sequence += 1;
    }

    fn dtmf(&mut self, _at_ms: u64, digit: char) -> String {
        self.wrap("dtmf", json!({"digit": digit.to_string()}))
    }

    fn mark(&mut self, name: &str) -> String {
        self.wrap("mark", json!({"name": name}))
    }

    fn stop(&mut self) -> Option<String> {
        let ids = &self.facts.ids;
        let body = json!({"call_sid": ids.call_sid, "account_sid": ids.account_sid});
        Some(self.wrap("stop", body))
    }

    fn read(&self, text: &str) -> Result<FromRelay, String> {
        let mut frame = Fields::of(text)?;
        frame.id("stream_sid", &self.facts.ids.stream_sid)?;
        let said = match &*frame.text("event")? {
            "media" => {
                let audio = length_within(frame.object("media")?.only_payload()?, LEAST, MOST)?;
                if audio.len() % BLOCK != 0 {
                    return Err(format!("{} bytes of audio, which are no multiple of {BLOCK}", audio.len()));
                }
                FromRelay::Media(audio)
            }
            "mark" => FromRelay::Mark(frame.object("mark")?.only_text("name")?),
            "clear" => FromRelay::Clear,
            event => return Err(format!("unknown event {event:?}")),
        };
        frame.nothing_else().map(|()| said)
    }
}
