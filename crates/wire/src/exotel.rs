//! What an Exotel stream says (Voicebot applet, Connect API), and how to answer it.
//!
//! Audio is 16-bit linear, the low byte first, at the rate that the stream's address asks for. Exotel wants it in
//! pieces of at least 3,200 bytes, each a multiple of 320, and plays others badly. Its documentation writes names with
//! underscores, its own sample without: both are read, the documented ones are written.
//! See <https://docs.exotel.com/exotel-agentstream/agentstream>.

use std::time::Duration;

use call::{Pieces, RefusalCode, Started};

use crate::{
    carrier::{
        OTHER_FORMAT,
        json::{Start, Vendor},
        said::Said,
        voice::{Voice, lag},
        words::Malformed,
    },
    sound::{Codec, Rate},
};

#[derive(Debug, Default)]
pub(crate) struct Exotel;

impl Vendor for Exotel {
    const MARK: (&'static str, &'static str) = ("mark", "/mark/name");

    fn codec(said: &Said) -> Option<Codec> {
        rate(said).map(Codec::Linear)
    }

    fn start(&mut self, said: &Said) -> Result<Result<Start, RefusalCode>, Malformed> {
        let ids = ["/stream_sid", "/streamSid", "/start/stream_sid", "/start/streamSid"];
        let id = said.name(&ids).ok_or(Malformed)?;
        let call_id = said.name(&["/start/call_sid", "/start/callSid"]).ok_or(Malformed)?;
        let Some(rate) = rate(said) else { return Ok(Err(OTHER_FORMAT)) };
        let codec = Codec::Linear(rate);
        let started = Started {
            stream_id: id.to_owned(),
            call_id: call_id.to_owned(),
            account_id: said.name(&["/start/account_sid", "/start/accountSid"]).map(str::to_owned),
            parameters: said.parameters(&["/start/custom_parameters", "/start/customParameters"]),
            pieces: Pieces { least: least(rate), step: FRAME, ahead: None },
            lag: lag(codec, codec),
            ..Started::default()
        };
        let voice = Voice::new(
            (format!(r#"{{"event":"media","stream_sid":"{id}","media":{{"payload":""#), r#""}}"#),
            (format!(r#"{{"event":"mark","stream_sid":"{id}","mark":{{"name":"m"#), r#""}}"#),
            format!(r#"{{"event":"clear","stream_sid":"{id}"}}"#),
            codec,
        );
        Ok(Ok(Start { started, codec, voice }))
    }
}

fn rate(said: &Said) -> Option<Rate> {
    let encoding = said.text(&["/start/media_format/encoding", "/start/mediaFormat/encoding"]);
    let is_linear = encoding.is_none_or(|name| LINEAR.contains(&name.to_ascii_lowercase().as_str()));
    let rate = said.number(&["/start/media_format/sample_rate", "/start/mediaFormat/sampleRate"]);
    rate.and_then(Rate::of).filter(|_| is_linear)
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
