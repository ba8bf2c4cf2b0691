//! How does Telnyx say it? In snake_case, numbers as strings, and with the codec of the phone's leg.
//!
//! The token of the header is repeated in `connected`. What comes to Telnyx needs no id, and what comes from it may be
//! in another order than it was sent.

use super::{Carrier, Dialect, Facts, Fields, FromRelay, fields::length_within};
use crate::phone::{Sound, ids::fresh_uuid, route::TELNYX_HEADER};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// 20 ms and 30 s, a byte a sample.
const LEAST: usize = 160;
const MOST: usize = 30 * 8000;

#[derive(Debug)]
pub(super) struct Telnyx {
    facts: Facts,
    session: String,
    plays: &'static str,
    sequence: u64,
    chunk: u64,
}

impl Telnyx {
    pub fn new(facts: Facts, carrier: Carrier) -> Self {
        Self { facts, session: fresh_uuid(), plays: codec(carrier.plays()), sequence: 0, chunk: 0 }
    }

    fn wrap(&mut self, event: &str, body: Value) -> String {
        self.sequence += 1;
        let number = self.facts.number(self.sequence);
        json!({"event": event, "sequence_number": number, "stream_id": self.facts.ids.stream_sid, event: body})
            .to_string()
    }
}

fn codec(sound: Sound) -> &'static str {
    match sound {
        Sound::G711(law) => law.codec(),
        Sound::Linear { .. } => "L16",
    }
}

impl Dialect for Telnyx {
    fn connected(&mut self) -> Option<String> {
        let mut connected = json!({"event": "connected", "version": "1.0.0"});
        if let Some((name, token)) = self.facts.headers.iter().find(|(name, _)| name == TELNYX_HEADER) {
            connected[name] = json!(token);
        }
        Some(connected.to_string())
    }

    fn start(&mut self, carrier: Carrier) -> String {
        self.plays = codec(carrier.plays());
        let encoding = self.facts.encoding(codec(carrier.sends())).to_owned();
        let body = json!({
            "call_control_id": self.facts.ids.call_sid, "call_session_id": self.session,
            "user_id": self.facts.ids.account_sid, "from": self.facts.from, "to": self.facts.to,
            "client_state": STANDARD.encode("{\"t\":7}"),
            "custom_parameters": self.facts.parameters(),
            "media_format": {"encoding": encoding, "sample_rate": self.facts.rate(8000), "channels": 1},
        });
        self.wrap("start", body)
    }

    fn media(&mut self, at_ms: u64, audio: &[u8]) -> Message {
        self.chunk += 1;
        let body = json!({
            "track": self.facts.track(), "chunk": self.facts.number(self.chunk),
            "timestamp": self.facts.number(at_ms), "payload": STANDARD.encode(audio),
        });
        Message::text(self.wrap("media", body))
    }

    fn skip(&mut self) {
        self.sequence += 1;
        self.chunk += 1;
    }

    fn dtmf(&mut self, _at_ms: u64, digit: char) -> String {
        self.wrap("dtmf", json!({"digit": digit.to_string()}))
    }

    fn mark(&mut self, name: &str) -> String {
        self.wrap("mark", json!({"name": name}))
    }

    fn stop(&mut self) -> Option<String> {
        let ids = &self.facts.ids;
        let body = json!({"call_control_id": ids.call_sid, "user_id": ids.account_sid});
        Some(self.wrap("stop", body))
    }

    fn read(&self, text: &str) -> Result<FromRelay, String> {
        let mut frame = Fields::of(text)?;
        frame.id_if_there("stream_id", &self.facts.ids.stream_sid)?;
        let said = match &*frame.text("event")? {
            "media" => {
                let audio = frame.object("media")?.only_payload()?;
                if is_mp3(&audio) {
                    return Err(format!("mp3, and the stream was started with {}", self.plays));
                }
                FromRelay::Media(length_within(audio, LEAST, MOST)?)
            }
            "mark" => FromRelay::Mark(frame.object("mark")?.only_text("name")?),
            "clear" => FromRelay::Clear,
            event => return Err(format!("unknown event {event:?}")),
        };
        frame.nothing_else().map(|()| said)
    }
}

/// What the other mode of a stream takes: it would be noise in this one. Two frame headers at the right distance are no
/// accident, a single one could be.
fn is_mp3(audio: &[u8]) -> bool {
    audio.starts_with(b"ID3") || mp3_frame(audio).and_then(|length| mp3_frame(audio.get(length..)?)).is_some()
}

/// The length of the layer III frame that begins here.
fn mp3_frame(audio: &[u8]) -> Option<usize> {
    const KBITS: [[usize; 14]; 2] = [
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    ];
    let [0xFF, version, bits, ..] = *audio else { return None };
    // 11 bits of sync; MPEG 1, 2 or 2.5; layer III.
    let (halved, quartered) = match version & 0xFE {
        0xFA => (false, false),
        0xF2 => (true, false),
        0xE2 => (true, true),
        _ => return None,
    };
    let kbits = *KBITS[usize::from(halved)].get(usize::from(bits >> 4).checked_sub(1)?)?;
    let rate = [44_100, 48_000, 32_000].get(usize::from(bits >> 2 & 3))?
        >> (u32::from(halved) + u32::from(quartered));
    let samples = if halved { 72 } else { 144 };
    Some(samples * kbits * 1000 / rate + usize::from(bits >> 1 & 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mp3_is_told_from_telephone_bytes() {
        let mut mp3 = vec![0; 417 * 2];
        for at in [0, 417] {
            mp3[at..at + 4].copy_from_slice(&[0xFF, 0xFB, 0x90, 0x00]); // 128 kbit/s at 44.1 kHz
        }
        assert!(is_mp3(&mp3) && is_mp3(b"ID3\x04rest"));
        mp3[418] = 0;
        assert!(!is_mp3(&mp3), "one header is an accident");
        assert!(
            !is_mp3(&[0xFF; 500]) && !is_mp3(&crate::voice::speech(std::time::Duration::from_secs(1), 1))
        );
    }
}
