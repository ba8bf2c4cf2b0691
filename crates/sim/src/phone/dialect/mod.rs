//! What does a carrier say to the relay, and what may the relay say back? One file each, all behind one trait.
//!
//! Reading is strict: a field too many, a field too few and a field in the wrong case are all wrong, and the reason is a
//! sentence. An id that a carrier does not need may be there, but then it must be the right one.

mod exotel;
mod fields;
mod plivo;
mod signalwire;
mod telnyx;
mod twilio;
mod vonage;

pub use twilio::token_parameters;

use super::{Carrier, Ids, Odd, PhoneOptions};
use fields::Fields;
use serde_json::{Map, Value, json};
use std::fmt::Debug;
use tokio_tungstenite::tungstenite::Message;

/// A valid message of the relay. Audio is as it was on the wire.
#[derive(Debug, PartialEq)]
pub(super) enum FromRelay {
    Media(Vec<u8>),
    Mark(String),
    Clear,
    /// A key that the carrier presses in the call.
    Digit(String),
}

/// One carrier's way to say things. What carries a number uses it up.
pub(super) trait Dialect: Debug + Send {
    /// What comes before `start`, where anything does.
    fn connected(&mut self) -> Option<String> {
        None
    }

    /// Tells what is sent from now on; said again when that changes.
    fn start(&mut self, carrier: Carrier) -> String;

    /// `at_ms` counts from the stream's beginning.
    fn media(&mut self, at_ms: u64, audio: &[u8]) -> Message;

    /// A message got lost between phone and carrier or was dropped: its numbers are used up.
    fn skip(&mut self);

    fn dtmf(&mut self, at_ms: u64, digit: char) -> String;

    /// The audio before this mark has been played, or thrown away.
    fn mark(&mut self, name: &str) -> String;

    /// The answer to a `clear`, where there is one.
    fn cleared(&mut self) -> Option<String> {
        None
    }

    /// The last message, where there is one before the socket closes.
    fn stop(&mut self) -> Option<String> {
        None
    }

    /// Reads one message of the relay, or says what is wrong with it.
    fn read(&self, text: &str) -> Result<FromRelay, String>;

    fn read_binary(&self, bytes: &[u8]) -> Result<FromRelay, String> {
        Err(format!("a binary message of {} bytes", bytes.len()))
    }
}

/// The dialect of the carrier that this call goes over.
pub(super) fn of(options: &PhoneOptions) -> Box<dyn Dialect> {
    let facts = Facts::of(options);
    match options.carrier {
        Carrier::Twilio => Box::new(twilio::Twilio::new(facts)),
        Carrier::Telnyx { .. } => Box::new(telnyx::Telnyx::new(facts, options.carrier)),
        Carrier::SignalWire => Box::new(signalwire::SignalWire::new(facts)),
        Carrier::Plivo => Box::new(plivo::Plivo::new(facts)),
        Carrier::Exotel { .. } => Box::new(exotel::Exotel::new(facts)),
        Carrier::Vonage { .. } => Box::new(vonage::Vonage::new(facts, options.carrier)),
    }
}

/// What every carrier says of a call in words of its own.
#[derive(Clone, Debug)]
struct Facts {
    ids: Ids,
    from: String,
    to: String,
    parameters: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    bare_numbers: bool,
    odd: Odd,
}

impl Facts {
    fn of(options: &PhoneOptions) -> Self {
        let PhoneOptions { ids, from, to, parameters, headers, bare_numbers, odd, .. } = options.clone();
        Self { ids, from, to, parameters, headers, bare_numbers, odd }
    }

    /// For the carriers that send numbers as strings.
    fn number(&self, number: u64) -> Value {
        if self.bare_numbers { json!(number) } else { json!(number.to_string()) }
    }

    fn parameters(&self) -> Map<String, Value> {
        self.parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
    }

    /// What is announced as the encoding.
    fn encoding<'a>(&'a self, usual: &'a str) -> &'a str {
        self.odd.encoding.as_deref().unwrap_or(usual)
    }

    fn rate(&self, usual: u32) -> u32 {
        self.odd.rate.unwrap_or(usual)
    }

    fn tracks(&self) -> Value {
        if self.odd.tracks.is_empty() { json!(["inbound"]) } else { json!(self.odd.tracks) }
    }

    fn track(&self) -> &str {
        self.odd.tracks.first().map_or("inbound", String::as_str)
    }
}
