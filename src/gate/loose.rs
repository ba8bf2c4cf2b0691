//! Claims that may be written in more than one way.
//!
//! Dates as whole numbers or not, `aud` as a name or a list, settings as an object or `false`: JWT libraries
//! and people do all of these.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Unexpected, Visitor, value::MapAccessDeserializer},
};

#[cfg(feature = "tools")]
use schemars::JsonSchema;

/// Seconds since 1970; parts of a second are dropped.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct Date(pub u64);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(json)?;
        // Beyond the year 5000 it is milliseconds, a common slip.
        if (0.0..1e11).contains(&seconds) {
            return Ok(Self(seconds as u64));
        }
        Err(D::Error::invalid_value(Unexpected::Float(seconds), &"seconds since 1970, not milliseconds"))
    }
}

/// `aud`: a name or a list of names.
pub(super) struct Audience(pub Vec<String>);

#[cfg(feature = "tools")]
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E>(self, name: &str) -> Result<Audience, E> {
                Ok(Audience(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Audience, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(Audience(names))
            }
        }
        json.deserialize_any(Names)
    }
}

/// A setting that `false` or `null` switches off, and that is on by default.
pub(super) enum Switchable<T> {
    On(T),
    Off,
}

impl<T: Default> Default for Switchable<T> {
    fn default() -> Self {
        Self::On(T::default())
    }
}

#[cfg(feature = "tools")]
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum TranscriptionOrOff {
    On(super::leg_claims::Transcription),
    Switch(bool),
    Null(()),
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Switchable<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Switch<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Switch<T> {
            type Value = Switchable<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, or `false`")
            }

            fn visit_bool<E>(self, on: bool) -> Result<Self::Value, E> {
                Ok(if on { Switchable::default() } else { Switchable::Off })
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Switchable::Off)
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Switchable::On)
            }
        }
        json.deserialize_any(Switch(std::marker::PhantomData))
    }
}
