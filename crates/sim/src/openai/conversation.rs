//! What is in the conversation, and how much audio does each item have?
//!
//! A truncation is measured against the audio that was really sent: one millisecond more is refused, and then the
//! model goes on believing that everything was said.

use super::strict::Refusal;
use serde_json::{Value, json};

/// More items than any call has.
const MAX_ITEMS: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Conversation {
    items: Vec<Item>,
}

#[derive(Debug)]
pub(super) struct Item {
    pub id: String,
    /// As it is shown in events, without audio.
    pub value: Value,
    /// Model audio sent so far, in bytes.
    pub audio: u64,
}

impl Conversation {
    pub fn last_id(&self) -> Value {
        self.items.last().map_or(Value::Null, |item| json!(item.id))
    }

    pub fn has(&self, id: &str) -> bool {
        self.items.iter().any(|item| item.id == id)
    }

    pub fn find(&self, id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }

    pub fn find_mut(&mut self, id: &str) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.id == id)
    }

    /// Has the model asked for this function call, and is it still unanswered?
    pub fn awaits_output_of(&self, call_id: &str) -> bool {
        let of = |kind: &str| {
            self.items.iter().any(|item| item.value["type"] == kind && item.value["call_id"] == call_id)
        };
        of("function_call") && !of("function_call_output")
    }

    /// Adds an item behind `previous` (`None`: at the end, `root`: first); gives the id before it.
    pub fn insert(&mut self, previous: Option<&str>, id: &str, value: Value) -> Result<Value, Refusal> {
        if self.has(id) {
            let message = format!("Error adding item: an item with id '{id}' already exists.");
            return Err(Refusal::new("item_create_duplicate_item_id", message, Some("item.id")));
        }
        if self.items.len() >= MAX_ITEMS {
            return Err(Refusal::new("invalid_value", "Too many items in the conversation.", None));
        }
        let at = match previous {
            None => self.items.len(),
            Some("root") => 0,
            Some(id) => match self.items.iter().position(|item| item.id == id) {
                Some(at) => at + 1,
                None => return Err(missing("previous_item_id", id)),
            },
        };
        let before =
            at.checked_sub(1).and_then(|at| self.items.get(at)).map_or(Value::Null, |item| json!(item.id));
        self.items.insert(at, Item { id: id.to_owned(), value, audio: 0 });
        Ok(before)
    }

    pub fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        let before = self.items.len();
        self.items.retain(|item| item.id != id);
        if self.items.len() == before { Err(missing("item_id", id)) } else { Ok(()) }
    }

    pub fn truncate(&mut self, id: &str, content_index: u64, end_ms: u64) -> Result<(), Refusal> {
        let Some(item) = self.items.iter_mut().find(|item| item.id == id) else {
            return Err(missing("item_id", id));
        };
        let has_ms = item.audio / crate::ulaw::BYTES_PER_MS;
        if item.value["role"] != "assistant" || has_ms == 0 {
            let message = "Only model output audio messages can be truncated.".to_owned();
            return Err(Refusal { code: None, message, param: None });
        }
        if content_index != 0 {
            return Err(Refusal::new("invalid_value", "No such content part.", Some("content_index")));
        }
        if end_ms > has_ms {
            let message = format!("Audio content of {has_ms}ms is already shorter than {end_ms}ms");
            return Err(Refusal::new("invalid_value", message, None));
        }
        item.audio = end_ms * crate::ulaw::BYTES_PER_MS;
        item.value["content"][0]["transcript"] = Value::Null;
        Ok(())
    }

    /// What the model would have to read, in characters.
    pub fn characters(&self) -> usize {
        self.items.iter().map(|item| item.value["content"].to_string().len()).sum()
    }
}

fn missing(param: &str, id: &str) -> Refusal {
    Refusal::new("item_not_found", format!("Item with item_id not found: '{id}'."), Some(param))
}
