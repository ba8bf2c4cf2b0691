//! The ears and mouths that a cascade can be made of, each behind one name.

use bytes::Bytes;
use call::cascade::{EarCommand, EarEvent, MouthCommand, MouthEvent};

use crate::{
    deepgram::{Aura, Flux, FluxVoice, Nova},
    elevenlabs::{Multi, Scribe},
    protocol::{Frame, Protocol},
};

#[derive(Debug)]
pub enum Ear {
    Flux(Flux),
    Nova(Nova),
    Scribe(Scribe),
}

#[derive(Debug)]
pub enum Mouth {
    Aura(Aura),
    Flux(FluxVoice),
    ElevenLabs(Multi),
}

macro_rules! one_of {
    ($name:ident: $event:ty, $command:ty, $($kind:ident)|+) => {
        impl Protocol for $name {
            type Event = $event;
            type Command = $command;

            fn read(&mut self, text: &Bytes) {
                match self { $(Self::$kind(it) => it.read(text),)+ }
            }
            fn read_binary(&mut self, bytes: &Bytes) {
                match self { $(Self::$kind(it) => it.read_binary(bytes),)+ }
            }
            fn pong(&mut self) {
                match self { $(Self::$kind(it) => it.pong(),)+ }
            }
            fn closed(&mut self, code: Option<u16>, reason: &str) {
                match self { $(Self::$kind(it) => it.closed(code, reason),)+ }
            }
            fn obey(&mut self, command: $command) {
                match self { $(Self::$kind(it) => it.obey(command),)+ }
            }
            fn poll_event(&mut self) -> Option<$event> {
                match self { $(Self::$kind(it) => it.poll_event(),)+ }
            }
            fn poll_frame(&mut self) -> Option<Frame> {
                match self { $(Self::$kind(it) => it.poll_frame(),)+ }
            }
        }
    };
}

one_of!(Ear: EarEvent, EarCommand, Flux | Nova | Scribe);
one_of!(Mouth: MouthEvent, MouthCommand, Aura | Flux | ElevenLabs);
