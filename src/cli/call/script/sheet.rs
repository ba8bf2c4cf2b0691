//! How is a script file read so that each mistake is named with its line?
//!
//! A table gives its fields away one by one, with checks; whatever is left over is a mistake. All mistakes are told at
//! once, in the order of the file.

use std::{cell::RefCell, collections::BTreeSet, ops::Range};

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue, Error};

use crate::gate::nearest;

/// A file, and what is wrong with it so far.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    file: &'a str,
    text: &'a str,
    problems: RefCell<Vec<(usize, String)>>,
}

impl<'a> Sheet<'a> {
    pub fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, problems: RefCell::default() }
    }

    pub fn problem(&self, at: &Range<usize>, what: impl Into<String>) {
        self.problems.borrow_mut().push((self.line(at.start), what.into()));
    }

    /// Counted from 1.
    pub fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
    }

    /// What is wrong, a line each.
    pub fn verdict(&self) -> Result<(), String> {
        let mut problems = self.problems.take();
        problems.sort_by_key(|(line, _)| *line);
        problems.dedup();
        let lines = problems.iter().map(|(line, what)| format!("{}:{line}: {what}", self.file));
        let told = lines.take(MOST_TOLD).collect::<Vec<_>>().join("\n");
        if told.is_empty() { Ok(()) } else { Err(told) }
    }

    /// What the parser itself did not like.
    pub fn broken(&self, error: &Error) -> String {
        let line = self.line(error.span().map_or(0, |span| span.start));
        format!("{}:{line}: this is no TOML: {}", self.file, error.message())
    }
}

/// A table whose fields are taken one after the other.
pub(super) struct Fields<'a> {
    sheet: &'a Sheet<'a>,
    table: &'a DeTable<'a>,
    /// Where the table itself stands.
    pub at: Range<usize>,
    /// What it is called in messages.
    name: &'static str,
    known: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Fields<'a> {
    pub fn new(sheet: &'a Sheet<'a>, table: &'a DeTable<'a>, at: Range<usize>, name: &'static str) -> Self {
        Self { sheet, table, at, name, known: RefCell::default() }
    }

    fn find(&self, name: &'static str) -> Option<(&'a DeValue<'a>, Range<usize>)> {
        self.known.borrow_mut().insert(name);
        let (key, value) = self.table.get_key_value(name)?;
        Some((value.get_ref(), key.span()))
    }

    /// Its place, if the field is there.
    pub fn place(&self, name: &'static str) -> Option<Range<usize>> {
        self.find(name).map(|(_, at)| at)
    }

    fn wrong<T>(&self, at: &Range<usize>, name: &str, found: &DeValue<'_>, wanted: &str) -> Option<T> {
        self.sheet.problem(at, format!("`{name}` is {}, and should be {wanted}", kind(found)));
        None
    }

    pub fn text(&self, name: &'static str) -> Option<&'a str> {
        let (value, at) = self.find(name)?;
        value.as_str().or_else(|| self.wrong(&at, name, value, "a text in quotes"))
    }

    pub fn truth(&self, name: &'static str) -> Option<bool> {
        let (value, at) = self.find(name)?;
        value.as_bool().or_else(|| self.wrong(&at, name, value, "true or false"))
    }

    /// A whole number in this range.
    pub fn number(&self, name: &'static str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let (value, at) = self.find(name)?;
        let number =
            value.as_integer().and_then(|whole| u64::from_str_radix(whole.as_str(), whole.radix()).ok());
        number.filter(|number| range.contains(number)).or_else(|| {
            let wanted = format!("a whole number from {} to {}", range.start(), range.end());
            self.wrong(&at, name, value, &wanted)
        })
    }

    /// Anything, as JSON.
    pub fn value(&self, name: &'static str) -> Option<Value> {
        self.find(name).map(|(value, _)| json(value))
    }

    pub fn raw(&self, name: &'static str) -> Option<(&'a DeValue<'a>, Range<usize>)> {
        self.find(name)
    }

    pub fn table(&self, name: &'static str) -> Option<Fields<'a>> {
        let (value, at) = self.find(name)?;
        match value.as_table() {
            Some(table) => Some(Fields::new(self.sheet, table, at, name)),
            None => self.wrong(&at, name, value, &format!("a table: [{name}]")),
        }
    }

    /// A list of tables, as `[[name]]` makes it.
    pub fn tables(&self, name: &'static str, shown: &'static str) -> Vec<Fields<'a>> {
        let Some((value, at)) = self.find(name) else { return Vec::new() };
        let items = value.as_array().map(|items| items.iter().collect::<Vec<_>>());
        let tables = items.and_then(|items| {
            let table = |item: &&'a toml::Spanned<DeValue<'a>>| {
                Some(Fields::new(self.sheet, item.get_ref().as_table()?, item.span(), name))
            };
            items.iter().map(table).collect::<Option<Vec<_>>>()
        });
        tables.unwrap_or_else(|| {
            self.wrong(&at, name, value, &format!("tables: [[{shown}]]")).unwrap_or_default()
        })
    }

    /// To be called when all fields were asked for: what is left was meant differently. True when nothing was left.
    pub fn no_more(&self) -> bool {
        let known: Vec<&str> = self.known.borrow().iter().copied().collect();
        let all_known = self.table.iter().all(|(key, _)| known.contains(&&**key.get_ref()));
        for (key, _) in self.table.iter().filter(|(key, _)| !known.contains(&&**key.get_ref())) {
            let name: String = key.get_ref().chars().take(LONGEST_NAME).collect();
            let advice = match nearest(&name, &known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the fields here are {}", known.join(", ")),
            };
            self.sheet.problem(&key.span(), format!("`{name}` is not known in `{}`: {advice}", self.name));
        }
        all_known
    }

    pub fn problem(&self, at: &Range<usize>, what: impl Into<String>) {
        self.sheet.problem(at, what);
    }

    pub fn line(&self, at: &Range<usize>) -> usize {
        self.sheet.line(at.start)
    }
}

fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(_) => "a text".to_owned(),
        DeValue::Integer(whole) => whole.as_str().chars().take(LONGEST_NAME).collect(),
        DeValue::Float(_) => "a number with a fraction".to_owned(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

pub(super) fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(whole) => {
            i64::from_str_radix(whole.as_str(), whole.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let fields = table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())));
            Value::Object(fields.collect::<Map<_, _>>())
        }
    }
}

/// More mistakes than that are one: it is no script.
const MOST_TOLD: usize = 20;

const LONGEST_NAME: usize = 60;
