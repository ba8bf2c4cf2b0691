//! How is a message read so that nothing in it goes unnoticed? Field by field; what is left at the end is too much.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

/// A JSON object, and the fields of it that nobody has asked for yet.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub fn of(text: &str) -> Result<Self, String> {
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err("not an object".to_owned()),
            Err(error) => Err(format!("not JSON: {error}")),
        }
    }

    pub fn text(&mut self, name: &str) -> Result<String, String> {
        match self.take(name)? {
            Value::String(text) => Ok(text),
            other => Err(format!("`{name}` is {other}, and should be a string")),
        }
    }

    pub fn number(&mut self, name: &str) -> Result<u64, String> {
        let value = self.take(name)?;
        value.as_u64().ok_or_else(|| format!("`{name}` is {value}, and should be a number"))
    }

    pub fn object(&mut self, name: &str) -> Result<Fields, String> {
        match self.take(name)? {
            Value::Object(fields) => Ok(Fields(fields)),
            other => Err(format!("`{name}` is {other}, and should be an object")),
        }
    }

    /// The id of our stream.
    pub fn id(&mut self, name: &str, ours: &str) -> Result<(), String> {
        let id = self.text(name)?;
        if id == ours { Ok(()) } else { Err(format!("`{name}` is {id:?}, which is not this stream")) }
    }

    pub fn id_if_there(&mut self, name: &str, ours: &str) -> Result<(), String> {
        if self.0.contains_key(name) { self.id(name, ours) } else { Ok(()) }
    }

    /// Audio in base64.
    pub fn payload(&mut self) -> Result<Vec<u8>, String> {
        let audio = STANDARD
            .decode(self.text("payload")?)
            .map_err(|error| format!("`payload` is no base64: {error}"))?;
        if audio.is_empty() { Err("`payload` is empty".to_owned()) } else { Ok(audio) }
    }

    /// Whole, for those who give it back as it is.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    pub fn nothing_else(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("unknown field `{name}`")),
        }
    }

    /// A single field and nothing else.
    pub fn only_text(mut self, name: &str) -> Result<String, String> {
        let text = self.text(name)?;
        self.nothing_else().map(|()| text)
    }

    pub fn only_payload(mut self) -> Result<Vec<u8>, String> {
        let audio = self.payload()?;
        self.nothing_else().map(|()| audio)
    }

    fn take(&mut self, name: &str) -> Result<Value, String> {
        self.0.remove(name).ok_or_else(|| {
            let bare = |name: &str| name.replace('_', "").to_ascii_lowercase();
            match self.0.keys().find(|other| bare(other) == bare(name)) {
                Some(other) => format!("`{name}` is written `{other}`"),
                None => format!("`{name}` is missing"),
            }
        })
    }
}

/// Whether audio is as long as a message may be.
pub(super) fn length_within(audio: Vec<u8>, least: usize, most: usize) -> Result<Vec<u8>, String> {
    match audio.len() {
        short if short < least => {
            Err(format!("{short} bytes of audio in one message, {least} are the least"))
        }
        long if long > most => Err(format!("{long} bytes of audio in one message, {most} are the most")),
        _ => Ok(audio),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_field_is_said_by_its_name() {
        let mut fields = Fields::of(r#"{"streamSid":"x","count":"1","more":{}}"#).unwrap();
        let problems = [
            (fields.text("stream_sid").unwrap_err(), "`stream_sid` is written `streamSid`"),
            (fields.text("event").unwrap_err(), "`event` is missing"),
            (fields.id("streamSid", "y").unwrap_err(), "`streamSid` is \"x\", which is not this stream"),
            (fields.number("count").unwrap_err(), "`count` is \"1\", and should be a number"),
            (fields.nothing_else().unwrap_err(), "unknown field `more`"),
        ];
        for (problem, expected) in problems {
            assert_eq!(problem, expected);
        }
    }
}
