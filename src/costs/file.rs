//! How a price table is written, and everything that can be wrong with one.
//!
//! A typo must not change what calls seem to cost: unknown fields are errors, and every fault is told, by its row.

use serde::Deserialize;

use super::{
    bill::What,
    money::{MOST, Per, Price},
    prices::{Faults, Row},
    used::Of,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Of what day the prices are.
    date: String,
    /// Where they are from, in words.
    #[serde(default)]
    sources: Vec<String>,
    prices: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    provider: String,
    /// A `*` at the end stands for anything.
    model: String,
    option: Option<String>,
    per: Per,
    text_in: Option<f64>,
    text_cached: Option<f64>,
    audio_in: Option<f64>,
    audio_cached: Option<f64>,
    image_in: Option<f64>,
    image_cached: Option<f64>,
    text_out: Option<f64>,
    audio_out: Option<f64>,
    heard: Option<f64>,
    spoken: Option<f64>,
    /// Where the provider counts tokens of what is paid by the minute.
    audio_tokens_per_minute: Option<u64>,
}

/// The date of a table, and its rows.
pub(super) fn read(text: &str) -> Result<(String, Vec<Row>), Faults> {
    let File { date, sources, prices } =
        serde_json::from_str(text).map_err(|error| Faults(vec![format!("is not a price table: {error}")]))?;
    let mut faults = Vec::new();
    if !is_date(&date) {
        faults.push("`date` is not a day: write it as 2026-11-20".to_owned());
    }
    if sources.iter().any(|source| source.trim().is_empty()) {
        faults.push("`sources` has an empty entry: write in words where prices are from".to_owned());
    }
    if prices.len() > MOST_ROWS {
        faults.push(format!("has {} prices: {MOST_ROWS} are allowed", prices.len()));
    }
    let mut rows: Vec<Row> = Vec::new();
    for (index, written) in prices.into_iter().take(MOST_ROWS).enumerate() {
        let at = format!("prices[{index}] ({})", shown(&written));
        let mut add = |fault: &str| faults.push(format!("{at}: {fault}"));
        let row = row(written, &date, &mut add);
        if rows.iter().any(|other| other.of == row.of) {
            add("stands in the table twice");
        }
        rows.push(row);
    }
    if faults.is_empty() { Ok((date, rows)) } else { Err(Faults(faults)) }
}

fn row(written: Written, date: &str, add: &mut impl FnMut(&str)) -> Row {
    for (field, name) in [("provider", Some(&written.provider)), ("model", Some(&written.model))]
        .into_iter()
        .chain([("option", written.option.as_ref())])
    {
        if name.is_some_and(|name| name.trim().is_empty() || name.len() > LONGEST_NAME) {
            add(&format!("`{field}` is empty, or longer than {LONGEST_NAME} letters"));
        }
    }
    if written.model.trim_end_matches('*').contains('*') || written.model.ends_with("**") {
        add("`model` may have one `*`, at its end");
    }
    let per = written.per;
    let mut prices = Vec::new();
    for (field, what, usd) in written.prices() {
        let Some(usd) = usd else { continue };
        if !what.is_sold_by(per) {
            add(&format!("`{field}` is not sold by the {}", per.name()));
        }
        match Price::new(usd, per) {
            Some(price) => prices.push((what, price)),
            None if usd < 0.0 => add(&format!("`{field}` is negative")),
            None if usd > MOST => {
                add(&format!("`{field}` is above {MOST} dollars: is it for one {}?", per.name()))
            }
            None => add(&format!("`{field}` has more than nine decimals")),
        }
    }
    if written.prices().iter().all(|(_, _, usd)| usd.is_none()) {
        add("has no price: write 0 for what is free");
    }
    let tokens = written.audio_tokens_per_minute;
    if tokens.is_some_and(|tokens| !per.is_time() || tokens == 0 || !MINUTE.is_multiple_of(tokens)) {
        add("`audio_tokens_per_minute` belongs to prices by time, and has to go into a minute without rest");
    }
    let micros_per_token = tokens.and_then(|tokens| MINUTE.checked_div(tokens));
    let of = Of { provider: written.provider, model: written.model, option: written.option };
    Row { of, prices, micros_per_token, date: date.to_owned() }
}

