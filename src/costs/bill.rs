//! The bill of a call: for each model what was used, at which price, and the sum.
//!
//! Cached tokens are part of the input tokens where they are counted; here they are told apart, for each kind has its
//! price.

use std::time::Duration;

use super::{
    money::{Per, Price, Usd},
    prices::{Prices, Row},
    used::{Of, Used},
};

/// What is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Tokens that came in and were not in the cache.
    TextIn,
    TextCached,
    AudioIn,
    AudioCached,
    ImageIn,
    ImageCached,
    TextOut,
    AudioOut,
    /// Time of sound that was made words of.
    Heard,
    /// Characters that were made sound of.
    Spoken,
}

/// What was used, and what it costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bill {
    pub entries: Vec<Entry>,
    /// The date of the oldest price in it.
    pub prices_of: String,
}

/// One provider's one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub used: Used,
    /// The row of the price table that it was found in.
    pub row: Option<Of>,
    pub lines: Vec<Line>,
    /// What was used and has no price.
    pub unpriced: Vec<What>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub what: What,
    pub count: Count,
    pub price: Price,
    pub usd: Usd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Of(u64),
    Time(Duration),
}

impl Bill {
    pub fn total(&self) -> Usd {
        self.entries.iter().map(Entry::total).sum()
    }
}

impl Entry {
    pub fn total(&self) -> Usd {
        self.lines.iter().map(|line| line.usd).sum()
    }
}

/// What all of this costs.
pub fn bill(prices: &Prices, used: Vec<Used>) -> Bill {
    let mut prices_of: Option<&str> = None;
    let mut entries = Vec::new();
    for used in used {
        let row = prices.row(&used.of);
        let (mut lines, mut unpriced) = (Vec::new(), Vec::new());
        for (what, count) in counts(&used, row) {
            match row.and_then(|row| row.price(what)) {
                Some(price) => lines.push(Line { what, count, price, usd: count.at(price) }),
                None => unpriced.push(what),
            }
        }
        if let Some(row) = row.filter(|_| !lines.is_empty()) {
            prices_of = Some(prices_of.map_or(&*row.date, |oldest| oldest.min(&row.date)));
        }
        entries.push(Entry { used, row: row.map(|row| row.of.clone()), lines, unpriced });
    }
    Bill { entries, prices_of: prices_of.unwrap_or(prices.date()).to_owned() }
}

/// What is to be paid, without what is not there.
fn counts(used: &Used, row: Option<&Row>) -> Vec<(What, Count)> {
    let mut usage = used.usage;
    if let Some(micros) = row.and_then(|row| row.micros_per_token) {
        // The provider counted tokens of sound, and takes money for its time; the words are included.
        let heard = Duration::from_micros(usage.audio_in.saturating_mul(micros));
        usage.transcribed = usage.transcribed.saturating_add(heard);
        (usage.audio_in, usage.text_in, usage.text_out) = (0, 0, 0);
    }
    let all = [
        (What::TextIn, Count::Of(usage.text_in.saturating_sub(usage.text_cached))),
        (What::TextCached, Count::Of(usage.text_cached)),
        (What::AudioIn, Count::Of(usage.audio_in.saturating_sub(usage.audio_cached))),
        (What::AudioCached, Count::Of(usage.audio_cached)),
        (What::ImageIn, Count::Of(usage.image_in.saturating_sub(usage.image_cached))),
        (What::ImageCached, Count::Of(usage.image_cached)),
        (What::TextOut, Count::Of(usage.text_out)),
        (What::AudioOut, Count::Of(usage.audio_out)),
        (What::Heard, Count::Time(usage.transcribed)),
        (What::Spoken, Count::Of(usage.characters)),
    ];
    all.into_iter().filter(|(_, count)| !count.is_nothing()).collect()
}

impl Count {
    fn is_nothing(self) -> bool {
        matches!(self, Self::Of(0) | Self::Time(Duration::ZERO))
    }

    fn at(self, price: Price) -> Usd {
        match self {
            Self::Of(count) => price.of_count(count),
            Self::Time(time) => price.of_time(time),
        }
    }
}

impl What {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::TextIn => "text_tokens_uncached",
            Self::TextCached => "text_tokens_cached",
            Self::AudioIn => "audio_tokens_uncached",
            Self::AudioCached => "audio_tokens_cached",
            Self::ImageIn => "image_tokens_uncached",
            Self::ImageCached => "image_tokens_cached",
            Self::TextOut => "text_tokens_out",
            Self::AudioOut => "audio_tokens_out",
            Self::Heard => "seconds",
            Self::Spoken => "characters",
        }
    }

    pub(super) fn is_sold_by(self, per: Per) -> bool {
        match self {
            Self::Heard => per.is_time(),
            Self::Spoken => per == Per::ThousandCharacters,
            Self::TextIn
            | Self::TextCached
            | Self::AudioIn
            | Self::AudioCached
            | Self::ImageIn
            | Self::ImageCached
            | Self::TextOut
            | Self::AudioOut => per == Per::MillionTokens,
        }
    }
}
