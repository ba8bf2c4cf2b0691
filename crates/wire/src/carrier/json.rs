//! A stream in JSON with base64 in it, as most carriers have one: `start`, `media`, `dtmf`, a mark, perhaps `stop`.
//!
//! What differs from vendor to vendor is small, and [`Vendor`] asks for it. (Twilio, who sends most calls and has
//! nothing to put right, is read by a file of its own.)

use bytes::{Bytes, BytesMut};
use call::{CarrierCommand, CarrierEvent, RefusalCode, Started};

use super::{
    FORMAT_CHANGED, Line, Written,
    hearing::Hearing,
    said::{Envelope, Said},
    voice::Voice,
    words::{Malformed, key, our_mark},
};
use crate::sound::Codec;

/// One vendor's ways.
pub(crate) trait Vendor: std::fmt::Debug + Default + Send {
    /// The event that says that a mark was reached, and where in it the mark's name is.
    const MARK: (&'static str, &'static str);

    /// In what the caller's voice comes, by the message that starts the stream.
    fn codec(said: &Said) -> Option<Codec>;

    /// The stream starts. What cannot carry a call is refused by name.
    fn start(&mut self, said: &Said) -> Result<Result<Start, RefusalCode>, Malformed>;

    /// An event that is not like others'.
    fn other(&mut self, _event: &str, _text: &Bytes) -> Result<Option<CarrierEvent>, Malformed> {
        Ok(None)
    }
}

/// A stream that can carry a call.
pub(crate) struct Start {
    pub started: Started,
    pub codec: Codec,
    pub voice: Voice,
}

/// One stream of one call.
#[derive(Debug, Default)]
pub(crate) struct Json<V> {
    vendor: V,
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    id: String,
    codec: Codec,
    hearing: Hearing,
    voice: Voice,
}

impl<V: Vendor> Line for Json<V> {
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

impl<V: Vendor> Json<V> {
    fn understand(&mut self, text: &Bytes) -> Result<Option<CarrierEvent>, Malformed> {
        let Envelope { event, media } = serde_json::from_slice(text)?;
        let (mark, mark_name) = V::MARK;
        match (&*event.0, &mut self.stream) {
            ("media", Some(stream)) => {
                stream.hearing.take(text, media.ok_or(Malformed)?);
                Ok(None)
            }
            ("stop", Some(stream)) => {
                stream.hearing.ends_with(CarrierEvent::Stopped);
                Ok(None)
            }
            ("dtmf", Some(_)) => {
                let said = Said::read(text)?;
                key(said.text(&["/dtmf/digit"]).ok_or(Malformed)?).map(|key| Some(CarrierEvent::Key(key)))
            }
            ("start", _) => self.start(&Said::read(text)?).map(Some),
            (name, Some(_)) if name == mark => {
                let said = Said::read(text)?;
                Ok(our_mark(said.text(&[mark_name]).ok_or(Malformed)?).map(CarrierEvent::Mark))
            }
            ("" | "media" | "stop" | "dtmf", _) => Err(Malformed),
            (name, None) if name == mark => Err(Malformed),
            (name, _) => self.vendor.other(name, text),
        }
    }

    fn start(&mut self, said: &Said) -> Result<CarrierEvent, Malformed> {
        if let Some(stream) = &self.stream {
            let same = V::codec(said) == Some(stream.codec);
            return if same { Err(Malformed) } else { Ok(CarrierEvent::Unfit(FORMAT_CHANGED)) };
        }
        match self.vendor.start(said)? {
            Ok(Start { started, codec, voice }) => {
                let (id, hearing) = (started.stream_id.clone(), Hearing::new(codec));
                self.stream = Some(Stream { id, codec, hearing, voice });
                Ok(CarrierEvent::Started(Box::new(started)))
            }
            Err(code) => Ok(CarrierEvent::Unfit(code)),
        }
    }
}
