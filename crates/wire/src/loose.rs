//! JSON values whose type a vendor does not keep to.
//!
//! A field of another type than we expect reads as absent instead of making the whole message unreadable:
//! an event that we do not know may use one of our field names for something else. What a message cannot do
//! without is checked where it is used. (A plain `Option<Cow<str>>` would never borrow.)

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// A string, borrowed unless it holds escapes. Anything else reads as empty.
#[derive(Default)]
pub(crate) struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    /// The string as a piece of the message it was read from, or a copy where escapes forced one.
    pub fn bytes(self, message: &Bytes) -> Bytes {
        match self.0 {
            Cow::Borrowed(text) => message.slice_ref(text.as_bytes()),
            Cow::Owned(text) => Bytes::from(text),
        }
    }

    /// The string, unless it is absent or empty.
    pub fn some(&self) -> Option<&str> {
        Some(&*self.0).filter(|text| !text.is_empty())
    }
}

/// A number of zero or more, written as a number or as a string. Anything else reads as `None`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Number(pub Option<f64>);

impl Number {
    /// Without its fraction, and at most `u32::MAX`: no count or time of ours comes near.
    pub fn whole(self) -> Option<u32> {
        self.0.map(|number| number as u32) // saturates
    }

    /// The same for what may be larger, such as a time in milliseconds.
    pub fn large(self) -> Option<u64> {
        self.0.map(|number| number as u64) // saturates
    }

    fn of(number: f64) -> Self {
        Self((number.is_finite() && number >= 0.0).then_some(number))
    }
}

/// The parts of a visitor that read another type as absent.
macro_rules! otherwise {
    ($absent:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($absent)
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($absent)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok($absent)
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($absent)
        }
    };
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;
            otherwise!(Text::default());
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
            fn visit_i64<E>(self, _: i64) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
            fn visit_f64<E>(self, _: f64) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
        }
        from.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Number;
            otherwise!(Number(None));
            fn visit_str<E>(self, text: &str) -> Result<Number, E> {
                Ok(text.parse().map_or(Number(None), Number::of))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number::of(number as f64))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number::of(number as f64))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number::of(number))
            }
        }
        from.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_without_escapes_is_a_piece_of_its_message() {
        let message = Bytes::from_static(br#""abc""#);
        let text: Text<'_> = serde_json::from_slice(&message).unwrap();
        assert!(matches!(text.0, Cow::Borrowed(_)));
        assert_eq!(text.bytes(&message).as_ptr(), message[1..].as_ptr());
    }

    #[test]
    fn a_string_with_escapes_is_unescaped_into_its_own() {
        let message = Bytes::from_static(br#""a\/b""#);
        let text: Text<'_> = serde_json::from_slice(&message).unwrap();
        assert_eq!(text.bytes(&message), "a/b");
    }

    #[test]
    fn another_type_reads_as_absent() {
        for json in ["null", "true", "1", "-1", "1.5", "[1,[2]]", r#"{"a":{"b":1}}"#] {
            let text: Text<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(text.some(), None, "{json}");
        }
        for json in ["null", "true", "-1", r#""x""#, r#""NaN""#, r#""inf""#, "[1]", r#"{"a":1}"#] {
            let number: Number = serde_json::from_str(json).unwrap();
            assert_eq!(number.0, None, "{json}");
        }
    }

    #[test]
    fn a_number_may_be_written_as_a_string() {
        for (json, whole) in [("134", 134), (r#""134""#, 134), ("134.9", 134), ("1e300", u32::MAX)] {
            let number: Number = serde_json::from_str(json).unwrap();
            assert_eq!(number.whole(), Some(whole), "{json}");
        }
    }
}
