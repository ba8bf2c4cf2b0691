//! Turns JSON into claims and remembers where it is, so that a refusal can say `legs[1].turn.mode`.
//!
//! serde names a field but not its path, and it quotes values, which here may be keys. So this reads a JSON
//! value that is already in memory. Two rules of its own: fields that a struct does not know are noted and
//! skipped, so that all of them are reported at once, and an enum of objects is told apart by `kind`
//! (without one it is a `function`, where there is such a variant).

use std::{cell::RefCell, fmt};

use serde::{
    de::{
        DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess,
        SeqAccess, VariantAccess, Visitor,
    },
    forward_to_deserialize_any,
};
use serde_json::{Map, Value};

use super::{
    fault::{Fault, kind_of, list, nearest},
    problems::Problems,
    refusal::{Code, printable},
};

/// Reads claims. What is wrong is added to `problems`; `None` when nothing could be read for that.
/// `elsewhere` are fields of the same object that are read at another place: somebody may have meant them.
pub(super) fn read<T: DeserializeOwned>(
    object: &Value,
    elsewhere: &[&str],
    problems: &mut Problems,
) -> Option<T> {
    let notes = Notes { problems: RefCell::new(std::mem::take(problems)), elsewhere };
    let read = T::deserialize(Node { value: object, path: &Path::Root, notes: &notes });
    *problems = notes.problems.into_inner();
    read.map_err(|fault| problems.add(fault.code, fault.path.unwrap_or_default(), fault.text)).ok()
}

struct Notes<'a> {
    problems: RefCell<Problems>,
    elsewhere: &'a [&'a str],
}

enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(&printable(name, 40)),
            Self::Field(parent, name) => write!(f, "{parent}.{}", printable(name, 40)),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

#[derive(Clone, Copy)]
struct Node<'de, 'n> {
    value: &'de Value,
    path: &'n Path<'n>,
    notes: &'n Notes<'n>,
}

impl<'de, 'n> Node<'de, 'n> {
    /// The innermost place that noticed names the path.
    fn locate<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|mut fault| {
            let here = || match (&fault.field, self.path) {
                (Some(field), path) => Path::Field(path, field).to_string(),
                (None, path) => path.to_string(),
            };
            fault.path.get_or_insert_with(here);
            fault
        })
    }

    fn wrong(&self, expected: &str) -> Fault {
        Fault::new(Code::ClaimsType, format!("is {}, and should be {expected}", kind_of(self.value)))
    }

    fn fields(
        self,
        object: &'de Map<String, Value>,
        known: Option<&'static [&'static str]>,
    ) -> Fields<'de, 'n> {
        Fields { rest: object.iter(), current: None, node: self, known }
    }

    fn note_unknown(&self, object: &Map<String, Value>, known: &[&str]) {
        let elsewhere = if matches!(self.path, Path::Root) { self.notes.elsewhere } else { &[] };
        let known = &[known, elsewhere].concat()[..];
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            let mut problems = self.notes.problems.borrow_mut();
            if problems.is_full() {
                problems.add(Code::ClaimsUnknownField, "", "");
                continue;
            }
            let path = Path::Field(self.path, name).to_string();
            let text = match nearest(name, known) {
                Some(near) => format!("is not known: did you mean `{near}`?"),
                None => format!("is not known: the fields here are {}", list(known)),
            };
            problems.add(Code::ClaimsUnknownField, path, text);
        }
    }
}

impl<'de> Deserializer<'de> for Node<'de, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (None, Some(value), _) => visitor.visit_i64(value),
                (None, None, value) => visitor.visit_f64(value.unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_str(text),
            Value::Array(items) => visitor.visit_seq(Items { rest: items.iter().enumerate(), node: self }),
            Value::Object(object) => visitor.visit_map(self.fields(object, None)),
        };
        self.locate(result)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Value::Object(object) = self.value else { return self.locate(Err(self.wrong("an object"))) };
        self.note_unknown(object, known);
        self.locate(visitor.visit_map(self.fields(object, Some(known))))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let result = match self.value {
            Value::String(name) => visitor.visit_enum(name.as_str().into_deserializer()),
            Value::Object(object) => {
                let kind = match object.get("kind") {
                    Some(Value::String(kind)) => Ok(kind.as_str()),
                    Some(_) => Err(Fault::new(Code::ClaimsType, "should be a string").field("kind")),
                    None if variants.contains(&"function") => Ok("function"),
                    None => Err(Fault::missing_field("kind")),
                };
                kind.and_then(|kind| visitor.visit_enum(Tagged { kind, object, node: self }))
            }
            _ => Err(self.wrong(&format!("one of {}", list(variants)))),
        };
        self.locate(result)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct Fields<'de, 'n> {
    rest: serde_json::map::Iter<'de>,
    current: Option<(&'de str, &'de Value)>,
    node: Node<'de, 'n>,
    known: Option<&'static [&'static str]>,
}

impl<'de> MapAccess<'de> for Fields<'de, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        for (name, value) in self.rest.by_ref() {
            if self.known.is_none_or(|known| known.contains(&name.as_str())) {
                self.current = Some((name, value));
                return seed.deserialize(name.as_str().into_deserializer()).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let (name, value) = self.current.take().expect("serde asks for a value after its name");
        let path = Path::Field(self.node.path, name);
        let node = Node { value, path: &path, notes: self.node.notes };
        node.locate(seed.deserialize(node))
    }
}

struct Items<'de, 'n> {
    rest: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
    node: Node<'de, 'n>,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some((index, value)) = self.rest.next() else { return Ok(None) };
        let path = Path::Item(self.node.path, index);
        let node = Node { value, path: &path, notes: self.node.notes };
        node.locate(seed.deserialize(node)).map(Some)
    }
}

/// An object whose `kind` names the variant and whose other fields are its content.
struct Tagged<'de, 'n> {
    kind: &'de str,
    object: &'de Map<String, Value>,
    node: Node<'de, 'n>,
}

impl<'de, 'n> EnumAccess<'de> for Tagged<'de, 'n> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let kind = seed.deserialize(self.kind.into_deserializer());
        Ok((kind.map_err(|fault: Fault| fault.field("kind"))?, self))
    }
}

impl<'de> VariantAccess<'de> for Tagged<'de, '_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        self.node.note_unknown(self.object, &["kind"]);
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(Content(self))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(self.node.wrong("an object of another kind"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        Content(self).deserialize_struct("", known, visitor)
    }
}

/// The fields of a [`Tagged`] object without its `kind`.
struct Content<'de, 'n>(Tagged<'de, 'n>);

impl<'de> Deserializer<'de> for Content<'de, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.0.node.locate(visitor.visit_map(self.0.node.fields(self.0.object, None)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Tagged { object, node, .. } = self.0;
        let with_kind: Vec<&str> = known.iter().copied().chain(["kind"]).collect();
        node.note_unknown(object, &with_kind);
        node.locate(visitor.visit_map(node.fields(object, Some(known))))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
