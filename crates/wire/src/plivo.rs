//! What a Plivo stream says (XML `<Stream bidirectional="true">`), and how to answer it.
//!
//! There is no `connected` and no `stop`: the first message starts the stream, and the socket's end ends it. Marks are
//! called checkpoints. Times count from 1970. Linear audio, which is Plivo's default, is refused: nobody has written
//! down which byte comes first, and a telephone's line has no more than µ-law in it.
//! See <https://www.plivo.com/docs/voice/xml/audio-streaming>.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use call::{CarrierCommand, CarrierEvent, Pieces, Started};

use crate::{
    carrier::{
        FORMAT_CHANGED, Line, ONE_WAY, OTHER_FORMAT, Written,
        hearing::Hearing,
        said::{Envelope, Said},
        voice::Voice,
        words::{Malformed, key, our_mark},
    },
    sound::Codec,
};

/// One stream of one call.
#[derive(Debug, Default)]
pub struct Plivo {
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    id: String,
    hearing: Hearing,
    voice: Voice,
}

impl Line for Plivo {
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

impl Plivo {
    fn understand(&mut self, text: &Bytes) -> Result<Option<CarrierEvent>, Malformed> {
        let Envelope { event, media } = serde_json::from_slice(text)?;
        match (&*event.0, &mut self.stream) {
            ("media", Some(stream)) => {
                stream.hearing.take(text, media.ok_or(Malformed)?)?;
                Ok(None)
            }
            ("playedStream", Some(_)) => {
                let said = Said::read(text)?;
                Ok(our_mark(said.text(&["/name"]).ok_or(Malformed)?).map(CarrierEvent::Mark))
            }
            ("dtmf", Some(_)) => {
                let said = Said::read(text)?;
                key(said.text(&["/dtmf/digit"]).ok_or(Malformed)?).map(|key| Some(CarrierEvent::Key(key)))
            }
            ("stop", Some(stream)) => {
                stream.hearing.ends_with(CarrierEvent::Stopped); // not in Plivo's own list of events
                Ok(None)
            }
            ("start", _) => self.start(&Said::read(text)?).map(Some),
            ("" | "media" | "playedStream" | "dtmf" | "stop", _) => Err(Malformed),
            _ => Ok(None),
        }
    }

    fn start(&mut self, said: &Said) -> Result<CarrierEvent, Malformed> {
        let format = said.text(&["/start/mediaFormat/encoding"]) == Some("audio/x-mulaw")
            && said.number(&["/start/mediaFormat/sampleRate"]) == Some(8_000);
        if self.stream.is_some() {
            return if format { Err(Malformed) } else { Ok(CarrierEvent::Unfit(FORMAT_CHANGED)) };
        }
        let id = said.name(&["/start/streamId", "/streamId"]).ok_or(Malformed)?;
        let call_id = said.name(&["/start/callId"]).ok_or(Malformed)?;
        if said.has("/start/tracks") && !said.is_list_of("/start/tracks", &["inbound"]) {
            return Ok(CarrierEvent::Unfit(ONE_WAY));
        }
        if !format {
            return Ok(CarrierEvent::Unfit(OTHER_FORMAT));
        }
        let media =
            r#"{"event":"playAudio","media":{"contentType":"audio/x-mulaw","sampleRate":8000,"payload":""#;
        let voice = Voice::new(
            (media.to_owned(), r#""}}"#),
            (format!(r#"{{"event":"checkpoint","streamId":"{id}","name":"m"#), r#""}"#),
            format!(r#"{{"event":"clearAudio","streamId":"{id}"}}"#),
            Codec::Ulaw,
        );
        self.stream = Some(Stream { id: id.to_owned(), hearing: Hearing::new(Codec::Ulaw), voice });
        Ok(CarrierEvent::Started(Box::new(Started {
            stream_id: id.to_owned(),
            call_id: call_id.to_owned(),
            account_id: said.name(&["/start/accountId"]).map(str::to_owned),
            pieces: Pieces { least: SHORTEST, ..Pieces::default() },
            ..Started::default()
        })))
    }
}

/// A frame. What is shorter is worth no message.
const SHORTEST: Duration = Duration::from_millis(20);
