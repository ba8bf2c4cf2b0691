//! Which of an agent's models have no price? Asked before any call, so that a person can put one into `PRICES_FILE`.

use std::time::Duration;

use call::{LegEnd, LegUse, Usage};

use super::{Entry, Of, Prices, What, bill, by_model};
use crate::gate::config::{Config, Leg};

/// Those of one leg.
pub fn without_price(prices: &Prices, config: &Config, leg: usize) -> Vec<Of> {
    let Some(usage) = config.legs.get(leg).map(a_little) else { return Vec::new() };
    let used = LegUse { leg, from: Duration::ZERO, end: LegEnd::Used };
    let bill = bill(prices, by_model(config, &[used], &[usage].into_iter().collect()));
    bill.entries.into_iter().filter(lacks_a_price).map(|entry| entry.used.of).collect()
}

/// Who writes down what the caller says counts tokens or time: a price for one of them will do.
fn lacks_a_price(entry: &Entry) -> bool {
    let but_time = entry.unpriced.iter().any(|what| *what != What::Heard);
    but_time || entry.lines.is_empty() && !entry.unpriced.is_empty()
}

/// Something of everything that a call over such a leg always uses. Caches may be empty.
fn a_little(leg: &Leg) -> Usage {
    let tokens = Usage { text_in: 1, text_out: 1, ..Usage::default() };
    match leg {
        Leg::OpenAi(leg) => {
            let writes = u64::from(leg.transcription.is_some());
            Usage {
                audio_in: 1,
                audio_out: 1,
                transcription_audio_in: writes,
                transcription_text_out: writes,
                transcribed: Duration::from_secs(writes),
                ..tokens
            }
        }
        Leg::Cascade(_) => Usage { transcribed: Duration::from_secs(1), characters: 1, ..tokens },
        Leg::Echo(_) => Usage::default(),
    }
}
