//! How does a good answer become a bad one? Here its plan is shortened, and what went wrong is put at the end.

use super::{
    behaviour::{Answer, ErrorForm, Fault},
    chunks::{self, Chunks},
    connection::Then,
    pick::Picked,
    plan::{Ending, Plan, Say, Step},
};
use std::borrow::Cow;

/// The answer, but for the fault of having nothing to say.
pub(super) fn emptied<'a>(answer: &'a Answer, fault: Option<&Fault>) -> Cow<'a, Answer> {
    match fault {
        Some(Fault::Empty) => Cow::Owned(Answer { finish: answer.finish.clone(), ..Answer::default() }),
        _ => Cow::Borrowed(answer),
    }
}

pub(super) fn broken(mut plan: Plan, picked: &Picked, chunks: &mut Chunks) -> Plan {
    match &picked.fault {
        // A status is answered before there is a plan; how often, is decided when the answer is picked.
        None | Some(Fault::Empty | Fault::Status(..) | Fault::Times(..)) => {}
        Some(Fault::FirstEvent) => {
            plan.steps.clear();
            plan.add(Say::Chunk(chunks::error()), picked);
            plan.end = Ending::Failed(Then::Keep);
        }
        Some(Fault::Error { after_tokens, form }) => {
            plan.shorten(*after_tokens);
            let then = match form {
                ErrorForm::Eof => Then::Close,
                ErrorForm::Cut => Then::Cut,
                ErrorForm::TopLevel | ErrorForm::EventError | ErrorForm::XGroq => Then::Keep,
            };
            plan.end = Ending::Failed(then);
            match form {
                ErrorForm::TopLevel => plan.add(Say::Chunk(chunks::error()), picked),
                ErrorForm::EventError => plan.add(Say::Error(chunks::error()), picked),
                ErrorForm::XGroq => {
                    plan.add(Say::Chunk(chunks.groq_error("Generation stopped early.")), picked);
                    plan.add(Say::Done, picked);
                }
                ErrorForm::Eof | ErrorForm::Cut => {}
            }
        }
        Some(Fault::Stall { after_tokens }) => {
            plan.shorten(*after_tokens);
            plan.end = Ending::Stalled;
        }
        Some(Fault::NoDone) => {
            plan.steps.retain(|step| step.say != Say::Done);
            plan.end = Ending::Over(Then::Close);
        }
    }
    plan
}

impl Plan {
    /// Leaves what comes before the token after so many; all tokens at most, but never the end of the answer.
    fn shorten(&mut self, after_tokens: usize) {
        let tokens = self.steps.iter().enumerate().filter(|(_, step)| step.is_token).map(|(at, _)| at);
        let places: Vec<usize> = tokens.collect();
        let keep = match (places.get(after_tokens), places.last()) {
            (Some(next), _) => *next,
            (None, Some(last)) => last + 1,
            (None, None) => 1,
        };
        self.steps.truncate(keep);
    }

    /// When the last step was, or when the first token would have been.
    fn add(&mut self, say: Say, picked: &Picked) {
        let at = self.steps.last().map_or(picked.first, |step| step.at.max(picked.first));
        self.steps.push(Step { at, say, is_token: false, text: String::new() });
    }
}
