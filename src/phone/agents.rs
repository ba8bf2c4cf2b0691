//! Whom the page may call without a token of its user's.

use std::sync::Arc;

use serde_json::{Value, json};

/// Makes a token of an agent's fields, for the call of this name.
pub type Mint = Arc<dyn Fn(&Value, &str) -> String + Send + Sync>;

#[derive(Clone, Debug)]
pub struct Agent {
    pub id: &'static str,
    pub name: &'static str,
    /// A sentence about what to expect.
    pub about: &'static str,
    /// Those who can answer for it. At least one.
    pub answerers: Vec<Answerer>,
}

/// One way of answering: the same agent with another leg.
#[derive(Clone, Debug)]
pub struct Answerer {
    pub id: &'static str,
    pub name: String,
    /// What the token says besides its registered claims. The page never sees it.
    pub fields: Value,
}

/// What the page may know of them.
pub(super) fn public(agents: &[Agent]) -> Value {
    let leg = |one: &Answerer| json!({ "id": one.id, "name": one.name });
    let agents = agents.iter().map(|Agent { id, name, about, answerers }| {
        json!({ "id": id, "name": name, "about": about, "legs": answerers.iter().map(leg).collect::<Vec<_>>() })
    });
    agents.collect()
}

pub(super) fn find<'a>(agents: &'a [Agent], agent: &str, leg: &str) -> Option<&'a Value> {
    let agent = agents.iter().find(|one| one.id == agent)?;
    Some(&agent.answerers.iter().find(|one| one.id == leg)?.fields)
}

/// The alphabet and length of a call's id, as a stream's `start` may have it.
pub(super) fn is_call(name: &str) -> bool {
    let safe = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(safe)
}
