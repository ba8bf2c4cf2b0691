//! What does one chunk of an answer look like? As Groq sends it, or as OpenAI does, by the model's name.

use super::{ToolCall, sse::Habits};
use crate::dice::Dice;
use serde_json::{Value, json};

/// Makes the chunks of one answer.
pub(super) struct Chunks {
    id: String,
    request: String,
    model: String,
    groq: bool,
    /// Other chunks carry `usage: null` when the last one carries it, as OpenAI has it.
    with_usage: bool,
    habits: Habits,
    dice: Dice,
}

impl Chunks {
    pub fn new(model: &str, with_usage: bool, habits: Habits, mut dice: Dice) -> Self {
        Self {
            id: format!("chatcmpl-{}", dice.hex(24)),
            request: format!("req_01{}", dice.hex(24)),
            model: model.to_owned(),
            groq: is_groq(model),
            with_usage,
            habits,
            dice,
        }
    }

    /// What Azure sends before anything else.
    pub fn filtered(&self) -> Option<Value> {
        let mut chunk = self.bare(json!([]));
        chunk["prompt_filter_results"] = json!([{"prompt_index": 0, "content_filter_results": {}}]);
        self.habits.nulls.then_some(chunk)
    }

    /// Role and empty content.
    pub fn first(&mut self) -> Value {
        let empty = if self.habits.nulls { Value::Null } else { json!("") };
        let mut chunk = self.delta(json!({"role": "assistant", "content": empty}));
        if self.groq {
            chunk["x_groq"] = json!({"id": self.request, "seed": 12345});
        }
        chunk
    }

    pub fn delta(&mut self, delta: Value) -> Value {
        self.chunk(delta, Value::Null)
    }

    /// An empty delta with the reason, and at Groq the usage.
    pub fn last(&mut self, reason: &str, prompt: usize, completion: usize) -> Value {
        let empty = if self.habits.nulls { Value::Null } else { json!({}) };
        let mut chunk = self.chunk(empty, json!(reason));
        if self.groq {
            let mut usage = usage(prompt, completion);
            usage["queue_time"] = json!(0.011);
            usage["prompt_time"] = json!(0.004);
            chunk["x_groq"] = json!({"id": self.request, "usage": usage});
        }
        chunk
    }

    /// No choices at all.
    pub fn usage(&mut self, prompt: usize, completion: usize) -> Value {
        let mut chunk = self.bare(json!([]));
        let mut usage = usage(prompt, completion);
        usage["prompt_tokens_details"] = json!({"cached_tokens": prompt / 8 * 8});
        usage["completion_tokens_details"] = json!({"reasoning_tokens": 0});
        chunk["usage"] = usage;
        chunk
    }

    /// A chunk like any other, but for the error.
    pub fn groq_error(&mut self, message: &str) -> Value {
        let mut chunk = self.chunk(json!({}), Value::Null);
        chunk["x_groq"] = json!({"id": self.request, "error": message});
        chunk
    }

    /// The deltas of one call: whole, or its name first and then the arguments in pieces.
    pub fn call(&mut self, index: usize, call: &ToolCall) -> Vec<Value> {
        let head = |arguments: &str| {
            let function = json!({"name": call.name, "arguments": arguments});
            json!({"content": null, "tool_calls": [
                {"index": index, "id": call.id, "type": "function", "function": function}]})
        };
        if call.pieces < 2 {
            return vec![self.delta(head(&call.arguments))];
        }
        let mut chunks = vec![self.delta(head(""))];
        for piece in cut(&call.arguments, call.pieces) {
            let part = json!({"index": index, "function": {"arguments": piece}});
            chunks.push(self.delta(json!({"tool_calls": [part]})));
        }
        chunks
    }

    fn chunk(&mut self, delta: Value, reason: Value) -> Value {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason});
        let mut chunk = self.bare(json!([choice]));
        if !self.groq {
            let length = self.dice.between(2, 12) as usize;
            chunk["obfuscation"] = json!(self.dice.hex(length));
            if self.with_usage {
                chunk["usage"] = Value::Null;
            }
        }
        chunk
    }

    fn bare(&self, choices: Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": 1_795_000_000,
            "model": self.model,
            "system_fingerprint": "fp_pretend",
            "choices": choices,
        })
    }
}

pub(super) fn is_groq(model: &str) -> bool {
    !model.starts_with("gpt-6")
}

pub(super) fn error() -> Value {
    json!({"error": {"message": "The server had an error while processing your request.",
        "type": "server_error", "code": "server_error"}})
}

fn usage(prompt: usize, completion: usize) -> Value {
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}

/// Into words with the space before them; a long one falls into two now and then.
pub(super) fn pieces(text: &str, dice: &mut Dice) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut word = String::new();
    for letter in text.chars() {
        let begins = letter.is_whitespace() && word.chars().any(|before| !before.is_whitespace());
        let is_long = word.chars().count() > 4 && dice.between(0, 3) == 0;
        if begins || is_long {
            pieces.push(std::mem::take(&mut word));
        }
        word.push(letter);
    }
    pieces.extend(Some(word).filter(|word| !word.is_empty()));
    pieces
}

/// Into so many pieces of about the same length, fewer when there are not enough characters.
fn cut(text: &str, count: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(letters.len().div_ceil(count).max(1)).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_small_and_make_the_text_again() {
        for text in ["", " ", "One", "Guten Tag, Frau Müller!  Wir öffnen\num neun.", "Donaudampfschifffahrt"]
        {
            let pieces = pieces(text, &mut Dice::new(1));
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.trim().chars().count() < 30));
        }
        assert_eq!(pieces("We open at nine.", &mut Dice::new(1)), ["We", " open", " at", " nine."]);
    }

    #[test]
    fn arguments_fall_into_as_many_pieces_as_asked() {
        assert_eq!(cut("{\"ö\":1}", 3), ["{\"ö", "\":1", "}"]);
        assert_eq!(cut("", 3), [""; 0]);
        assert_eq!(cut("ab", 5), ["a", "b"]);
    }
}
