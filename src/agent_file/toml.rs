//! TOML as the JSON that it stands for, with the line of each field.
//!
//! TOML has two things that JSON has not: dates, and numbers without a value. Both are faults here.

use serde_json::{Map, Number, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Syntax,
    places::{self, Places},
};

pub(super) fn read(text: &str, places: &mut Places) -> Result<Map<String, Value>, Vec<Syntax>> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map(|span| line(text, span.start));
        // The message may go over several lines, and never quotes the text.
        let what = error.message().lines().collect::<Vec<_>>().join(", ");
        vec![Syntax { line, text: format!("is not TOML: {what}") }]
    })?;
    let mut reader = Reader { text, places, faults: Vec::new() };
    let fields = reader.table(table.get_ref(), "");
    if reader.faults.is_empty() { Ok(fields) } else { Err(reader.faults) }
}

struct Reader<'a> {
    text: &'a str,
    places: &'a mut Places,
    faults: Vec<Syntax>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &str) -> Map<String, Value> {
        let mut fields = Map::new();
        for (name, value) in table {
            let path = places::field(path, name.get_ref());
            let line = line(self.text, name.span().start);
            self.places.note(&path, line);
            fields.insert(name.get_ref().to_string(), self.value(value, &path, line));
        }
        fields
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &str, at: usize) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(yes) => Value::Bool(*yes),
            DeValue::Integer(number) => {
                let (digits, radix) = (number.as_str(), number.radix());
                let small = i64::from_str_radix(digits, radix).ok().map(Number::from);
                let number = small.or_else(|| u64::from_str_radix(digits, radix).ok().map(Number::from));
                self.number(number, path, at)
            }
            DeValue::Float(number) => {
                let number = number.as_str().parse().ok().and_then(Number::from_f64);
                self.number(number, path, at)
            }
            DeValue::Array(items) => {
                let items = items.iter().enumerate().map(|(index, value)| {
                    let path = places::item(path, index);
                    let line = line(self.text, value.span().start);
                    self.places.note(&path, line);
                    self.value(value, &path, line)
                });
                items.collect()
            }
            DeValue::Table(table) => Value::Object(self.table(table, path)),
            DeValue::Datetime(_) => {
                let text = format!("`{path}` is a date, which JSON has not: put it into quotes");
                self.faults.push(Syntax { line: Some(at), text });
                Value::Null
            }
        }
    }

    fn number(&mut self, number: Option<Number>, path: &str, at: usize) -> Value {
        number.map(Value::Number).unwrap_or_else(|| {
            self.faults.push(Syntax { line: Some(at), text: format!("`{path}` is no number that JSON has") });
            Value::Null
        })
    }
}

/// Counted from one.
fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
