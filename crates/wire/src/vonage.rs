//! What a Vonage WebSocket says (NCCO `connect` to a `websocket`), and how to answer it.
//!
//! Audio travels in binary messages of 20 ms, 16-bit linear, the low byte first; everything else as JSON text. The
//! first message names the format, and what the main app put into `headers`, as fields of its own. Vonage does not
//! name its call there: the main app does, with a header `uuid`. Marks are called notifications, and a clear drops
//! those that are out. The buffer holds about a minute.
//! See <https://developer.vonage.com/en/voice/voice-api/concepts/websockets>.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use call::{CarrierCommand, CarrierEvent, MarkId, Pieces, Started};

use crate::{
    carrier::{
        FORMAT_CHANGED, Line, OTHER_FORMAT, Written,
        said::Said,
        voice::lag,
        words::{Malformed, key, our_mark},
    },
    sound::{Codec, Inward, Outward, Rate},
};

/// One stream of one call.
#[derive(Debug, Default)]
pub struct Vonage {
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    id: String,
    rate: Rate,
    inward: Inward,
    outward: Outward,
}

impl Line for Vonage {
    fn read(&mut self, text: &Bytes) -> Option<CarrierEvent> {
        self.understand(text).unwrap_or(Some(CarrierEvent::Malformed))
    }

    fn read_binary(&mut self, bytes: &Bytes) -> Option<CarrierEvent> {
        let Some(stream) = &mut self.stream else { return Some(CarrierEvent::Malformed) };
        if bytes.len() == frame(stream.rate) {
            return Some(CarrierEvent::Audio { at: None, audio: stream.inward.hear(bytes) });
        }
        let other = [Rate::Khz8, Rate::Khz16, Rate::Khz24].into_iter().any(|rate| bytes.len() == frame(rate));
        Some(if other { CarrierEvent::Unfit(FORMAT_CHANGED) } else { CarrierEvent::Malformed })
    }

    fn write(&mut self, command: &CarrierCommand, out: &mut BytesMut) -> Written {
        let Some(stream) = &mut self.stream else { return Written::Nothing };
        match command {
            CarrierCommand::Play(audio) => {
                stream.outward.say(audio, out);
                return Written::Binary { each: frame(stream.rate) };
            }
            CarrierCommand::Mark(MarkId(number)) => {
                out.put_slice(
                    format!(r#"{{"action":"notify","payload":{{"name":"m{number}"}}}}"#).as_bytes(),
                );
            }
            CarrierCommand::Clear => {
                stream.outward.begin_anew();
                out.put_slice(br#"{"action":"clear"}"#);
            }
            CarrierCommand::Ping | CarrierCommand::Close(_) => return Written::Nothing, // frames of the socket itself
        }
        Written::Text
    }

    fn stream_id(&self) -> Option<&str> {
        self.stream.as_ref().map(|stream| stream.id.as_str())
    }
}

impl Vonage {
    fn understand(&mut self, text: &Bytes) -> Result<Option<CarrierEvent>, Malformed> {
        let said = Said::read(text)?;
        match (said.text(&["/event"]).ok_or(Malformed)?, &self.stream) {
            ("websocket:notify", Some(_)) => {
                Ok(our_mark(said.text(&["/payload/name"]).ok_or(Malformed)?).map(CarrierEvent::Mark))
            }
            ("websocket:dtmf", Some(_)) => {
                let digit = said.text(&["/digit", "/dtmf/digit"]).ok_or(Malformed)?;
                key(digit).map(|key| Some(CarrierEvent::Key(key)))
            }
            ("websocket:connected", _) => self.start(&said).map(Some),
            ("websocket:notify" | "websocket:dtmf", None) => Err(Malformed),
            _ => Ok(None),
        }
    }

    fn start(&mut self, said: &Said) -> Result<CarrierEvent, Malformed> {
        let rate = said.text(&["/content-type"]).and_then(linear);
        if let Some(stream) = &self.stream {
            return if rate == Some(stream.rate) {
                Err(Malformed)
            } else {
                Ok(CarrierEvent::Unfit(FORMAT_CHANGED))
            };
        }
        let Some(rate) = rate else { return Ok(CarrierEvent::Unfit(OTHER_FORMAT)) };
        let codec = Codec::Linear(rate);
        let call_id = said.name(&["/uuid", "/call_uuid", "/conversation_uuid"]).unwrap_or_default();
        let id = if call_id.is_empty() { "vonage" } else { call_id };
        self.stream = Some(Stream {
            id: id.to_owned(),
            rate,
            inward: Inward::new(codec),
            outward: Outward::new(codec),
        });
        let mut parameters = said.parameters(&[""]);
        parameters.retain(|(name, _)| !matches!(name.as_str(), "event" | "content-type"));
        Ok(CarrierEvent::Started(Box::new(Started {
            stream_id: id.to_owned(),
            call_id: call_id.to_owned(),
            unnamed: call_id.is_empty(),
            account_id: None,
            parameters,
            pieces: Pieces { least: FRAME, step: FRAME, ahead: Some(AHEAD) },
            lag: lag(codec, codec),
        })))
    }
}

/// `audio/l16;rate=16000`.
fn linear(content_type: &str) -> Option<Rate> {
    let (kind, rate) = content_type.split_once(';')?;
    let rate = rate.trim().strip_prefix("rate=")?;
    kind.trim().eq_ignore_ascii_case("audio/l16").then(|| rate.parse().ok().and_then(Rate::of))?
}

/// Bytes in 20 ms.
fn frame(rate: Rate) -> usize {
    320 * rate.times()
}

const FRAME: Duration = Duration::from_millis(20);

/// The buffer holds 3,072 packets, 61 s; what is more would be thrown away.
const AHEAD: Duration = Duration::from_secs(50);
