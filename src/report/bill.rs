//! What a report says of use and cost.

use std::time::Duration;

use call::Usage;
use serde_json::{Map, Value, json};

use crate::costs::{Bill, Count, Entry, Line, Of, Used};

/// One entry for each provider and model; what was not used is left out.
pub(super) fn usage(bill: &Bill) -> Vec<Value> {
    bill.entries.iter().map(|entry| used(&entry.used)).collect()
}

fn used(Used { of, usage }: &Used) -> Value {
    let Usage {
        text_in,
        text_cached,
        audio_in,
        audio_cached,
        image_in,
        image_cached,
        text_out,
        audio_out,
        // These are told as those of a model of their own.
        transcription_audio_in: _,
        transcription_text_in: _,
        transcription_text_out: _,
        transcribed,
        characters,
        untold_answers,
    } = *usage;
    let mut all = names(of);
    for (name, count) in [
        ("text_tokens_in", text_in),
        ("text_tokens_cached", text_cached),
        ("audio_tokens_in", audio_in),
        ("audio_tokens_cached", audio_cached),
        ("image_tokens_in", image_in),
        ("image_tokens_cached", image_cached),
        ("text_tokens_out", text_out),
        ("audio_tokens_out", audio_out),
        ("characters", characters),
        ("untold_answers", untold_answers),
    ] {
        if count > 0 {
            all.insert(name.to_owned(), count.into());
        }
    }
    if !transcribed.is_zero() {
        all.insert("seconds".to_owned(), seconds(transcribed));
    }
    Value::Object(all)
}

/// The sum, how it comes about, and what is not in it.
pub(super) fn cost(bill: &Bill) -> Value {
    let lines: Vec<Value> =
        bill.entries.iter().flat_map(|entry| entry.lines.iter().map(|one| line(entry, one))).collect();
    let unpriced: Vec<Value> = bill.entries.iter().filter_map(unpriced).collect();
    json!({
        "usd": bill.total().rounded(),
        "prices_of": bill.prices_of,
        "lines": lines,
        "unpriced": unpriced,
    })
}

fn line(entry: &Entry, line: &Line) -> Value {
    let mut all = names(&entry.used.of);
    let count = match line.count {
        Count::Of(count) => count.into(),
        Count::Time(time) => seconds(time),
    };
    all.extend(
        [
            ("what", line.what.name().into()),
            ("count", count),
            ("price", line.price.usd().into()),
            ("per", line.price.per.name().into()),
            ("usd", line.usd.rounded().into()),
        ]
        .map(|(name, value): (&str, Value)| (name.to_owned(), value)),
    );
    Value::Object(all)
}

/// To the millisecond.
fn seconds(time: Duration) -> Value {
    json!((time.as_secs_f64() * 1e3).round() / 1e3)
}

fn unpriced(entry: &Entry) -> Option<Value> {
    if entry.unpriced.is_empty() {
        return None;
    }
    let mut all = names(&entry.used.of);
    let what: Vec<&str> = entry.unpriced.iter().map(|what| what.name()).collect();
    all.insert("what".to_owned(), what.into());
    Some(Value::Object(all))
}

fn names(Of { provider, model, option }: &Of) -> Map<String, Value> {
    let mut names = Map::new();
    names.insert("provider".to_owned(), provider.as_str().into());
    names.insert("model".to_owned(), model.as_str().into());
    if let Some(option) = option {
        names.insert("option".to_owned(), option.as_str().into());
    }
    names
}
