//! What a model costs: the table that comes with the relay, and one that is put over it.
//!
//! The relay's own is `prices.json`, beside this file. `PRICES_FILE` names another one of the same form: its rows take
//! the place of those for the same model, and add to them. Each row keeps the date of its table.

use std::fmt;

use super::{bill::What, file, money::Price, used::Of};

/// Checked when the relay starts.
#[derive(Clone, Debug)]
pub struct Prices {
    rows: Vec<Row>,
    /// The newest table's.
    date: String,
}

/// What is paid for one model, or for all whose names begin so.
#[derive(Clone, Debug)]
pub struct Row {
    pub of: Of,
    pub(super) prices: Vec<(What, Price)>,
    /// How much sound a token stands for, where that is what is paid.
    pub(super) micros_per_token: Option<u64>,
    /// Of what day this price is.
    pub date: String,
}

/// What is wrong with a table; one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<String>);

impl Default for Prices {
    /// Those that come with the relay.
    fn default() -> Self {
        let (date, rows) = file::read(OURS).expect("a test reads the committed table");
        Self { rows, date }
    }
}

impl Prices {
    /// With the rows of another table put over these.
    pub fn overlaid(mut self, text: &str) -> Result<Self, Faults> {
        let (date, rows) = file::read(text)?;
        self.rows.retain(|old| rows.iter().all(|new| new.of != old.of));
        self.rows.extend(rows);
        self.date = self.date.max(date);
        Ok(self)
    }

    pub fn date(&self) -> &str {
        &self.date
    }

    /// The row with just this name, else the one that shares the longest beginning with it.
    pub fn row(&self, of: &Of) -> Option<&Row> {
        let same = |row: &&Row| row.of.provider == of.provider && row.of.option == of.option;
        let exact = self.rows.iter().find(|row| row.of == *of);
        exact.or_else(|| {
            let begins = |row: &&Row| {
                row.of.model.strip_suffix('*').is_some_and(|beginning| of.model.starts_with(beginning))
            };
            self.rows.iter().filter(same).filter(begins).max_by_key(|row| row.of.model.len())
        })
    }
}

impl Row {
    pub(super) fn price(&self, what: What) -> Option<Price> {
        self.prices.iter().find(|(sold, _)| *sold == what).map(|(_, price)| *price)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Faults {}

const OURS: &str = include_str!("prices.json");

#[cfg(test)]
mod tests {
    use super::*;

    fn price(prices: &Prices, provider: &str, model: &str, what: What) -> Option<(f64, String)> {
        let row = prices.row(&Of::new(provider, model, None))?;
        row.price(what).map(|price| (price.usd(), row.date.clone()))
    }

    #[test]
    fn the_committed_table_is_right_and_says_where_it_is_from() {
        let prices = Prices::default();
        assert!(prices.rows.len() > 30);
        assert!(OURS.contains("\"sources\""));
        assert_eq!(prices.date(), prices.rows[0].date);
        // What the relay takes when a token names no model has a price.
        for (provider, model) in [
            ("openai", "gpt-realtime-2.1-mini"),
            ("openai", "gpt-transcribe"),
            ("deepgram", "flux-general-en"),
            ("elevenlabs", "scribe_v2_realtime"),
            ("elevenlabs", "eleven_flash_v2_5"),
        ] {
            assert!(prices.row(&Of::new(provider, model, None)).is_some(), "{provider} {model}");
        }
    }

    #[test]
    fn a_cached_token_is_never_dearer_than_a_new_one() {
        let pairs = [
            (What::TextCached, What::TextIn),
            (What::AudioCached, What::AudioIn),
            (What::ImageCached, What::ImageIn),
        ];
        for row in &Prices::default().rows {
            for (cached, new) in pairs {
                let [cached, new] = [cached, new].map(|what| row.price(what).map(Price::usd));
                assert!(cached.is_none() || cached <= new, "{}", row.of);
            }
        }
    }

    #[test]
    fn the_name_that_fits_best_is_taken() {
        let prices = Prices::default();
        let spoken = |voice| price(&prices, "deepgram", voice, What::Spoken).map(|(usd, _)| usd);
        assert_eq!(spoken("aura-2-thalia-en"), Some(0.03));
        assert_eq!(spoken("aura-asteria-en"), Some(0.015));
        assert_eq!(spoken("flux-kit-en"), None);
        assert_eq!(
            price(&prices, "openai", "gpt-realtime", What::TextIn),
            None,
            "nothing is guessed from a name"
        );
        assert_eq!(price(&prices, "groq", "gpt-6-luna", What::TextIn), None, "nor from another provider");
        assert!(
            prices.row(&Of::new("deepgram", "nova-3", Some("redact"))).is_none(),
            "nor from another option"
        );
    }

    #[test]
    fn a_second_table_changes_and_adds_rows_and_leaves_the_others() {
        let text = r#"{ "date": "2026-12-01", "sources": ["our contract"], "prices": [
            { "provider": "groq", "model": "openai/gpt-oss-20b", "per": "million tokens", "text_in": 0.05 },
            { "provider": "llm.example.com", "model": "*", "per": "million tokens", "text_in": 0, "text_out": 0 } ] }"#;
        let prices = Prices::default().overlaid(text).unwrap();
        let new = |usd| Some((usd, "2026-12-01".to_owned()));
        assert_eq!(price(&prices, "groq", "openai/gpt-oss-20b", What::TextIn), new(0.05));
        assert_eq!(price(&prices, "groq", "openai/gpt-oss-20b", What::TextOut), None, "the row as a whole");
        assert_eq!(price(&prices, "llm.example.com", "anything", What::TextOut), new(0.0));
        assert_eq!(
            price(&prices, "groq", "openai/gpt-oss-120b", What::TextIn),
            Some((0.15, Prices::default().date))
        );
        assert_eq!(prices.date(), "2026-12-01");
    }
}