impl Written {
    fn prices(&self) -> [(&'static str, What, Option<f64>); 10] {
        [
            ("text_in", What::TextIn, self.text_in),
            ("text_cached", What::TextCached, self.text_cached),
            ("audio_in", What::AudioIn, self.audio_in),
            ("audio_cached", What::AudioCached, self.audio_cached),
            ("image_in", What::ImageIn, self.image_in),
            ("image_cached", What::ImageCached, self.image_cached),
            ("text_out", What::TextOut, self.text_out),
            ("audio_out", What::AudioOut, self.audio_out),
            ("heard", What::Heard, self.heard),
            ("spoken", What::Spoken, self.spoken),
        ]
    }
}

/// Short enough for a line.
fn shown(written: &Written) -> String {
    [&written.provider, &written.model].map(|name| name.chars().take(40).collect::<String>()).join(", ")
}

/// A day of the calendar, as `2026-11-20`.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let number = |text: &str, digits: usize| {
        let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// More than all vendors together sell.
const MOST_ROWS: usize = 10_000;

/// As in the token.
const LONGEST_NAME: usize = 128;

/// In millionths of a second.
const MINUTE: u64 = 60_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> String {
        read(text).map(|_| ()).unwrap_err().to_string()
    }

    fn with_row(row: &str) -> String {
        format!(r#"{{ "date": "2026-11-20", "prices": [ {row} ] }}"#)
    }

    #[test]
    fn days_that_are_none_are_refused() {
        for good in ["2026-11-20", "2024-02-29", "2000-02-29", "2026-12-31"] {
            assert!(is_date(good), "{good}");
        }
        for bad in [
            "",
            "2026-11",
            "2026-11-31",
            "2025-02-29",
            "2100-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "26-01-01",
            "2026-1-1",
            "20.11.2026",
            "2026-11-20T00:00:00Z",
            "+026-11-20",
            "2026-11-20-1",
        ] {
            assert!(!is_date(bad), "{bad}");
        }
        let said = faults(r#"{ "date": "20 November", "prices": [] }"#);
        assert!(said.contains("`date` is not a day"), "{said}");
    }

    #[test]
    fn every_fault_is_told_by_its_row_and_field() {
        for (row, expected) in [
            (
                r#"{ "provider": "groq", "model": "m", "per": "million tokens", "text_in": -1 }"#,
                "`text_in` is negative",
            ),
            (
                r#"{ "provider": "groq", "model": "m", "per": "million tokens", "text_inn": 1 }"#,
                "unknown field `text_inn`",
            ),
            (
                r#"{ "provider": "groq", "model": "m", "per": "minutes", "heard": 1 }"#,
                "unknown variant `minutes`",
            ),
            (
                r#"{ "provider": "groq", "model": "m", "per": "minute", "text_in": 1 }"#,
                "`text_in` is not sold by the minute",
            ),
            (
                r#"{ "provider": "groq", "model": "m", "per": "million tokens", "spoken": 1 }"#,
                "`spoken` is not sold by the million tokens",
            ),
            (
                r#"{ "provider": "groq", "model": "m", "per": "minute", "heard": 0.0000000001 }"#,
                "more than nine decimals",
            ),
            (
                r#"{ "provider": "groq", "model": "m", "per": "minute", "heard": 1001 }"#,
                "is above 1000 dollars",
            ),
            (r#"{ "provider": "groq", "model": "m", "per": "minute", "heard": "0.1" }"#, "invalid type"),
            (r#"{ "provider": "groq", "model": "m", "per": "minute" }"#, "has no price"),
            (r#"{ "provider": "groq", "model": "m", "heard": 1 }"#, "missing field `per`"),
            (r#"{ "provider": " ", "model": "m", "per": "minute", "heard": 1 }"#, "`provider` is empty"),
            (r#"{ "provider": "groq", "model": "a*b", "per": "minute", "heard": 1 }"#, "one `*`, at its end"),
            (
                r#"{ "provider": "groq", "model": "ab**", "per": "minute", "heard": 1 }"#,
                "one `*`, at its end",
            ),
            (
                r#"{ "provider": "x", "model": "m", "per": "minute", "heard": 1, "audio_tokens_per_minute": 7 }"#,
                "without rest",
            ),
            (
                r#"{ "provider": "x", "model": "m", "per": "minute", "heard": 1, "audio_tokens_per_minute": 0 }"#,
                "without rest",
            ),
        ] {
            let said = faults(&with_row(row));
            assert!(said.contains(expected), "{row}\n{said}");
        }
        let row = r#"{ "provider": "groq", "model": "m", "per": "minute", "heard": 1 }"#;
        let said = faults(&with_row(&format!("{row}, {row}")));
        assert!(said.contains("prices[1] (groq, m): stands in the table twice"), "{said}");
        assert!(faults("sk-secret").contains("is not a price table"));
        assert!(
            faults(r#"{ "date": "2026-11-20", "prices": [], "colour": 1 }"#)
                .contains("unknown field `colour`")
        );
    }

    #[test]
    fn all_faults_are_told_together() {
        let rows = r#"{ "provider": "a", "model": "m", "per": "minute", "heard": -1 },
                      { "provider": "b", "model": "m", "per": "minute", "text_in": 1 }"#;
        let said = faults(&format!(r#"{{ "date": "x", "prices": [ {rows} ] }}"#));
        assert_eq!(said.lines().count(), 3, "{said}");
    }
}
