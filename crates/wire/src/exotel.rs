//! What an Exotel stream says (Voicebot applet, Connect API), and how to answer it.
//!
//! Audio is 16-bit linear, the low byte first, at the rate that the stream's address asks for. Exotel wants it in
//! pieces of at least 3,200 bytes, each a multiple of 320, and plays others badly. Its documentation writes names with
//! underscores, its own sample without: both are read, the documented ones are written.
//! See <https://docs.exotel.com/exotel-agentstream/agentstream>.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use call::{CarrierCommand, CarrierEvent, Pieces, Started};

use crate::{
    carrier::{
        FORMAT_CHANGED, Line, OTHER_FORMAT, Written,
        hearing::Hearing,
        said::{Envelope, Said},
        voice::{Voice, lag},
        words::{Malformed, key, our_mark},
    },
    sound::{Codec, Rate},
};

/// One stream of one call.
#[derive(Debug, Default)]
pub struct Exotel {
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    id: String,
    rate: Rate,
    hearing: Hearing,
    voice: Voice,
}

impl Line for Exotel {
    fn read(&mut self, text: &Bytes) -> Option<CarrierEvent> {
        match self.understand(text) {
            Ok(Some(event)) => Some(event),
            Ok(None) => self.more(),
            Err(Malformed) => Some(CarrierEvent::Malformed),
        }
    }

    fn more(&mut self) -> Option<CarrierEvent> {
        self.stream.as_mut()?.hearing.next()
    }

    fn write(&mut self, command: &CarrierCommand, out: &mut BytesMut) -> Written {
        self.stream.as_mut().map_or(Written::Nothing, |stream| stream.voice.write(command, out))
    }

    fn stream_id(&self) -> Option<&str> {
        self.stream.as_ref().map(|stream| stream.id.as_str())
    }
}

impl Exotel {
    fn understand(&mut self, text: &Bytes) -> Result<Option<CarrierEvent>, Malformed> {
        let Envelope { event, media } = serde_json::from_slice(text)?;
        match (&*event.0, &mut self.stream) {
            ("media", Some(stream)) => {
                stream.hearing.take(text, media.ok_or(Malformed)?)?;
                Ok(None)
            }
            ("mark", Some(_)) => {
                let said = Said::read(text)?;
                Ok(our_mark(said.text(&["/mark/name"]).ok_or(Malformed)?).map(CarrierEvent::Mark))
            }
            ("dtmf", Some(_)) => {
                let said = Said::read(text)?;
                key(said.text(&["/dtmf/digit"]).ok_or(Malformed)?).map(|key| Some(CarrierEvent::Key(key)))
            }
            ("stop", Some(stream)) => {
                stream.hearing.ends_with(CarrierEvent::Stopped);
                Ok(None)
            }
            ("start", _) => self.start(&Said::read(text)?).map(Some),
            ("" | "media" | "mark" | "dtmf" | "stop", _) => Err(Malformed),
            _ => Ok(None),
        }
    }

    fn start(&mut self, said: &Said) -> Result<CarrierEvent, Malformed> {
        let encoding = said.text(&["/start/media_format/encoding", "/start/mediaFormat/encoding"]);
        let rate = said.number(&["/start/media_format/sample_rate", "/start/mediaFormat/sampleRate"]);
        let is_linear = encoding.is_none_or(|name| LINEAR.contains(&name.to_ascii_lowercase().as_str()));
        let rate = rate.and_then(Rate::of).filter(|_| is_linear);
        if let Some(stream) = &self.stream {
            return if rate == Some(stream.rate) {
                Err(Malformed)
            } else {
                Ok(CarrierEvent::Unfit(FORMAT_CHANGED))
            };
        }
        let ids = ["/stream_sid", "/streamSid", "/start/stream_sid", "/start/streamSid"];
        let id = said.name(&ids).ok_or(Malformed)?;
        let call_id = said.name(&["/start/call_sid", "/start/callSid"]).ok_or(Malformed)?;
        let Some(rate) = rate else { return Ok(CarrierEvent::Unfit(OTHER_FORMAT)) };
        let codec = Codec::Linear(rate);
        let voice = Voice::new(
            (format!(r#"{{"event":"media","stream_sid":"{id}","media":{{"payload":""#), r#""}}"#),
            (format!(r#"{{"event":"mark","stream_sid":"{id}","mark":{{"name":"m"#), r#""}}"#),
            format!(r#"{{"event":"clear","stream_sid":"{id}"}}"#),
            codec,
        );
        self.stream = Some(Stream { id: id.to_owned(), rate, hearing: Hearing::new(codec), voice });
        Ok(CarrierEvent::Started(Box::new(Started {
            stream_id: id.to_owned(),
            call_id: call_id.to_owned(),
            account_id: said.name(&["/start/account_sid", "/start/accountSid"]).map(str::to_owned),
            parameters: said.parameters(&["/start/custom_parameters", "/start/customParameters"]),
            pieces: Pieces { least: least(rate), step: FRAME, ahead: None },
            lag: lag(codec, codec),
        })))
    }
}

/// The shortest piece of at least 3,200 bytes that is whole frames of 20 ms, which are multiples of 320 at each rate.
fn least(rate: Rate) -> Duration {
    match rate {
        Rate::Khz8 => FRAME * 10,
        Rate::Khz16 => FRAME * 5,
        Rate::Khz24 => FRAME * 4,
    }
}

const FRAME: Duration = Duration::from_millis(20);

/// What 16-bit linear audio is called, there and elsewhere. Base64 is how it travels.
const LINEAR: [&str; 8] =
    ["audio/x-raw", "audio/x-l16", "audio/l16", "raw/slin", "slin", "pcm", "linear16", "base64"];
