//! What a session was told of a conversation that another leg has led, and how to put it right.
//!
//! Text only: sound of the assistant cannot be put into a session. The ids are ours, so that what was heard less of
//! than we said can be replaced in its place.

use call::{ItemId, Past};
use serde_json::{Value, json};

#[derive(Debug, Default)]
pub(super) struct Remembered {
    entries: Vec<Entry>,
    next: u32,
}

#[derive(Debug)]
struct Entry {
    item: Option<ItemId>,
    /// None: it was taken out.
    id: Option<String>,
}

impl Remembered {
    /// The messages that put this behind everything else.
    pub fn add(&mut self, past: Past) -> Value {
        let id = self.next_id();
        let (item, role, kind, text) = match past {
            Past::Caller(words) => (None, "user", "input_text", words),
            Past::Agent { item, words } => (Some(item), "assistant", "output_text", words),
            Past::Fact(words) => (None, "system", "input_text", words),
        };
        let message = create(&id, role, kind, &text);
        if self.entries.len() >= MOST {
            self.entries.remove(0);
        }
        self.entries.push(Entry { item, id: Some(id) });
        message
    }

    /// The messages that leave only these words of an item.
    pub fn rewrite(&mut self, item: ItemId, words: &str) -> Vec<Value> {
        let Some(at) = self.entries.iter().rposition(|entry| entry.item == Some(item)) else {
            return Vec::new();
        };
        let Some(old) = self.entries[at].id.take() else { return Vec::new() };
        let mut messages = vec![json!({ "type": "conversation.item.delete", "item_id": old })];
        if !words.is_empty() {
            let id = self.next_id();
            let before = self.entries[..at].iter().rev().find_map(|entry| entry.id.as_deref());
            let mut message = create(&id, "assistant", "output_text", words);
            message["previous_item_id"] = json!(before.unwrap_or("root"));
            messages.push(message);
            self.entries[at].id = Some(id);
        }
        messages
    }

    fn next_id(&mut self) -> String {
        self.next += 1;
        format!("pc_{}", self.next)
    }
}

fn create(id: &str, role: &str, kind: &str, text: &str) -> Value {
    json!({
        "type": "conversation.item.create",
        "item": { "id": id, "type": "message", "role": role, "content": [{ "type": kind, "text": text }] },
    })
}

/// More than is ever handed over at once; what still plays is among the newest.
const MOST: usize = 256;
