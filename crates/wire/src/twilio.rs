//! What a Twilio media stream says, and how to answer it.
//!
//! Audio passes as the base64 text it arrived in, both ways, without a copy on the way in and with one on the
//! way out. Twilio counts a field too many as an error (31951), so each message we write has exactly the
//! fields it must have, and nothing may be written before `start` has told us the stream's id.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use call::{Audio, CarrierCommand, CarrierEvent, MarkId, RefusalCode, Started};
use serde::Deserialize;

use crate::loose::{Number, Text};

/// The stream is not two-way: it was opened with `<Start><Stream>` instead of `<Connect><Stream>`.
pub const ONE_WAY: RefusalCode = RefusalCode("stream_one_way");

/// The stream's audio is not mono µ-law at 8 kHz.
pub const OTHER_FORMAT: RefusalCode = RefusalCode("stream_format");

/// One stream of one call.
#[derive(Debug, Default)]
pub struct Line {
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

impl Line {
    pub fn new() -> Self {
        Self::default()
    }

    /// The stream's own name, once it has started: safe between two quotes.
    pub fn stream_id(&self) -> Option<&str> {
        self.stream.as_ref().map(|stream| stream.id.as_str())
    }

    /// Reads one text message. `None`: nothing that a call needs to know.
    pub fn read(&mut self, text: &Bytes) -> Option<CarrierEvent> {
        self.understand(text).unwrap_or(Some(CarrierEvent::Malformed))
    }

    /// Appends the one message that this command is to Twilio. `false` when it is none: the socket's own
    /// business, or too early.
    pub fn write(&self, command: &CarrierCommand, out: &mut BytesMut) -> bool {
        let Some(stream) = &self.stream else { return false };
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
            CarrierCommand::Ping | CarrierCommand::Close(_) => return false, // frames of the socket itself
        }
        true
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
        if self.stream.is_some() || outer_sid.some().is_some_and(|outer| outer != id) {
            return Err(Malformed);
        }
        let call_id = start.call_sid.some().and_then(name).ok_or(Malformed)?;
        if !matches!(&start.tracks[..], [track] if track.0 == "inbound") {
            return Ok(CarrierEvent::Unfit(ONE_WAY));
        }
        let format = &start.media_format;
        let rate_and_channels = (format.sample_rate.whole(), format.channels.whole());
        if format.encoding.0 != "audio/x-mulaw" || rate_and_channels != (Some(8000), Some(1)) {
            return Ok(CarrierEvent::Unfit(OTHER_FORMAT));
        }
        self.stream = Some(Stream::new(id));
        let parameters = start.custom_parameters.into_iter().flatten();
        Ok(CarrierEvent::Started(Box::new(Started {
            stream_id: id.to_owned(),
            call_id: call_id.to_owned(),
            account_id: start.account_sid.some().map(str::to_owned),
            parameters: parameters.map(|(name, value)| (name, value.0.into_owned())).collect(),
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
    let audio = Audio::base64(Text(media.payload).bytes(text)).map_err(|_| Malformed)?;
    if audio.duration() > LONGEST_FRAME {
        return Err(Malformed);
    }
    let at = media.timestamp.whole().map(|ms| Duration::from_millis(ms.into()));
    Ok((!audio.is_empty()).then_some(CarrierEvent::Audio { at, audio }))
}

/// Our marks are `m` and a number. Others may come from whoever else writes to the call.
fn our_mark(name: &str) -> Option<MarkId> {
    let digits = name.strip_prefix('m').filter(|digits| digits.bytes().all(|c| c.is_ascii_digit()))?;
    digits.parse().ok().map(MarkId)
}

fn key(digit: &str) -> Result<char, Malformed> {
    let mut chars = digit.chars();
    match (chars.next(), chars.next()) {
        (Some(key @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) => Ok(key),
        _ => Err(Malformed),
    }
}

/// What we copy into our own messages and logs: Twilio's ids are two letters and 32 hex digits.
fn name(sid: &str) -> Option<&str> {
    let safe = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-');
    (sid.len() <= 64 && sid.bytes().all(safe)).then_some(sid)
}

/// Twilio sends 20 ms. A second in one message is not the voice of somebody who speaks now.
const LONGEST_FRAME: Duration = Duration::from_secs(1);

struct Malformed;

impl From<serde_json::Error> for Malformed {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
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
