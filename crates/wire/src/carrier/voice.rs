//! What we write to a carrier whose messages are JSON with base64 in it: our messages up to where they begin to differ.
//!
//! µ-law passes as the base64 text it came in. Anything else is converted here, into a buffer that is used again.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{BufMut, BytesMut};
use call::{CarrierCommand, Lag, MarkId};

use super::Written;
use crate::sound::{Codec, Inward, Outward};

#[derive(Debug)]
pub(crate) struct Voice {
    /// What is before the audio, and after it.
    pub media: (String, &'static str),
    /// What is before the number of a mark, and after it.
    pub mark: (String, &'static str),
    pub clear: String,
    /// Nothing where µ-law is spoken.
    outward: Option<Outward>,
    bytes: BytesMut,
}

impl Voice {
    pub fn new(
        media: (String, &'static str),
        mark: (String, &'static str),
        clear: String,
        codec: Codec,
    ) -> Self {
        let outward = (codec != Codec::Ulaw).then(|| Outward::new(codec));
        Self { media, mark, clear, outward, bytes: BytesMut::new() }
    }

    pub fn write(&mut self, command: &CarrierCommand, out: &mut BytesMut) -> Written {
        match command {
            CarrierCommand::Play(audio) => {
                let (before, after) = &self.media;
                out.put_slice(before.as_bytes());
                match &mut self.outward {
                    None => out.put_slice(audio.text_bytes()),
                    Some(outward) => {
                        self.bytes.clear();
                        outward.say(audio, &mut self.bytes);
                        let start = out.len();
                        out.resize(start + self.bytes.len().div_ceil(3) * 4, 0);
                        let length = STANDARD.encode_slice(&self.bytes, &mut out[start..]);
                        length.expect("four characters for each three bytes");
                    }
                }
                out.put_slice(after.as_bytes());
            }
            CarrierCommand::Mark(MarkId(number)) => {
                let (before, after) = &self.mark;
                out.put_slice(before.as_bytes());
                out.put_slice(number.to_string().as_bytes());
                out.put_slice(after.as_bytes());
            }
            CarrierCommand::Clear => {
                self.outward.iter_mut().for_each(Outward::begin_anew);
                out.put_slice(self.clear.as_bytes());
            }
            CarrierCommand::Ping | CarrierCommand::Close(_) => return Written::Nothing, // frames of the socket itself
        }
        Written::Text
    }
}

/// What converting takes each way.
pub(crate) fn lag(caller: Codec, agent: Codec) -> Lag {
    Lag { caller: Inward::new(caller).lag(), agent: Outward::new(agent).lag() }
}
