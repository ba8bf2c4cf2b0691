//! What a SignalWire stream says (Compatibility API, cXML `<Connect><Stream>`), and how to answer it.
//!
//! Twilio's protocol, and so Twilio's file does the work. What differs: ids are UUIDs, parameters may be missing, `stop`
//! has no part of its own, and the token comes in a header. Linear audio (`codec="L16@16000h"`) is refused: nobody
//! has written down which byte comes first.

use bytes::{Bytes, BytesMut};
use call::{CarrierCommand, CarrierEvent};

use crate::{
    carrier::{Line, Written},
    twilio::Twilio,
};

/// One stream of one call.
#[derive(Debug, Default)]
pub struct SignalWire(Twilio);

impl Line for SignalWire {
    fn read(&mut self, text: &Bytes) -> Option<CarrierEvent> {
        self.0.read(text)
    }

    fn write(&mut self, command: &CarrierCommand, out: &mut BytesMut) -> Written {
        self.0.write(command, out)
    }

    fn stream_id(&self) -> Option<&str> {
        self.0.stream_id()
    }
}
