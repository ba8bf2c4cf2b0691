//! What a Plivo stream says (XML `<Stream bidirectional="true">`), and how to answer it.
//!
//! There is no `connected` and no `stop`: the first message starts the stream, and the socket's end ends it. Marks are
//! called checkpoints. Times count from 1970. Linear audio, which is Plivo's default, is refused: nobody has written
//! down which byte comes first, and a telephone's line has no more than µ-law in it.
//! See <https://www.plivo.com/docs/voice/xml/audio-streaming>.

use call::{RefusalCode, Started};

use crate::{
    carrier::{
        ONE_WAY, OTHER_FORMAT,
        json::{Start, Vendor},
        said::Said,
        voice::Voice,
        words::Malformed,
    },
    sound::Codec,
};

#[derive(Debug, Default)]
pub(crate) struct Plivo;

impl Vendor for Plivo {
    const MARK: (&'static str, &'static str) = ("playedStream", "/name");

    fn codec(said: &Said) -> Option<Codec> {
        let encoding = said.text(&["/start/mediaFormat/encoding"]);
        let rate = said.number(&["/start/mediaFormat/sampleRate"]);
        ((encoding, rate) == (Some("audio/x-mulaw"), Some(8_000))).then_some(Codec::Ulaw)
    }

    fn start(&mut self, said: &Said) -> Result<Result<Start, RefusalCode>, Malformed> {
        let id = said.name(&["/start/streamId", "/streamId"]).ok_or(Malformed)?;
        let call_id = said.name(&["/start/callId"]).ok_or(Malformed)?;
        if said.has("/start/tracks") && !said.is_list_of("/start/tracks", &["inbound"]) {
            return Ok(Err(ONE_WAY));
        }
        let Some(codec) = Self::codec(said) else { return Ok(Err(OTHER_FORMAT)) };
        let started = Started {
            stream_id: id.to_owned(),
            call_id: call_id.to_owned(),
            account_id: said.name(&["/start/accountId"]).map(str::to_owned),
            ..Started::default()
        };
        let media =
            r#"{"event":"playAudio","media":{"contentType":"audio/x-mulaw","sampleRate":8000,"payload":""#;
        let voice = Voice::new(
            (media.to_owned(), r#""}}"#),
            (format!(r#"{{"event":"checkpoint","streamId":"{id}","name":"m"#), r#""}"#),
            format!(r#"{{"event":"clearAudio","streamId":"{id}"}}"#),
            codec,
        );
        Ok(Ok(Start { started, codec, voice }))
    }
}
