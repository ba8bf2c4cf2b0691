//! How a carrier's sound becomes a call's, and the other way round, where it is not the same already.
//!
//! Inside, a call speaks µ-law at 8 kHz, as most carriers and providers do. Another sound is converted where it
//! comes in and where it goes out, by a state of its own for each stream and direction. µ-law passes without a look.

pub mod alaw;
mod filter;

use std::time::Duration;

use bytes::BytesMut;
use call::{Audio, ulaw};

use self::filter::Filter;

/// What a carrier's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// µ-law at 8 kHz: nothing to do.
    Ulaw,
    /// A-law at 8 kHz.
    Alaw,
    /// 16 bits a sample, the low byte first.
    Linear(Rate),
}

/// Samples in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    Khz8,
    Khz16,
    Khz24,
}

impl Rate {
    /// `None`: a rate that is not converted.
    pub fn of(hertz: u32) -> Option<Self> {
        match hertz {
            8_000 => Some(Self::Khz8),
            16_000 => Some(Self::Khz16),
            24_000 => Some(Self::Khz24),
            _ => None,
        }
    }

    /// So many samples for each of ours.
    pub fn times(self) -> usize {
        match self {
            Self::Khz8 => 1,
            Self::Khz16 => 2,
            Self::Khz24 => 3,
        }
    }
}

impl Codec {
    /// So many bytes last as long as one of ours.
    pub fn bytes_for_one(self) -> usize {
        match self {
            Self::Ulaw | Self::Alaw => 1,
            Self::Linear(rate) => 2 * rate.times(),
        }
    }
}

/// From the carrier to us.
#[derive(Debug)]
pub struct Inward {
    codec: Codec,
    filter: Option<Filter>,
    samples: Vec<i16>,
    ulaw: Vec<u8>,
}

/// From us to the carrier.
#[derive(Debug)]
pub struct Outward {
    codec: Codec,
    filter: Option<Filter>,
    samples: Vec<i16>,
    ulaw: Vec<u8>,
}

impl Inward {
    pub fn new(codec: Codec) -> Self {
        let filter = match codec {
            Codec::Linear(Rate::Khz16) => Some(Filter::down2()),
            Codec::Linear(Rate::Khz24) => Some(Filter::down3()),
            Codec::Ulaw | Codec::Alaw | Codec::Linear(Rate::Khz8) => None,
        };
        Self { codec, filter, samples: Vec::new(), ulaw: Vec::new() }
    }

    /// So much later a sound comes out than it went in.
    pub fn lag(&self) -> Duration {
        self.filter.as_ref().map(Filter::lag).unwrap_or_default()
    }

    /// What these bytes of the carrier's sound like. Half a sample at the end is left out.
    pub fn hear(&mut self, bytes: &[u8]) -> Audio {
        self.ulaw.clear();
        match self.codec {
            Codec::Ulaw => return Audio::ulaw(bytes),
            Codec::Alaw => self.ulaw.extend(bytes.iter().map(|code| alaw::TO_ULAW[usize::from(*code)])),
            Codec::Linear(_) => {
                let samples = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
                match &mut self.filter {
                    None => self.ulaw.extend(samples.map(ulaw::encode)),
                    Some(filter) => {
                        self.samples.clear();
                        filter.run(samples, &mut self.samples);
                        self.ulaw.extend(self.samples.iter().map(|sample| ulaw::encode(*sample)));
                    }
                }
            }
        }
        Audio::ulaw(&self.ulaw)
    }
}

impl Outward {
    pub fn new(codec: Codec) -> Self {
        let filter = match codec {
            Codec::Linear(Rate::Khz16) => Some(Filter::up2()),
            Codec::Linear(Rate::Khz24) => Some(Filter::up3()),
            Codec::Ulaw | Codec::Alaw | Codec::Linear(Rate::Khz8) => None,
        };
        Self { codec, filter, samples: Vec::new(), ulaw: Vec::new() }
    }

    /// So much later a sound comes out than it went in.
    pub fn lag(&self) -> Duration {
        self.filter.as_ref().map(Filter::lag).unwrap_or_default()
    }

    /// Appends this in the carrier's bytes.
    pub fn say(&mut self, audio: &Audio, out: &mut BytesMut) {
        self.ulaw.clear();
        audio.decode_into(&mut self.ulaw);
        match self.codec {
            Codec::Ulaw => out.extend_from_slice(&self.ulaw),
            Codec::Alaw => out.extend(self.ulaw.iter().map(|code| alaw::OF_ULAW[usize::from(*code)])),
            Codec::Linear(_) => {
                let samples = self.ulaw.iter().map(|code| ulaw::LINEAR[usize::from(*code)]);
                match &mut self.filter {
                    None => samples.for_each(|sample| out.extend_from_slice(&sample.to_le_bytes())),
                    Some(filter) => {
                        self.samples.clear();
                        filter.run(samples, &mut self.samples);
                        self.samples.iter().for_each(|sample| out.extend_from_slice(&sample.to_le_bytes()));
                    }
                }
            }
        }
    }

    /// What comes next has nothing to do with what was said before.
    pub fn begin_anew(&mut self) {
        if let Some(filter) = &mut self.filter {
            filter.begin_anew();
        }
    }
}
