//! Which carriers there are, and what each can be asked.
//!
//! A carrier is a row in [`CARRIERS`] and a file that implements [`Line`]. The row says what the doors need to
//! know before there is a stream; the file knows the vendor's words. Nothing outside this crate asks which
//! carrier a call has come by.

pub(crate) mod hearing;
pub(crate) mod json;
pub(crate) mod order;
pub(crate) mod said;
pub(crate) mod voice;
pub(crate) mod words;

use std::fmt;

use bytes::{Bytes, BytesMut};
use call::{CarrierCommand, CarrierEvent, RefusalCode};

use crate::{
    carrier::json::Json, exotel::Exotel, plivo::Plivo, signalwire::SignalWire, telnyx::Telnyx,
    twilio::Twilio, vonage::Vonage,
};

/// The stream is not two-way: it was opened to listen only.
pub const ONE_WAY: RefusalCode = RefusalCode("stream_one_way");

/// The stream's audio is in no format that is taken from this carrier.
pub const OTHER_FORMAT: RefusalCode = RefusalCode("stream_format");

/// The stream's audio was in one format and now is in another.
pub const FORMAT_CHANGED: RefusalCode = RefusalCode("stream_format_changed");

/// What is wrong with such a stream, and what to do.
pub fn explain(code: RefusalCode) -> &'static str {
    match code {
        ONE_WAY => {
            "the carrier opened its stream only to listen: open it in both directions (Twilio, SignalWire and Telnyx: \
             <Connect><Stream>, not <Start>; Plivo: bidirectional=\"true\")"
        }
        OTHER_FORMAT => {
            "the stream's audio is in a format that is not taken from this carrier: docs/carriers.md says what to ask for"
        }
        FORMAT_CHANGED => "the stream's audio changed its format in mid-call: let the carrier keep to one",
        _ => "the stream cannot carry this call",
    }
}

/// A carrier that calls may come from.
#[derive(Debug)]
pub struct Carrier {
    /// As in the address of its streams.
    pub name: &'static str,
    /// A stream of one call, which has not said anything yet.
    pub line: fn() -> Box<dyn Line>,
    pub signs: Signs,
    /// Where a token travels with this carrier, for somebody whose call came without one.
    pub token_goes: &'static str,
    /// So many bytes of speech may wait for a carrier that does not read: two minutes of it, as it is written.
    pub room: usize,
}

/// How a carrier proves that an upgrade is its own, where the relay has a key for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    Nothing,
    /// The header `X-Twilio-Signature`.
    LikeTwilio,
    /// The header `X-Plivo-Signature-V3`.
    LikePlivo,
}

/// One stream of one call: the vendor's messages in, ours out.
pub trait Line: fmt::Debug + Send {
    /// Reads one text message. `None`: nothing that a call needs to know.
    fn read(&mut self, text: &Bytes) -> Option<CarrierEvent>;

    /// Reads one binary message. Most carriers send none.
    fn read_binary(&mut self, _bytes: &Bytes) -> Option<CarrierEvent> {
        Some(CarrierEvent::Malformed)
    }

    /// What else the message brought that was read last; ask until there is nothing.
    fn more(&mut self) -> Option<CarrierEvent> {
        None
    }

    /// Appends what this command is in the carrier's words.
    fn write(&mut self, command: &CarrierCommand, out: &mut BytesMut) -> Written;

    /// The stream's own name, once it has started: safe between two quotes.
    fn stream_id(&self) -> Option<&str>;
}

/// What a command was written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is no message: the socket's own business, or too early.
    Nothing,
    /// One text message.
    Text,
    /// Binary messages of so many bytes each.
    Binary { each: usize },
}

/// Twilio's own, and whoever else speaks as it does.
pub static CARRIERS: [Carrier; 6] = [
    Carrier {
        name: "twilio",
        line: || Box::new(Twilio::new()),
        signs: Signs::LikeTwilio,
        token_goes: "Twilio strips query strings: put the token into the stream's path (/stream/twilio/<token>), or \
                     send it as <Parameter> `token`, or in chunks `t0`, `t1`, … with their count `tn`",
        room: BASE64_ULAW,
    },
    Carrier {
        name: "signalwire",
        line: || Box::new(SignalWire::default()),
        signs: Signs::Nothing,
        token_goes: "SignalWire sends it as `authBearerToken` of <Stream>, in the stream's path \
                     (/stream/signalwire/<token>), or as <Parameter> `token`",
        room: BASE64_ULAW,
    },
    Carrier {
        name: "telnyx",
        line: || Box::new(Json::<Telnyx>::default()),
        signs: Signs::Nothing,
        token_goes: "Telnyx sends it as `stream_auth_token` of the command that starts the stream (at most 4,000 \
                     characters), or in the stream's path (/stream/telnyx/<token>)",
        room: BASE64_ULAW,
    },
    Carrier {
        name: "plivo",
        line: || Box::new(Json::<Plivo>::default()),
        signs: Signs::LikePlivo,
        token_goes: "Plivo sends it only in the stream's path (/stream/plivo/<token>): `extraHeaders` take letters \
                     and digits alone",
        room: BASE64_ULAW,
    },
    Carrier {
        name: "exotel",
        line: || Box::new(Json::<Exotel>::default()),
        signs: Signs::Nothing,
        token_goes: "Exotel sends it only in the stream's path (/stream/exotel/<token>), and the whole address may \
                     have 600 characters: let the token point to its configuration with `config`",
        room: BASE64_LINEAR,
    },
    Carrier {
        name: "vonage",
        line: || Box::new(Vonage::default()),
        signs: Signs::Nothing,
        token_goes: "Vonage sends it as `authorization` of the endpoint (type `custom`, value `Bearer <token>`), or \
                     as a header `token` of the NCCO",
        room: LINEAR,
    },
];

/// The browser phone speaks Twilio's language; whether one may call is for the doors to say.
pub static BROWSER: Carrier = Carrier {
    name: "browser",
    line: || Box::new(Twilio::new()),
    signs: Signs::Nothing,
    token_goes: "a browser puts it into the stream's path (/stream/browser/<token>) or into a parameter `token`",
    room: BASE64_ULAW,
};

/// The carrier of this name.
pub fn carrier(name: &str) -> Option<&'static Carrier> {
    CARRIERS.iter().find(|carrier| carrier.name == name)
}

/// Two minutes of µ-law in base64, which is 10,667 bytes a second, with room for what is around each piece.
const BASE64_ULAW: usize = 2 << 20;

/// The same of 16-bit linear at 24 kHz in base64: 64,000 bytes a second.
const BASE64_LINEAR: usize = 8 << 20;

/// The same without base64: 48,000 bytes a second.
const LINEAR: usize = 6 << 20;
