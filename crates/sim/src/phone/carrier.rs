//! Which carrier stands between this phone and the relay? One row each for what can be said in a row.
//!
//! What a carrier's messages look like is in `dialect/`, what it does with the address and the token in `route.rs`.

use super::TokenWay;
use crate::ulaw;
use std::fmt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carrier {
    #[default]
    Twilio,
    /// The codec from Telnyx follows the phone's leg, the codec to it is what the call was set to.
    Telnyx {
        from: Law,
        to: Law,
    },
    SignalWire,
    Plivo,
    /// 8000, 16000 or 24000.
    Exotel {
        rate: u32,
    },
    /// 8000 or 16000.
    Vonage {
        rate: u32,
    },
}

/// How a sample of the telephone network becomes a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// America, Japan.
    Mu,
    /// Europe and the rest.
    A,
}

/// What audio is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// 8 kHz, a byte a sample.
    G711(Law),
    /// 16 bit, little-endian.
    Linear { rate: u32 },
}

const PCMU: Carrier = Carrier::Telnyx { from: Law::Mu, to: Law::Mu };
const PCMA: Carrier = Carrier::Telnyx { from: Law::A, to: Law::A };
const PCMA_PCMU: Carrier = Carrier::Telnyx { from: Law::A, to: Law::Mu };
const PCMU_PCMA: Carrier = Carrier::Telnyx { from: Law::Mu, to: Law::A };

/// Telnyx: the codec from it, then the codec to it if that is another.
const NAMES: [(&str, Carrier); 12] = [
    ("twilio", Carrier::Twilio),
    ("telnyx", PCMU),
    ("telnyx-pcma", PCMA),
    ("telnyx-pcma-pcmu", PCMA_PCMU),
    ("telnyx-pcmu-pcma", PCMU_PCMA),
    ("signalwire", Carrier::SignalWire),
    ("plivo", Carrier::Plivo),
    ("exotel", Carrier::Exotel { rate: 8000 }),
    ("exotel-16000", Carrier::Exotel { rate: 16_000 }),
    ("exotel-24000", Carrier::Exotel { rate: 24_000 }),
    ("vonage", Carrier::Vonage { rate: 16_000 }),
    ("vonage-8000", Carrier::Vonage { rate: 8000 }),
];

impl Carrier {
    /// Every carrier with everything it can sound like.
    pub fn all() -> impl Iterator<Item = Carrier> {
        NAMES.into_iter().map(|(_, carrier)| carrier)
    }

