//! Calls of tools, which come in pieces like everything else.
//!
//! A piece says by its index to which call it belongs, and some servers say 0 of all of them: then a new id is
//! a new call. Some send a call at once, some repeat its name, one sends the arguments as an object.

use call::cascade::{AskId, ToolUse};
use serde::Deserialize;
use serde_json::Value;

use crate::loose::Text;

#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Slot>);

#[derive(Debug, Default)]
struct Slot {
    index: u64,
    id: String,
    name: String,
    arguments: String,
    extra: Option<String>,
}

impl Calls {
    pub fn push(&mut self, piece: Piece<'_>) {
        let index = piece.index.unwrap_or(0);
        let id = piece.id.some();
        let same =
            |slot: &Slot| slot.index == index && id.is_none_or(|id| slot.id.is_empty() || slot.id == id);
        let at = self.0.iter().rposition(same).unwrap_or(self.0.len());
        if at == self.0.len() && at < MOST_CALLS {
            self.0.push(Slot { index, ..Slot::default() });
        }
        let Some(slot) = self.0.get_mut(at) else { return };
        take_first(&mut slot.id, id);
        take_first(&mut slot.name, piece.function.name.some());
        let more = match piece.function.arguments {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        };
        if slot.arguments.len() + more.len() <= LONGEST {
            slot.arguments.push_str(&more);
        }
        let extra = piece.extra_content.map(|extra| extra.to_string());
        slot.extra = slot.extra.take().or(extra.filter(|extra| extra.len() <= LONGEST));
    }

    /// All of them, complete.
    pub fn take(&mut self, ask: AskId) -> Vec<ToolUse> {
        let slots = std::mem::take(&mut self.0).into_iter().enumerate();
        let calls = slots.filter(|(_, slot)| !slot.name.is_empty()).map(|(at, slot)| {
            let Slot { mut id, name, mut arguments, extra, .. } = slot;
            if id.is_empty() {
                id = format!("call_{}_{at}", ask.0);
            }
            if arguments.trim().is_empty() {
                arguments = "{}".into();
            }
            ToolUse { id, name, arguments, extra }
        });
        calls.collect()
    }
}

/// Some servers repeat them.
fn take_first(known: &mut String, told: Option<&str>) {
    if let (true, Some(told)) = (known.is_empty(), told) {
        known.extend(told.chars().take(LONGEST_NAME));
    }
}

#[derive(Deserialize)]
pub(super) struct Piece<'a> {
    #[serde(default)]
    index: Option<u64>,
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    function: Function<'a>,
    /// Gemini's, which has to be sent back.
    #[serde(default)]
    extra_content: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(default)]
    arguments: Value,
}

/// More at once than any call has use for.
const MOST_CALLS: usize = 16;

/// What does not fit is left out, and what is left is no JSON: the model is told so.
const LONGEST: usize = 64 << 10;
const LONGEST_NAME: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(pieces: &[&str]) -> Vec<(String, String, String)> {
        let mut calls = Calls::default();
        for piece in pieces {
            calls.push(serde_json::from_str(piece).unwrap());
        }
        calls.take(AskId(7)).into_iter().map(|call| (call.id, call.name, call.arguments)).collect()
    }

    fn call(id: &str, name: &str, arguments: &str) -> (String, String, String) {
        (id.into(), name.into(), arguments.into())
    }

    #[test]
    fn pieces_of_two_calls_are_told_apart_by_their_index() {
        let pieces = [
            r#"{"index":0,"id":"a","type":"function","function":{"name":"one","arguments":""}}"#,
            r#"{"index":1,"id":"b","type":"function","function":{"name":"two","arguments":"{\"x\""}}"#,
            r#"{"index":0,"function":{"arguments":"{\"y\":1}"}}"#,
            r#"{"index":1,"id":"b","function":{"name":"two","arguments":":2}"}}"#,
        ];
        assert_eq!(calls(&pieces), [call("a", "one", r#"{"y":1}"#), call("b", "two", r#"{"x":2}"#)]);
    }

    #[test]
    fn servers_that_number_everything_0_are_told_by_the_ids() {
        let pieces = [
            r#"{"index":0,"id":"a","function":{"name":"one","arguments":{"y":1}}}"#,
            r#"{"id":"b","function":{"name":"two","arguments":null}}"#,
        ];
        assert_eq!(calls(&pieces), [call("a", "one", r#"{"y":1}"#), call("b", "two", "{}")]);
    }

    #[test]
    fn what_a_server_leaves_out_is_made_up() {
        assert_eq!(calls(&[r#"{"function":{"name":"one"}}"#]), [call("call_7_0", "one", "{}")]);
        assert_eq!(calls(&[r#"{"index":3,"id":"a"}"#]), [], "nobody knows what to call");
    }

    #[test]
    fn what_must_be_sent_back_is_kept() {
        let mut calls = Calls::default();
        let piece =
            r#"{"id":"a","function":{"name":"one"},"extra_content":{"google":{"thought_signature":"s"}}}"#;
        calls.push(serde_json::from_str(piece).unwrap());
        assert_eq!(calls.take(AskId(1))[0].extra.as_deref(), Some(r#"{"google":{"thought_signature":"s"}}"#));
    }

    #[test]
    fn a_server_that_never_stops_calling_fills_no_memory() {
        let mut calls = Calls::default();
        for id in 0..1_000 {
            let piece = serde_json::json!({ "index": id % 40, "id": id.to_string(), "function":
                { "name": "n".repeat(5_000), "arguments": "x".repeat(50_000) } });
            calls.push(serde_json::from_str(&piece.to_string()).unwrap());
        }
        let calls = calls.take(AskId(1));
        assert!(calls.len() == MOST_CALLS && calls.iter().all(|call| call.name.len() == LONGEST_NAME));
        assert!(calls.iter().all(|call| call.arguments.len() <= LONGEST));
    }
}
