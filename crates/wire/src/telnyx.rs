//! What a Telnyx stream says (`streaming_start`, or TeXML `<Connect><Stream>`), and how to answer it.
//!
//! The caller's codec follows the telephone: a European line brings A-law, whatever was asked for. What we send is
//! another matter, `stream_bidirectional_codec`, and no message names it: µ-law, unless the stream's parameter `codec`
//! says PCMA. Frames may come out of order. The token stands in `connected` as well as in a header.
//! See <https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming>.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use call::{CarrierCommand, CarrierEvent, Pieces, Started};

use crate::{
    carrier::{
        FORMAT_CHANGED, Line, OTHER_FORMAT, Written,
        hearing::Hearing,
        said::{Envelope, Said},
        voice::{Voice, lag},
        words::{Malformed, complaint, key, our_mark},
    },
    sound::Codec,
};

/// One stream of one call.
#[derive(Debug, Default)]
pub struct Telnyx {
    /// As it stood in `connected`.
    token: Option<String>,
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    id: String,
    codec: Codec,
    hearing: Hearing,
    voice: Voice,
}

impl Line for Telnyx {
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

impl Telnyx {
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
            ("error", _) => {
                let said = Said::read(text)?;
                let places = ["/payload/detail", "/payload/title", "/payload/message", "/payload/code"];
                Ok(said.text(&places).map(complaint))
            }
            ("connected", None) => {
                let said = Said::read(text)?;
                self.token = said.text(&["/x-telnyx-streaming-auth-token"]).map(str::to_owned);
                Ok(None)
            }
            ("start", _) => self.start(&Said::read(text)?).map(Some),
            ("" | "media" | "mark" | "dtmf" | "stop", _) => Err(Malformed),
            _ => Ok(None),
        }
    }

    fn start(&mut self, said: &Said) -> Result<CarrierEvent, Malformed> {
        let heard = codec(said.text(&["/start/media_format/encoding"]));
        let rate = said.number(&["/start/media_format/sample_rate"]) == Some(8_000);
        let heard =
            heard.filter(|_| rate && said.number(&["/start/media_format/channels"]).unwrap_or(1) == 1);
        if let Some(stream) = &self.stream {
            return if heard == Some(stream.codec) {
                Err(Malformed)
            } else {
                Ok(CarrierEvent::Unfit(FORMAT_CHANGED))
            };
        }
        let id = said.name(&["/stream_id", "/start/stream_id"]).ok_or(Malformed)?;
        let call_id = said.name(&["/start/call_control_id"]).ok_or(Malformed)?;
        let mut parameters = said.parameters(&["/start/custom_parameters"]);
        let wanted = parameters.iter().find(|(name, _)| name == "codec").map(|(_, value)| value.as_str());
        let spoken = wanted.map_or(Some(Codec::Ulaw), |wanted| codec(Some(wanted)));
        let (Some(heard), Some(spoken)) = (heard, spoken) else {
            return Ok(CarrierEvent::Unfit(OTHER_FORMAT));
        };
        if let Some(token) = self.token.take().filter(|_| !parameters.iter().any(|(name, _)| name == "token"))
        {
            parameters.push(("token".to_owned(), token));
        }
        let voice = Voice::new(
            (r#"{"event":"media","media":{"payload":""#.to_owned(), r#""}}"#),
            (r#"{"event":"mark","mark":{"name":"m"#.to_owned(), r#""}}"#),
            r#"{"event":"clear"}"#.to_owned(),
            spoken,
        );
        self.stream = Some(Stream { id: id.to_owned(), codec: heard, hearing: Hearing::new(heard), voice });
        Ok(CarrierEvent::Started(Box::new(Started {
            stream_id: id.to_owned(),
            call_id: call_id.to_owned(),
            account_id: said.name(&["/start/user_id"]).map(str::to_owned),
            parameters,
            pieces: Pieces { least: SHORTEST, ..Pieces::default() },
            lag: lag(heard, spoken),
        })))
    }
}

fn codec(name: Option<&str>) -> Option<Codec> {
    match name? {
        "PCMU" => Some(Codec::Ulaw),
        "PCMA" => Some(Codec::Alaw),
        _ => None,
    }
}

/// Telnyx takes pieces from 20 ms to 30 s.
const SHORTEST: Duration = Duration::from_millis(20);