    /// The names that [`Carrier::parse`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().map(|(name, _)| name)
    }

    /// Reads a name such as `telnyx-pcma`; the error tells which there are.
    pub fn parse(name: &str) -> Result<Carrier, String> {
        let found = NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, carrier)| carrier);
        found.ok_or_else(|| {
            let known: Vec<_> = Self::names().collect();
            format!("there is no carrier {name:?}; there are {}", known.join(", "))
        })
    }

    /// The carrier alone, as in `/stream/telnyx`.
    pub fn route(self) -> &'static str {
        match self {
            Carrier::Twilio => "twilio",
            Carrier::Telnyx { .. } => "telnyx",
            Carrier::SignalWire => "signalwire",
            Carrier::Plivo => "plivo",
            Carrier::Exotel { .. } => "exotel",
            Carrier::Vonage { .. } => "vonage",
        }
    }

    /// Audio from the carrier to the relay.
    pub fn sends(self) -> Sound {
        match self {
            Carrier::Twilio | Carrier::SignalWire | Carrier::Plivo => Sound::G711(Law::Mu),
            Carrier::Telnyx { from, .. } => Sound::G711(from),
            Carrier::Exotel { rate } | Carrier::Vonage { rate } => Sound::Linear { rate },
        }
    }

    /// Audio from the relay to the carrier.
    pub fn plays(self) -> Sound {
        match self {
            Carrier::Telnyx { to, .. } => Sound::G711(to),
            Carrier::Twilio | Carrier::SignalWire | Carrier::Plivo => self.sends(),
            Carrier::Exotel { .. } | Carrier::Vonage { .. } => self.sends(),
        }
    }

    /// Whether µ-law comes out of its way there and back as it went in: only then can a frame be known again.
    pub fn keeps_bytes(self) -> bool {
        self.sends().keeps_bytes() && self.plays().keeps_bytes()
    }

    /// Where a token goes if nobody says otherwise.
    pub fn natural_way(self) -> TokenWay {
        match self {
            Carrier::Twilio => TokenWay::Parameters,
            Carrier::Telnyx { .. } | Carrier::SignalWire | Carrier::Vonage { .. } => TokenWay::Header,
            // The one has no room in its parameters, the other no alphabet.
            Carrier::Plivo | Carrier::Exotel { .. } => TokenWay::Path,
        }
    }

    /// Frames of 20 ms that travel in one message.
    pub(crate) fn frames_per_message(self) -> u32 {
        match self {
            Carrier::Twilio | Carrier::Telnyx { .. } | Carrier::SignalWire | Carrier::Plivo => 1,
            Carrier::Vonage { .. } => 1,
            Carrier::Exotel { .. } => 5,
        }
    }

    /// Samples of 8 kHz that wait to be played; what is beyond is thrown away. Ten minutes are Twilio's and, as long as
    /// nobody documents another limit, everybody's.
    pub(crate) fn max_queued(self) -> u64 {
        match self {
            Carrier::Vonage { .. } => 3072 * ulaw::FRAME as u64,
            Carrier::Twilio | Carrier::SignalWire | Carrier::Plivo => 600 * 8000,
            Carrier::Telnyx { .. } | Carrier::Exotel { .. } => 600 * 8000,
        }
    }

    /// What the carrier says when more than that came.
    pub(crate) fn overflow(self, lost: u64) -> String {
        match self {
            Carrier::Twilio => format!("31931 more than 10 minutes queued, {lost} bytes discarded"),
            _ => format!("more than {} s queued, {lost} bytes discarded", self.max_queued() / 8000),
        }
    }

    /// Do pending marks come back when playback is cleared? Plivo's documents do not say.
    pub(crate) fn clear_returns_marks(self) -> bool {
        match self {
            Carrier::Twilio | Carrier::Telnyx { .. } | Carrier::SignalWire | Carrier::Exotel { .. } => true,
            Carrier::Plivo | Carrier::Vonage { .. } => false,
        }
    }

    /// Whether what an address has behind its question mark reaches the relay.
    pub(crate) fn keeps_query(self) -> bool {
        match self {
            Carrier::Twilio | Carrier::SignalWire => false,
            Carrier::Telnyx { .. } | Carrier::Plivo | Carrier::Exotel { .. } | Carrier::Vonage { .. } => true,
        }
    }

    pub(crate) fn user_agent(self) -> Option<&'static str> {
        match self {
            Carrier::Twilio => Some("Twilio.TmeWs/1.0"),
            Carrier::Telnyx { .. } | Carrier::SignalWire | Carrier::Plivo => None,
            Carrier::Exotel { .. } | Carrier::Vonage { .. } => None,
        }
    }

    /// Caller and called; Exotel writes them as they are dialled at home.
    pub(crate) fn numbers(self) -> [&'static str; 2] {
        match self {
            Carrier::Exotel { .. } => ["09876500100", "08047100111"],
            Carrier::Twilio | Carrier::Telnyx { .. } | Carrier::SignalWire => ["+15550100", "+15550111"],
            Carrier::Plivo | Carrier::Vonage { .. } => ["15550100", "15550111"],
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.into_iter().find(|(_, carrier)| carrier == self).map(|(name, _)| name);
        f.pad(name.unwrap_or(self.route()))
    }
}

impl Law {
    /// As Telnyx spells it.
    pub fn codec(self) -> &'static str {
        match self {
            Law::Mu => "PCMU",
            Law::A => "PCMA",
        }
    }
}

impl Sound {
    pub fn rate(self) -> u32 {
        match self {
            Sound::G711(_) => 8000,
            Sound::Linear { rate } => rate,
        }
    }

    /// Bytes of 20 ms.
    pub fn frame_bytes(self) -> usize {
        match self {
            Sound::G711(_) => ulaw::FRAME,
            Sound::Linear { rate } => rate as usize / 50 * 2,
        }
    }

    /// Whether a µ-law byte comes out of a there and back as it went in.
    pub(crate) fn keeps_bytes(self) -> bool {
        matches!(self, Sound::G711(Law::Mu) | Sound::Linear { rate: 8000 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_carrier_has_a_name_of_its_own_that_reads_back() {
        for carrier in Carrier::all() {
            assert_eq!(Carrier::parse(&carrier.to_string()), Ok(carrier));
        }
        let error = Carrier::parse("telnyx-opus").unwrap_err();
        assert!(error.contains("\"telnyx-opus\"") && error.contains("telnyx-pcma-pcmu"), "{error}");
    }
}
