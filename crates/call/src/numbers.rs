//! One conversation, several legs: each counts from one, and the call counts on.
//!
//! What a leg says is renumbered on its way in, what it is told on its way out. So nothing in a call is ever
//! taken for something that an earlier leg said.

use crate::{ItemId, LegCommand, LegEvent, ToolId};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    /// What the legs before this one have used up.
    before: Used,
    /// With this one.
    used: Used,
}

#[derive(Clone, Copy, Debug, Default)]
struct Used {
    reply: u32,
    item: u32,
    tool: u32,
}

impl Numbers {
    /// Another leg begins to count.
    pub fn next_leg(&mut self) {
        self.before = self.used;
    }

    /// As the call counts.
    pub fn of_call(&mut self, mut event: LegEvent) -> LegEvent {
        let (before, used) = (self.before, &mut self.used);
        let on = |number: &mut u32, before: u32, used: fn(&mut Used) -> &mut u32, all: &mut Used| {
            *number = number.saturating_add(before);
            let used = used(all);
            *used = (*used).max(*number);
        };
        match &mut event {
            LegEvent::TurnCommitted { item }
            | LegEvent::AgentWords { item, .. }
            | LegEvent::CallerWords { item, .. }
            | LegEvent::Heard { item, .. } => on(&mut item.0, before.item, |used| &mut used.item, used),
            LegEvent::ReplyStarted { reply }
            | LegEvent::FirstWords { reply, .. }
            | LegEvent::ReplyUnwanted { reply }
            | LegEvent::ReplyDone { reply, .. } => {
                on(&mut reply.0, before.reply, |used| &mut used.reply, used)
            }
            LegEvent::ItemStarted { reply, item }
            | LegEvent::Speech { reply, item, .. }
            | LegEvent::SpeechDone { reply, item } => {
                on(&mut reply.0, before.reply, |used| &mut used.reply, used);
                on(&mut item.0, before.item, |used| &mut used.item, used);
            }
            LegEvent::ToolElsewhereDone { id, .. } => {
                on(&mut id.0, before.tool, |used| &mut used.tool, used);
            }
            LegEvent::ToolCalled { reply, id, .. } | LegEvent::ToolElsewhere { reply, id, .. } => {
                on(&mut reply.0, before.reply, |used| &mut used.reply, used);
                on(&mut id.0, before.tool, |used| &mut used.tool, used);
            }
            LegEvent::Ready
            | LegEvent::SpeechStarted
            | LegEvent::SpeechStopped
            | LegEvent::Used(_)
            | LegEvent::Alive
            | LegEvent::Odd(_)
            | LegEvent::OnlySpeaks(_)
            | LegEvent::Failed(_) => {}
        }
        event
    }

    /// As the leg counts; or the command itself, when it is about something that an earlier leg said.
    pub fn of_leg(self, mut command: LegCommand) -> Result<LegCommand, LegCommand> {
        let back = |number: u32, before: u32| number.checked_sub(before).filter(|number| *number > 0);
        let known = match &mut command {
            LegCommand::ToolResult { id, .. } => {
                back(id.0, self.before.tool).map(|number| *id = ToolId(number))
            }
            LegCommand::Truncate { item, .. } | LegCommand::Forget { item } => {
                back(item.0, self.before.item).map(|number| *item = ItemId(number))
            }
            _ => Some(()),
        };
        if known.is_some() || self.is_first() { Ok(command) } else { Err(command) }
    }

    fn is_first(self) -> bool {
        let Used { reply, item, tool } = self.before;
        reply == 0 && item == 0 && tool == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReplyId;

    #[test]
    fn a_second_leg_counts_on_and_does_not_hear_of_the_first_ones_items() {
        let mut numbers = Numbers::default();
        let started = |reply, item| LegEvent::ItemStarted { reply: ReplyId(reply), item: ItemId(item) };
        assert_eq!(numbers.of_call(started(3, 7)), started(3, 7));
        numbers.next_leg();
        assert_eq!(numbers.of_call(started(1, 1)), started(4, 8));
        let forget = |item| LegCommand::Forget { item: ItemId(item) };
        assert_eq!(numbers.of_leg(forget(8)), Ok(forget(1)));
        assert_eq!(numbers.of_leg(forget(7)), Err(forget(7)));
        numbers.next_leg();
        assert_eq!(numbers.of_call(started(1, 1)), started(5, 9));
    }
}
