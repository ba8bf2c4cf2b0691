//! Amounts of money without a rounding error.
//!
//! Prices have at most nine decimals and are for a million, a thousand, a minute or an hour. So every amount is a whole
//! number of some very small part of a dollar, see [`PARTS`], and sums of such are exact. Only what is shown is rounded.

use std::{fmt, iter::Sum, ops::Add, time::Duration};

use serde::Deserialize;

/// US dollars, in [`PARTS`].
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(u128);

/// Of how much a price is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Per {
    #[serde(rename = "million tokens")]
    MillionTokens,
    #[serde(rename = "thousand characters")]
    ThousandCharacters,
    #[serde(rename = "minute")]
    Minute,
    #[serde(rename = "hour")]
    Hour,
}

impl Per {
    pub fn name(self) -> &'static str {
        match self {
            Self::MillionTokens => "million tokens",
            Self::ThousandCharacters => "thousand characters",
            Self::Minute => "minute",
            Self::Hour => "hour",
        }
    }

    pub fn is_time(self) -> bool {
        matches!(self, Self::Minute | Self::Hour)
    }
}

/// So many billionths of a dollar for so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    nanos: u64,
    pub per: Per,
}

impl Price {
    /// `None` when it is no price: negative, not finite, above [`MOST`], or with more than nine decimals.
    pub fn new(usd: f64, per: Per) -> Option<Self> {
        if !(0.0..=MOST).contains(&usd) {
            return None;
        }
        // Up to a thousand dollars a double is so near to the decimal that was written that this gives exactly it.
        let nanos = (usd * 1e9).round();
        ((nanos / 1e9).to_bits() == usd.abs().to_bits()).then_some(Self { nanos: nanos as u64, per })
    }

    pub fn usd(self) -> f64 {
        self.nanos as f64 / 1e9
    }

    /// For so many tokens or characters.
    pub fn of_count(self, count: u64) -> Usd {
        let each = match self.per {
            Per::MillionTokens => PARTS / NANOS / 1_000_000,
            Per::ThousandCharacters => PARTS / NANOS / 1_000,
            Per::Minute | Per::Hour => return Usd::default(),
        };
        self.times(count.into(), each)
    }

    pub fn of_time(self, time: Duration) -> Usd {
        let each = match self.per {
            Per::Minute => PARTS / NANOS / 60_000_000,
            Per::Hour => PARTS / NANOS / 3_600_000_000,
            Per::MillionTokens | Per::ThousandCharacters => return Usd::default(),
        };
        self.times(time.as_micros(), each)
    }

    fn times(self, count: u128, each: u128) -> Usd {
        Usd(u128::from(self.nanos).saturating_mul(count).saturating_mul(each))
    }
}

impl Usd {
    /// Rounded to billionths of a dollar, half up.
    pub fn nanos(self) -> u64 {
        let one = PARTS / NANOS;
        u64::try_from(self.0.saturating_add(one / 2) / one).unwrap_or(u64::MAX)
    }

    /// Rounded to cents, half up.
    pub fn cents(self) -> u64 {
        let one = PARTS / 100;
        u64::try_from(self.0.saturating_add(one / 2) / one).unwrap_or(u64::MAX)
    }

    /// To be shown: nine decimals.
    pub fn rounded(self) -> f64 {
        self.nanos() as f64 / 1e9
    }
}

impl Add for Usd {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// With six decimals: `$0.012345`.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = PARTS / 1_000_000;
        let micros = self.0.saturating_add(one / 2) / one;
        write!(f, "${}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

impl fmt::Debug for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Of a dollar. One part is what a millionth of a second costs at a billionth of a dollar an hour (3.6e9 of the one, 1e9
/// of the other); it goes without rest into a token, a character and a minute at such a price as well.
const PARTS: u128 = 3_600_000_000 * NANOS;

const NANOS: u128 = 1_000_000_000;

/// No price of today comes near, and below it doubles are exact enough.
pub(super) const MOST: f64 = 1_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_meant() {
        for (usd, nanos) in [
            (0.0, 0),
            (0.000_000_001, 1),
            (0.0375, 37_500_000),
            (0.1 + 0.0, 100_000_000),
            (64.0, 64_000_000_000),
            (999.999_999_999, 999_999_999_999),
            (1000.0, 1_000_000_000_000),
        ] {
            assert_eq!(Price::new(usd, Per::Minute).map(|price| price.nanos), Some(nanos), "{usd}");
        }
        for bad in [-0.5, 1000.1, f64::NAN, f64::INFINITY, 0.000_000_000_5, 0.1 + 0.2, 1.0 / 3.0] {
            assert_eq!(Price::new(bad, Per::Minute), None, "{bad}");
        }
    }

    #[test]
    fn thirds_of_a_nanodollar_add_up() {
        // A second at one nanodollar a minute is a sixtieth of one; sixty of them are one, not 59 or 61 of something.
        let price = Price::new(0.000_000_001, Per::Minute).unwrap();
        let second = price.of_time(Duration::from_secs(1));
        assert_eq!((second.nanos(), (0..60).map(|_| second).sum::<Usd>()), (0, price.of_time(MINUTE)));
        assert_eq!(price.of_time(MINUTE).nanos(), 1);
        let hour = Price::new(0.39, Per::Hour).unwrap();
        assert_eq!(hour.of_time(MINUTE * 60).nanos(), 390_000_000);
        assert_eq!(hour.of_time(Duration::from_micros(125)).0 * 8_000 * 3_600, hour.of_time(MINUTE * 60).0);
    }

    #[test]
    fn ten_million_small_amounts_are_what_they_are_together() {
        let price = Price::new(0.1, Per::MillionTokens).unwrap();
        let one = price.of_count(1);
        let all: Usd = (0..10_000_000).map(|_| one).sum();
        assert_eq!((all, all.to_string().as_str()), (price.of_count(10_000_000), "$1.000000"));
    }

    #[test]
    fn half_a_cent_is_a_cent_and_a_billion_of_billions_does_not_overflow() {
        let price = Price::new(5.0, Per::ThousandCharacters).unwrap();
        assert_eq!((price.of_count(1).cents(), price.of_count(0).cents()), (1, 0));
        assert_eq!(Price::new(4.999_999_999, Per::ThousandCharacters).unwrap().of_count(1).cents(), 0);
        let most = Price::new(MOST, Per::ThousandCharacters).unwrap().of_count(u64::MAX);
        assert_eq!((most + most).nanos(), u64::MAX);
        assert_eq!(Price::new(MOST, Per::Minute).unwrap().of_time(Duration::MAX).nanos(), u64::MAX);
    }

    const MINUTE: Duration = Duration::from_secs(60);
}
