//! What a Twilio media stream says, and how to answer it.
//!
//! Audio passes as the base64 text it arrived in, both ways, without a copy on the way in and with one on the
//! way out. Twilio counts a field too many as an error (31951), so each message we write has exactly the
//! fields it must have, and nothing may be written before `start` has told us the stream's id.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use call::{CarrierCommand, CarrierEvent, MarkId, Started};
use serde::Deserialize;

use crate::{
    carrier::{
        FORMAT_CHANGED, Line, ONE_WAY, OTHER_FORMAT, Written,
        words::{Malformed, key, name, our_mark, voice},
    },
    loose::{Number, Text},
};

/// One stream of one call.
#[derive(Debug, Default)]
pub struct Twilio {
    stream: Option<Stream>,
}

/// What is known once the stream has started: its id, and our messages up to where they begin to differ.
#[derive(Debug)]
struct Stream {
    id: String,
    media: String,
    mark: String,
    clear: String,
}

impl Line for Twilio {
    fn read(&mut self, text: &Bytes) -> Option<CarrierEvent> {
        self.understand(text).unwrap_or(Some(CarrierEvent::Malformed))
    }

    fn stream_id(&self) -> Option<&str> {
        self.stream.as_ref().map(|stream| stream.id.as_str())
    }

    fn write(&mut self, command: &CarrierCommand, out: &mut BytesMut) -> Written {
        let Some(stream) = &self.stream else { return Written::Nothing };
        match command {
            CarrierCommand::Play(audio) => {
                let end = br#""}}"#;
                out.reserve(stream.media.len() + audio.text_bytes().len() + end.len());
                out.put_slice(stream.media.as_bytes());
                out.put_slice(audio.text_bytes());
                out.put_slice(end);
            }
            CarrierCommand::Mark(MarkId(number)) => {
                write!(out, r#"{}{number}"}}}}"#, stream.mark).expect("a buffer in memory grows");
            }
            CarrierCommand::Clear => out.put_slice(stream.clear.as_bytes()),
            CarrierCommand::Ping | CarrierCommand::Close(_) => return Written::Nothing, // frames of the socket itself
        }
        Written::Text
    }
}

impl Twilio {
    pub fn new() -> Self {
        Self::default()
    }

    fn understand(&mut self, text: &Bytes) -> Result<Option<CarrierEvent>, Malformed> {
        let message: Message<'_> = serde_json::from_slice(text)?;
        match &*message.event.0 {
            "media" => {
                self.check_stream(&message.stream_sid)?;
                caller_audio(text, message.media.ok_or(Malformed)?)
            }
            "mark" => {
                self.check_stream(&message.stream_sid)?;
                let MarkMessage { mark } = serde_json::from_slice(text)?;
                Ok(our_mark(&mark.name.0).map(CarrierEvent::Mark))
            }
            "dtmf" => {
                self.check_stream(&message.stream_sid)?;
                let DtmfMessage { dtmf } = serde_json::from_slice(text)?;
                key(&dtmf.digit.0).map(|key| Some(CarrierEvent::Key(key)))
            }
            "stop" => {
                self.check_stream(&message.stream_sid)?;
                Ok(Some(CarrierEvent::Stopped))
            }
            "start" => {
                let StartMessage { start } = serde_json::from_slice(text)?;
                self.start(&message.stream_sid, start).map(Some)
            }
            "" => Err(Malformed),
            _ => Ok(None),
        }
    }

    /// Before `start` nothing else belongs here, and afterwards only what belongs to our stream.
    fn check_stream(&self, sid: &Text<'_>) -> Result<(), Malformed> {
        let stream = self.stream.as_ref().ok_or(Malformed)?;
        match sid.some() {
            Some(sid) if sid != stream.id => Err(Malformed),
            Some(_) | None => Ok(()),
        }
    }

