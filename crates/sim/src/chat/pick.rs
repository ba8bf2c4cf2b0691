//! Which answer does a request get? By its last message, else the next reply, else the fallback.

use super::behaviour::{Answer, Behaviour, Fault};
use serde_json::Value;
use std::{collections::HashMap, time::Duration};

/// Keys whose used-up replies are remembered; further ones start anew with each request.
const MAX_KEYS: usize = 10_000;

pub(super) struct Picks {
    usual: Behaviour,
    by_key: HashMap<String, Kept>,
}

/// A behaviour and what has become of it.
#[derive(Clone, Debug)]
struct Kept {
    behaviour: Behaviour,
    next_reply: usize,
    asked: u64,
}

/// All that is needed to answer one request.
#[derive(Clone, Debug)]
pub(super) struct Picked {
    pub answer: Answer,
    pub fault: Option<Fault>,
    pub head: Duration,
    pub first: Duration,
    pub token: Duration,
    pub seed: u64,
    /// Which request with this key it is, for ids that differ.
    pub turn: u64,
}

impl Picks {
    pub fn new(usual: Behaviour) -> Self {
        Self { usual, by_key: HashMap::new() }
    }

    pub fn set(&mut self, key: &str, behaviour: Behaviour) {
        self.by_key.insert(key.to_owned(), Kept::new(behaviour));
    }

    pub fn pick(&mut self, key: &str, body: &Value) -> Picked {
        if let Some(kept) = self.by_key.get_mut(key) {
            return kept.pick(body);
        }
        let mut kept = Kept::new(self.usual.clone());
        let picked = kept.pick(body);
        if self.by_key.len() < MAX_KEYS {
            self.by_key.insert(key.to_owned(), kept);
        }
        picked
    }
}

impl Kept {
    fn new(behaviour: Behaviour) -> Self {
        Self { behaviour, next_reply: 0, asked: 0 }
    }

    fn pick(&mut self, body: &Value) -> Picked {
        let (answer, fault) = self.answer(body);
        self.asked += 1;
        Picked {
            answer,
            fault,
            head: self.behaviour.head,
            first: self.behaviour.first,
            token: self.behaviour.token,
            seed: self.behaviour.seed,
            turn: self.asked,
        }
    }

    fn answer(&mut self, body: &Value) -> (Answer, Option<Fault>) {
        let (table, heard) = match result(body) {
            Some(result) => (&mut self.behaviour.results, result),
            None => (&mut self.behaviour.answers, last_of_user(body)),
        };
        let heard = heard.to_lowercase();
        if let Some((_, answer)) = table.iter_mut().find(|(words, _)| heard.contains(&words.to_lowercase())) {
            let (fault, _) = answer.next_fault();
            return (answer.clone(), fault);
        }
        if let Some(reply) = self.behaviour.replies.get_mut(self.next_reply) {
            let (fault, stays) = reply.next_fault();
            self.next_reply += usize::from(!stays);
            return (reply.clone(), fault);
        }
        let (fault, _) = self.behaviour.fallback.next_fault();
        (self.behaviour.fallback.clone(), fault)
    }
}

impl std::fmt::Debug for Picks {
    /// Without the keys: somebody may have used a real one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picks").field("keys", &self.by_key.len()).finish_non_exhaustive()
    }
}

/// Text of a message's content, whether it is one string or a list of parts.
pub(super) fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn messages(body: &Value) -> &[Value] {
    body["messages"].as_array().map_or(&[], Vec::as_slice)
}

fn last_of_user(body: &Value) -> String {
    let last = messages(body).iter().rev().find(|message| message["role"] == "user");
    last.map_or_else(String::new, text_of)
}

/// Name and result of the tool whose result is the last message.
fn result(body: &Value) -> Option<String> {
    let messages = messages(body);
    let last = messages.last().filter(|message| message["role"] == "tool")?;
    let mut calls = messages.iter().rev().filter_map(|message| message["tool_calls"].as_array()).flatten();
    let call = calls.find(|call| call["id"] == last["tool_call_id"]);
    let name = call.and_then(|call| call["function"]["name"].as_str()).unwrap_or("");
    Some(format!("{name} {}", text_of(last)))
}
