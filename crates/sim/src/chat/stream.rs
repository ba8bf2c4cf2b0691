//! How is a planned answer sent? Event by event at its time, always with an eye on whether the client is still there.

use super::{
    client::Client,
    connection::Then,
    ledger::{Ledger, Note},
    pick::Picked,
    plan::{Ending, Plan, Say, Step},
    sse::{self, Habits},
};
use crate::dice::Dice;
use std::io::Error;
use tokio::time::Instant;

/// The head has been sent, for a request that `began` then. An error, too, means that the client is gone.
pub(super) async fn play(
    client: &mut Client,
    plan: Plan,
    began: Instant,
    picked: &Picked,
    note: &Note,
) -> Result<Then, Error> {
    let habits = Habits::of(picked.seed);
    let mut dice = Dice::new(picked.seed ^ picked.turn.rotate_left(32));
    let last = plan.steps.iter().rposition(|step| step.is_token);
    let mut joined = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        if !client.is_there_until(began.checked_add(step.at)).await {
            note.cancelled();
            return Ok(Then::Cut);
        }
        let bytes = sse::bytes(&step.say, habits);
        if let Say::Chunk(chunk) = &step.say
            && chunk["usage"].is_object()
        {
            note.change(|ledger| ledger.usage = Some(chunk["usage"].clone()));
        }
        if habits.joins && last.is_some_and(|last| at > last) {
            joined.extend(bytes);
            continue;
        }
        if habits.cuts {
            let (front, back) = bytes.split_at(sse::place_to_cut(&bytes, &mut dice));
            client.chunk(front).await?;
            client.chunk(back).await?;
        } else {
            client.chunk(&bytes).await?;
        }
        if step.is_token {
            note.change(|ledger| sent(ledger, step));
        }
    }
    client.chunk(&joined).await?;
    match plan.end {
        Ending::Stalled => {
            client.is_there_until(None).await;
            note.cancelled();
            return Ok(Then::Cut);
        }
        Ending::Over(Then::Cut) | Ending::Failed(Then::Cut) => {}
        Ending::Over(_) | Ending::Failed(_) => client.end_of_chunks().await?,
    }
    note.end(plan.end.end());
    match plan.end {
        Ending::Over(then) | Ending::Failed(then) => Ok(then),
        Ending::Stalled => Ok(Then::Cut),
    }
}

fn sent(ledger: &mut Ledger, step: &Step) {
    ledger.tokens += 1;
    ledger.first_token_at.get_or_insert_with(Instant::now);
    ledger.sent.push_str(&step.text);
}
