//! The caller's frames on their way in, for carriers that count them: put in order, cut loose from the carrier's own
//! beginning of time, and converted where they are not µ-law.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use call::{Audio, CarrierEvent};

use super::{
    order::Order,
    words::{self, LONGEST_FRAME, Malformed, voice},
};
use crate::{
    loose::{Number, Text},
    sound::{Codec, Inward},
};

#[derive(Debug)]
pub(crate) struct Hearing {
    codec: Codec,
    inward: Inward,
    order: Order<Frame>,
    /// The carrier's time of the first frame.
    began: Option<u64>,
    /// What is to be told, oldest first.
    events: VecDeque<CarrierEvent>,
}

/// A frame as it came.
#[derive(Debug)]
struct Frame {
    at: Option<Duration>,
    base64: Bytes,
}

/// The part `media` of a message; its fields have the same names with every carrier.
#[derive(serde::Deserialize)]
pub(crate) struct Media<'a> {
    #[serde(borrow, default)]
    pub track: Text<'a>,
    #[serde(default)]
    pub chunk: Number,
    #[serde(default)]
    pub timestamp: Number,
    #[serde(borrow, default)]
    pub payload: Text<'a>,
}

impl Hearing {
    pub fn new(codec: Codec) -> Self {
        let inward = Inward::new(codec);
        Self { codec, inward, order: Order::default(), began: None, events: VecDeque::new() }
    }

    /// A frame came in this message. What is to be heard then comes from [`Hearing::next`].
    pub fn take(&mut self, text: &Bytes, media: Media<'_>) {
        if media.track.some().is_some_and(|track| track != "inbound") {
            return;
        }
        // Some count from the stream's beginning, others from 1970.
        let at = media.timestamp.large().map(|ms| {
            Duration::from_millis(ms.saturating_sub(*self.began.get_or_insert(if ms > A_DAY {
                ms
            } else {
                0
            })))
        });
        let base64 = media.payload.bytes(text);
        let mended = self.order.push(media.chunk.large(), Frame { at, base64 });
        self.events.extend(mended.map(CarrierEvent::Mended));
        self.give_what_is_ready();
    }

    /// The stream is over: what waited for frames that are missing waits no more.
    pub fn ends_with(&mut self, last: CarrierEvent) {
        self.order.give_up_waiting();
        self.give_what_is_ready();
        self.events.push_back(last);
    }

    pub fn next(&mut self) -> Option<CarrierEvent> {
        self.events.pop_front()
    }

    fn give_what_is_ready(&mut self) {
        while let Some(Frame { at, base64 }) = self.order.pop() {
            match self.convert(base64) {
                Ok(audio) if audio.is_empty() => {}
                Ok(audio) => self.events.push_back(CarrierEvent::Audio { at, audio }),
                Err(Malformed) => self.events.push_back(CarrierEvent::Malformed),
            }
        }
    }

    fn convert(&mut self, base64: Bytes) -> Result<Audio, Malformed> {
        if self.codec == Codec::Ulaw {
            return voice(base64);
        }
        let bytes = words::bytes(&base64)?;
        let one = self.codec.bytes_for_one();
        if !bytes.len().is_multiple_of(one.min(2)) {
            return Err(Malformed); // half a sample: what follows would be noise
        }
        if call::ulaw::duration((bytes.len() / one) as u64) > LONGEST_FRAME {
            return Err(Malformed);
        }
        Ok(self.inward.hear(&bytes))
    }
}

/// No stream is so old; what says so counts from somewhere else.
const A_DAY: u64 = 86_400_000;
