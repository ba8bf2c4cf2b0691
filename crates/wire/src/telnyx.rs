//! What a Telnyx stream says (`streaming_start`, or TeXML `<Connect><Stream>`), and how to answer it.
//!
//! The caller's codec follows the telephone: a European line brings A-law, whatever was asked for. What we send is
//! another matter, `stream_bidirectional_codec`, and no message names it: µ-law, unless the stream's parameter `codec`
//! says PCMA. Frames may come out of order. The token stands in `connected` as well as in a header.
//! See <https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming>.

use std::{fmt, time::Duration};

use bytes::Bytes;
use call::{CarrierEvent, Pieces, RefusalCode, Started};

use crate::{
    carrier::{
        OTHER_FORMAT,
        json::{Start, Vendor},
        said::Said,
        voice::{Voice, lag},
        words::{Malformed, complaint},
    },
    sound::Codec,
};

#[derive(Default)]
pub(crate) struct Telnyx {
    /// As it stood in `connected`.
    token: Option<String>,
}

impl Vendor for Telnyx {
    const MARK: (&'static str, &'static str) = ("mark", "/mark/name");

    fn codec(said: &Said) -> Option<Codec> {
        let rate = said.number(&["/start/media_format/sample_rate"]);
        let channels = said.number(&["/start/media_format/channels"]).unwrap_or(1);
        let codec = codec(said.text(&["/start/media_format/encoding"])?);
        codec.filter(|_| (rate, channels) == (Some(8_000), 1))
    }

    fn start(&mut self, said: &Said) -> Result<Result<Start, RefusalCode>, Malformed> {
        let id = said.name(&["/stream_id", "/start/stream_id"]).ok_or(Malformed)?;
        let call_id = said.name(&["/start/call_control_id"]).ok_or(Malformed)?;
        let mut parameters = said.parameters(&["/start/custom_parameters"]);
        let parameter = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted);
        let spoken = parameter("codec").map_or(Some(Codec::Ulaw), |(_, name)| codec(name));
        let (Some(heard), Some(spoken)) = (Self::codec(said), spoken) else { return Ok(Err(OTHER_FORMAT)) };
        let has_token = parameter("token").is_some();
        parameters.extend(self.token.take().filter(|_| !has_token).map(|token| ("token".to_owned(), token)));
        let started = Started {
            stream_id: id.to_owned(),
            call_id: call_id.to_owned(),
            account_id: said.name(&["/start/user_id"]).map(str::to_owned),
            parameters,
            pieces: Pieces { least: SHORTEST, ..Pieces::default() },
            lag: lag(heard, spoken),
            ..Started::default()
        };
        let voice = Voice::new(
            (r#"{"event":"media","media":{"payload":""#.to_owned(), r#""}}"#),
            (r#"{"event":"mark","mark":{"name":"m"#.to_owned(), r#""}}"#),
            r#"{"event":"clear"}"#.to_owned(),
            spoken,
        );
        Ok(Ok(Start { started, codec: heard, voice }))
    }

    fn other(&mut self, event: &str, text: &Bytes) -> Result<Option<CarrierEvent>, Malformed> {
        match event {
            "connected" => {
                let said = Said::read(text)?;
                self.token = said.text(&["/x-telnyx-streaming-auth-token"]).map(str::to_owned);
                Ok(None)
            }
            "error" => {
                let places = ["/payload/detail", "/payload/title", "/payload/message", "/payload/code"];
                Ok(Said::read(text)?.text(&places).map(complaint))
            }
            _ => Ok(None),
        }
    }
}

/// Without the token.
impl fmt::Debug for Telnyx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telnyx").field("token", &self.token.as_ref().map(|_| "***")).finish()
    }
}

fn codec(name: &str) -> Option<Codec> {
    match name {
        "PCMU" => Some(Codec::Ulaw),
        "PCMA" => Some(Codec::Alaw),
        _ => None,
    }
}

/// Telnyx takes pieces from 20 ms to 30 s.
const SHORTEST: Duration = Duration::from_millis(20);
