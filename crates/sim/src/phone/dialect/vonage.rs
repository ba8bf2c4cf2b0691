//! How does Vonage say it? Audio in binary frames of 20 ms, and the rest in flat JSON without a single id.
//!
//! The first text frame is `connected` and `start` in one; the headers that the call was made with lie in it side by
//! side with its own fields. There is no `stop`: the socket just closes. A clear is answered, and forgets its notifies.

use super::{Carrier, Dialect, Facts, Fields, FromRelay};
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Message;

/// How long a key is held down.
const PRESS_MS: u64 = 260;

#[derive(Debug)]
pub(super) struct Vonage {
    facts: Facts,
    carrier: Carrier,
}

impl Vonage {
    pub fn new(facts: Facts, carrier: Carrier) -> Self {
        Self { facts, carrier }
    }
}

impl Dialect for Vonage {
    fn start(&mut self, carrier: Carrier) -> String {
        self.carrier = carrier;
        let encoding = self.facts.encoding("audio/l16");
        let mut fields: Map<String, Value> = self.facts.parameters();
        fields.insert("event".to_owned(), json!("websocket:connected"));
        fields.insert(
            "content-type".to_owned(),
            json!(format!("{encoding};rate={}", self.facts.rate(carrier.sends().rate()))),
        );
        Value::Object(fields).to_string()
    }

    fn media(&mut self, _at_ms: u64, audio: &[u8]) -> Message {
        Message::binary(audio.to_vec())
    }

    fn skip(&mut self) {}

    fn dtmf(&mut self, _at_ms: u64, digit: char) -> String {
        let pressed = json!({"digit": digit.to_string(), "duration": PRESS_MS});
        let mut message = if self.facts.odd.nested_digits { json!({ "dtmf": pressed }) } else { pressed };
        message["event"] = json!("websocket:dtmf");
        message.to_string()
    }

    fn mark(&mut self, name: &str) -> String {
        // A payload that is more than a name was kept whole.
        let whole = serde_json::from_str(name).ok().filter(Value::is_object);
        let payload = whole.unwrap_or_else(|| json!({ "name": name }));
        json!({"event": "websocket:notify", "payload": payload}).to_string()
    }

    fn cleared(&mut self) -> Option<String> {
        Some(json!({"event": "websocket:cleared"}).to_string())
    }

    fn read(&self, text: &str) -> Result<FromRelay, String> {
        let mut frame = Fields::of(text)?;
        let said = match &*frame.text("action")? {
            "notify" => {
                let payload = frame.object("payload")?.into_value();
                let name = payload["name"]
                    .as_str()
                    .filter(|_| payload.as_object().is_some_and(|all| all.len() == 1));
                FromRelay::Mark(name.map_or_else(|| payload.to_string(), str::to_owned))
            }
            "clear" => FromRelay::Clear,
            action => return Err(format!("unknown action {action:?}")),
        };
        frame.nothing_else().map(|()| said)
    }

    fn read_binary(&self, bytes: &[u8]) -> Result<FromRelay, String> {
        let frame = self.carrier.plays().frame_bytes();
        if bytes.len() == frame {
            Ok(FromRelay::Media(bytes.to_vec()))
        } else {
            Err(format!("{} bytes of audio in one message, and it must be {frame}", bytes.len()))
        }
    }
}
