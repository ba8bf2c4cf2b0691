//! The rare messages of carriers that write alike but spell their fields in different ways: `callSid`, `call_sid`.
//!
//! Read into a tree, and asked by place. Fifty frames a second are not read like this, see [`Envelope`].

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::{
    hearing::Media,
    words::{Malformed, name},
};
use crate::loose::Text;

/// What every message needs.
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub event: Text<'a>,
    #[serde(borrow, default)]
    pub media: Option<Media<'a>>,
}

/// A whole message.
pub(crate) struct Said(Value);

impl Said {
    pub fn read(text: &Bytes) -> Result<Self, Malformed> {
        let said: Value = serde_json::from_slice(text)?;
        if said.is_object() { Ok(Self(said)) } else { Err(Malformed) }
    }

    /// The first of these places that holds a word. Places are JSON pointers.
    pub fn text(&self, places: &[&str]) -> Option<&str> {
        let texts = places.iter().filter_map(|place| self.0.pointer(place)?.as_str());
        texts.into_iter().find(|text| !text.is_empty())
    }

    /// The same for a name that may be repeated in messages and logs.
    pub fn name(&self, places: &[&str]) -> Option<&str> {
        self.text(places).and_then(name)
    }

    /// The first of these places that holds a number, or one that is written as a string.
    pub fn number(&self, places: &[&str]) -> Option<u32> {
        places.iter().find_map(|place| match self.0.pointer(place)? {
            Value::Number(number) => number.as_u64()?.try_into().ok(),
            Value::String(digits) => digits.parse().ok(),
            _ => None,
        })
    }

    pub fn has(&self, place: &str) -> bool {
        self.0.pointer(place).is_some()
    }

    /// Whether this place holds just these words.
    pub fn is_list_of(&self, place: &str, words: &[&str]) -> bool {
        let list = self.0.pointer(place).and_then(Value::as_array);
        list.is_some_and(|list| list.iter().map(Value::as_str).eq(words.iter().map(|word| Some(*word))))
    }

    /// Names and values: of an object, or of a list of objects with `name` and `value`.
    pub fn parameters(&self, places: &[&str]) -> Vec<(String, String)> {
        let pair = |name: &str, value: &Value| Some((name.to_owned(), value.as_str()?.to_owned()));
        match places.iter().find_map(|place| self.0.pointer(place)) {
            Some(Value::Object(all)) => all.iter().filter_map(|(name, value)| pair(name, value)).collect(),
            Some(Value::Array(all)) => {
                all.iter().filter_map(|one| pair(one.get("name")?.as_str()?, one.get("value")?)).collect()
            }
            _ => Vec::new(),
        }
    }
}
