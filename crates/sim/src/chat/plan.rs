//! What is sent when? An answer becomes a list of events with their times, before the first is sent.

use super::{
    chunks::{self, Chunks},
    connection::Then,
    faults,
    ledger::End,
    pick::{Picked, text_of},
    sse::Habits,
};
use crate::dice::Dice;
use serde_json::{Value, json};
use std::time::Duration;

/// What of a request shapes its answer.
#[derive(Debug)]
pub(super) struct Ask {
    model: String,
    usage: bool,
    reasoning: bool,
    most: usize,
    prompt_tokens: usize,
}

/// One event or comment.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Say {
    Chunk(Value),
    /// Under `event: error`.
    Error(Value),
    Comment(&'static str),
    Done,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    /// After the beginning of the answer.
    pub at: Duration,
    pub say: Say,
    pub is_token: bool,
    /// For the ledger.
    pub text: String,
}

pub(super) struct Plan {
    pub steps: Vec<Step>,
    pub end: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Ends the body and keeps the connection, or does not.
    Over(Then),
    Failed(Then),
    /// Waits until the client goes.
    Stalled,
}

impl Ending {
    pub fn end(self) -> End {
        match self {
            Ending::Over(_) => End::Finished,
            Ending::Failed(_) | Ending::Stalled => End::Failed,
        }
    }
}

impl Ask {
    pub fn of(body: &Value) -> Self {
        let hidden = body["include_reasoning"] == false || body["reasoning_format"] == "hidden";
        let most = [&body["max_completion_tokens"], &body["max_tokens"]].into_iter().find_map(Value::as_u64);
        let letters: usize =
            body["messages"].as_array().into_iter().flatten().map(|one| text_of(one).len()).sum();
        Self {
            model: body["model"].as_str().unwrap_or("").to_owned(),
            usage: body["stream_options"]["include_usage"] == true,
            reasoning: !hidden,
            most: most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX)),
            prompt_tokens: 4 + letters / 4,
        }
    }
}

pub(super) fn plan(ask: &Ask, picked: &Picked) -> Plan {
    let mut dice = Dice::new(picked.seed.wrapping_mul(1 << 32).wrapping_add(picked.turn));
    let mut chunks = Chunks::new(&ask.model, ask.usage, Habits::of(picked.seed), dice.clone());
    let now = |at, say| Step { at, say, is_token: false, text: String::new() };
    let answer = faults::emptied(&picked.answer, picked.fault.as_ref());

    let mut steps =
        chunks.filtered().map(|chunk| now(Duration::ZERO, Say::Chunk(chunk))).into_iter().collect::<Vec<_>>();
    steps.push(now(Duration::ZERO, Say::Chunk(chunks.first())));
    steps.push(now(Duration::ZERO, Say::Comment(" pretend keep-alive")));
    let thoughts = answer.reasoning.as_deref().filter(|_| ask.reasoning).unwrap_or("");
    let mut thoughts = chunks::pieces(thoughts, &mut dice);
    let is_short = thoughts.len() > ask.most;
    thoughts.truncate(ask.most);
    for (at, thought) in thoughts.iter().enumerate() {
        let at = picked.first.mul_f64((at + 1) as f64 / (thoughts.len() + 1) as f64);
        steps.push(now(at, Say::Chunk(chunks.delta(json!({"reasoning": thought})))));
    }

    let said = chunks::pieces(&answer.text, &mut dice);
    let mut tokens: Vec<(Value, String)> = Vec::new();
    for piece in said {
        tokens.push((chunks.delta(json!({"content": piece})), piece));
    }
    for (index, call) in answer.tools.iter().enumerate() {
        tokens.extend(chunks.call(index, call).into_iter().map(|chunk| (chunk, String::new())));
    }
    let left = ask.most - thoughts.len();
    let is_short = is_short || tokens.len() > left;
    tokens.truncate(left);
    let completion = thoughts.len() + tokens.len();
    for (at, (chunk, text)) in tokens.into_iter().enumerate() {
        let at =
            picked.first.saturating_add(picked.token.saturating_mul(u32::try_from(at).unwrap_or(u32::MAX)));
        if dice.between(0, 15) == 0 {
            steps.push(now(at, Say::Comment("")));
        }
        steps.push(Step { at, say: Say::Chunk(chunk), is_token: true, text });
    }

    let at = steps.last().map_or(picked.first, |step| step.at.max(picked.first));
    let reason = match (&answer.finish, is_short, answer.tools.is_empty()) {
        (Some(reason), _, _) => reason,
        (None, true, _) => "length",
        (None, false, true) => "stop",
        (None, false, false) => "tool_calls",
    };
    steps.push(now(at, Say::Chunk(chunks.last(reason, ask.prompt_tokens, completion))));
    if ask.usage {
        steps.push(now(at, Say::Chunk(chunks.usage(ask.prompt_tokens, completion))));
    }
    steps.push(now(at, Say::Done));
    let plan = Plan { steps, end: Ending::Over(Then::Keep) };
    faults::broken(plan, picked, &mut chunks)
}
