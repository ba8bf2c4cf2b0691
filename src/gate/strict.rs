//! JSON in which no name stands twice.
//!
//! Most parsers silently take the last of two equal names, some the first. A token read differently by two
//! programs is a hole, so here a second one is an error. The strings are wiped when the value is dropped:
//! provider keys are among them.

use std::fmt;

use secrecy::zeroize::Zeroize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::refusal::{Code, Refusal, printable};

/// A JSON object read strictly. Wiped on drop.
pub(super) struct Strict(Value);

impl Strict {
    pub fn wrap(map: Map<String, Value>) -> Self {
        Self(Value::Object(map))
    }

    pub fn value(&self) -> &Value {
        &self.0
    }

    pub fn find(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Takes these fields out, into an object of their own.
    pub fn split_off(&mut self, names: &[&str]) -> Self {
        let fields = self.0.as_object_mut().into_iter();
        Self::wrap(fields.flat_map(|map| names.iter().filter_map(|name| map.remove_entry(*name))).collect())
    }
}

/// `what` names the object in the refusal; `malformed` is the code when it is none.
pub(super) fn object(json: &[u8], what: &str, malformed: Code) -> Result<Strict, Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let mut twice = None;
    let read = Unique { twice: &mut twice }.deserialize(&mut reader);
    let read = read.and_then(|value| reader.end().map(|()| value));
    match (read, twice) {
        (Ok(value), _) => {
            let read = Strict(value);
            let not_one = || Refusal::new(malformed, format!("{what} is not a JSON object"));
            if read.0.is_object() { Ok(read) } else { Err(not_one()) }
        }
        (Err(_), Some(name)) => {
            let code = if malformed == Code::TokenMalformed { malformed } else { Code::ClaimsDuplicate };
            Err(Refusal::new(code, format!("`{name}` stands twice in {what}: keep one")).at(name))
        }
        // serde_json's own text could quote the claims.
        (Err(e), None) => {
            let place = format!("line {} column {}", e.line(), e.column());
            Err(Refusal::new(malformed, format!("{what} is not valid JSON ({place})")))
        }
    }
}

impl Drop for Strict {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(map) => map.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

struct Unique<'a> {
    twice: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Unique { twice: self.twice })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = pairs.next_key::<String>()? {
            if map.contains_key(&name) {
                *self.twice = Some(printable(&name, 40));
                return Err(A::Error::custom("twice"));
            }
            let value = pairs.next_value_seed(Unique { twice: self.twice })?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_refused_at_any_depth() {
        for (json, name) in [
            (r#"{"a":1,"a":1}"#, "a"),
            (r#"{"x":[{"b":{"c":1,"d":2,"c":3}}]}"#, "c"),
            (r#"{"e":1,"\u0065":2}"#, "e"),
        ] {
            let refusal = object(json.as_bytes(), "the claims", Code::ClaimsMalformed).err().unwrap();
            assert_eq!(
                (refusal.code, refusal.path.as_deref()),
                (Code::ClaimsDuplicate, Some(name)),
                "{json}"
            );
        }
    }

    #[test]
    fn what_is_no_object_is_refused_without_quoting_it() {
        let deep = "[".repeat(50_000);
        for json in ["", "[]", "1", "\"CANARY\"", "{\"a\":CANARY}", "{} CANARY", "{\"CANARY", &deep] {
            let refusal = object(json.as_bytes(), "the claims", Code::ClaimsMalformed).err().unwrap();
            assert_eq!(refusal.code, Code::ClaimsMalformed, "{json}");
            assert!(!refusal.to_string().contains("CANARY"), "{refusal}");
        }
    }

    #[test]
    fn numbers_and_texts_survive() {
        let json = r#"{"a":[1,-2,3.5,18446744073709551615,true,null,"ü\n"],"b":{}}"#;
        let read = object(json.as_bytes(), "it", Code::ClaimsMalformed).ok().unwrap();
        assert_eq!(*read.value(), serde_json::from_str::<Value>(json).unwrap());
    }
}