    fn start(&mut self, outer_sid: &Text<'_>, start: Start<'_>) -> Result<CarrierEvent, Malformed> {
        let id = start.stream_sid.some().or(outer_sid.some()).and_then(name).ok_or(Malformed)?;
        let format = &start.media_format;
        let rate_and_channels = (format.sample_rate.whole(), format.channels.whole());
        let fits = format.encoding.0 == "audio/x-mulaw" && rate_and_channels == (Some(8000), Some(1));
        if self.stream.is_some() && !fits {
            return Ok(CarrierEvent::Unfit(FORMAT_CHANGED));
        }
        if self.stream.is_some() || outer_sid.some().is_some_and(|outer| outer != id) {
            return Err(Malformed);
        }
        let call_id = start.call_sid.some().and_then(name).ok_or(Malformed)?;
        if !matches!(&start.tracks[..], [track] if track.0 == "inbound") {
            return Ok(CarrierEvent::Unfit(ONE_WAY));
        }
        if !fits {
            return Ok(CarrierEvent::Unfit(OTHER_FORMAT));
        }
        self.stream = Some(Stream::new(id));
        let parameters = start.custom_parameters.into_iter().flatten();
        Ok(CarrierEvent::Started(Box::new(Started {
            stream_id: id.to_owned(),
            call_id: call_id.to_owned(),
            account_id: start.account_sid.some().map(str::to_owned),
            parameters: parameters.map(|(name, value)| (name, value.0.into_owned())).collect(),
            ..Started::default()
        })))
    }
}

impl Stream {
    /// The id is known to be safe between two quotes.
    fn new(id: &str) -> Self {
        Self {
            media: format!(r#"{{"event":"media","streamSid":"{id}","media":{{"payload":""#),
            mark: format!(r#"{{"event":"mark","streamSid":"{id}","mark":{{"name":"m"#),
            clear: format!(r#"{{"event":"clear","streamSid":"{id}"}}"#),
            id: id.to_owned(),
        }
    }
}

fn caller_audio(text: &Bytes, media: Media<'_>) -> Result<Option<CarrierEvent>, Malformed> {
    if media.track.some().is_some_and(|track| track != "inbound") {
        return Ok(None);
    }
    let audio = voice(Text(media.payload).bytes(text))?;
    let at = media.timestamp.whole().map(|ms| Duration::from_millis(ms.into()));
    Ok((!audio.is_empty()).then_some(CarrierEvent::Audio { at, audio }))
}

/// What fifty messages a second need; the rare ones are read a second time for their own part.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    event: Text<'a>,
    #[serde(borrow, default, rename = "streamSid")]
    stream_sid: Text<'a>,
    #[serde(borrow, default)]
    media: Option<Media<'a>>,
}

#[derive(Deserialize)]
struct Media<'a> {
    #[serde(borrow, default)]
    track: Text<'a>,
    #[serde(default)]
    timestamp: Number,
    #[serde(borrow)]
    payload: Cow<'a, str>,
}

#[derive(Deserialize)]
struct StartMessage<'a> {
    #[serde(borrow)]
    start: Start<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    #[serde(borrow, default)]
    stream_sid: Text<'a>,
    #[serde(borrow, default)]
    call_sid: Text<'a>,
    #[serde(borrow, default)]
    account_sid: Text<'a>,
    #[serde(borrow, default)]
    tracks: Vec<Text<'a>>,
    #[serde(borrow, default)]
    media_format: MediaFormat<'a>,
    #[serde(borrow, default)]
    custom_parameters: Option<BTreeMap<String, Text<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MediaFormat<'a> {
    #[serde(borrow, default)]
    encoding: Text<'a>,
    #[serde(default)]
    sample_rate: Number,
    #[serde(default)]
    channels: Number,
}

#[derive(Deserialize)]
struct MarkMessage<'a> {
    #[serde(borrow)]
    mark: Mark<'a>,
}

#[derive(Deserialize)]
struct Mark<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
}

#[derive(Deserialize)]
struct DtmfMessage<'a> {
    #[serde(borrow)]
    dtmf: Dtmf<'a>,
}

#[derive(Deserialize)]
struct Dtmf<'a> {
    #[serde(borrow, default)]
    digit: Text<'a>,
}
