//! Is a client event exactly what the service accepts? Checked against written-down shapes, field by field.
//!
//! The service is strict: one unknown field refuses the whole event. The first fault found is the answer, with the
//! code, the message's form and the `param` that the service gives.

use serde_json::{Map, Value};

/// What a value must look like.
pub(crate) enum Shape {
    Text,
    /// At most so many bytes.
    ShortText(usize),
    OneOf(&'static [&'static str]),
    Whole(i64, i64),
    Number(f64, f64),
    Flag,
    /// Anything that is an object; for JSON Schemas.
    AnyObject,
    /// Up to 16 pairs of 64 and 512 characters.
    Metadata,
    Object(&'static [Field]),
    List(&'static Shape),
    OrNull(&'static Shape),
    /// The value itself decides; the shape given for a value that fits nothing produces the error.
    Depends(fn(&Value) -> &'static Shape),
}

pub(crate) struct Field {
    name: &'static str,
    shape: &'static Shape,
    required: bool,
}

pub(crate) const fn must(name: &'static str, shape: &'static Shape) -> Field {
    Field { name, shape, required: true }
}

pub(crate) const fn may(name: &'static str, shape: &'static Shape) -> Field {
    Field { name, shape, required: false }
}

/// Why the service refuses an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub code: Option<&'static str>,
    pub message: String,
    pub param: Option<String>,
}

impl Refusal {
    pub fn new(code: &'static str, message: impl Into<String>, param: Option<&str>) -> Self {
        Self { code: Some(code), message: message.into(), param: param.map(str::to_owned) }
    }

    fn unknown(path: &str) -> Self {
        Self::new("unknown_parameter", format!("Unknown parameter: '{path}'."), Some(path))
    }

    fn missing(path: &str) -> Self {
        Self::new("missing_required_parameter", format!("Missing required parameter: '{path}'."), Some(path))
    }

    fn kind(path: &str, expected: &str, found: &Value) -> Self {
        let message =
            format!("Invalid type for '{path}': expected {expected}, but got {} instead.", kind(found));
        Self::new("invalid_type", message, Some(path))
    }

    fn value(path: &str, found: &Value, expected: &str) -> Self {
        Self::new(
            "invalid_value",
            format!("Invalid value: {found}. Supported values are: {expected}."),
            Some(path),
        )
    }
}

impl Shape {
    pub fn check(&self, value: &Value, path: &str) -> Result<(), Refusal> {
        match self {
            Shape::Text => text(value, path).map(|_| ()),
            Shape::ShortText(most) => match text(value, path)? {
                long if long.len() > *most => Err(Refusal::new(
                    "string_above_max_length",
                    format!("Invalid '{path}': string too long, at most {most}."),
                    Some(path),
                )),
                _ => Ok(()),
            },
            Shape::OneOf(names) => match text(value, path)? {
                name if names.contains(&name) => Ok(()),
                _ => Err(Refusal::value(path, value, &names.join(", "))),
            },
            Shape::Whole(low, high) => whole(value, path, *low, *high),
            Shape::Number(low, high) => match value.as_f64() {
                None => Err(Refusal::kind(path, "a number", value)),
                Some(number) if number < *low || number > *high => {
                    Err(Refusal::value(path, value, &format!("{low} to {high}")))
                }
                Some(_) => Ok(()),
            },
            Shape::Flag if value.is_boolean() => Ok(()),
            Shape::Flag => Err(Refusal::kind(path, "a boolean", value)),
            Shape::AnyObject => object(value, path).map(|_| ()),
            Shape::Metadata => metadata(object(value, path)?, path),
            Shape::Object(fields) => check_fields(fields, object(value, path)?, path),
            Shape::List(shape) => {
                let list = value.as_array().ok_or_else(|| Refusal::kind(path, "an array", value))?;
                list.iter()
                    .enumerate()
                    .try_for_each(|(at, value)| shape.check(value, &format!("{path}[{at}]")))
            }
            Shape::OrNull(_) if value.is_null() => Ok(()),
            Shape::OrNull(shape) => shape.check(value, path),
            Shape::Depends(choose) => choose(value).check(value, path),
        }
    }
}

fn check_fields(fields: &[Field], object: &Map<String, Value>, path: &str) -> Result<(), Refusal> {
    let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(field) = fields.iter().find(|field| field.required && !object.contains_key(field.name)) {
        return Err(Refusal::missing(&inner(field.name)));
    }
    object.iter().try_for_each(|(name, value)| match fields.iter().find(|field| field.name == name) {
        Some(field) => field.shape.check(value, &inner(name)),
        None => Err(Refusal::unknown(&inner(name))),
    })
}

fn text<'a>(value: &'a Value, path: &str) -> Result<&'a str, Refusal> {
    value.as_str().ok_or_else(|| Refusal::kind(path, "a string", value))
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, Refusal> {
    value.as_object().ok_or_else(|| Refusal::kind(path, "an object", value))
}

fn whole(value: &Value, path: &str, low: i64, high: i64) -> Result<(), Refusal> {
    let number = value.as_i64().ok_or_else(|| Refusal::kind(path, "an integer", value))?;
    let out_of_range = |code, relation: &str, limit| {
        let message = format!(
            "Invalid '{path}': integer {relation} value. Expected a value {limit}, but got {number}."
        );
        Err(Refusal::new(code, message, Some(path)))
    };
    match number {
        small if small < low => out_of_range("integer_below_min_value", "below minimum", format!(">= {low}")),
        large if large > high => {
            out_of_range("integer_above_max_value", "above maximum", format!("<= {high}"))
        }
        _ => Ok(()),
    }
}

fn metadata(pairs: &Map<String, Value>, path: &str) -> Result<(), Refusal> {
    if pairs.len() > 16 {
        return Err(Refusal::new(
            "object_above_max_properties",
            format!("Invalid '{path}': over 16 pairs."),
            Some(path),
        ));
    }
    pairs.iter().try_for_each(|(name, value)| {
        let inner = format!("{path}.{name}");
        if name.len() > 64 {
            return Err(Refusal::new("string_above_max_length", format!("Invalid '{inner}'."), Some(&inner)));
        }
        Shape::ShortText(512).check(value, &inner)
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
