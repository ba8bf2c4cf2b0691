//! The agent hangs up: after its last words were heard, and not when the caller still has something to say.

use std::time::Duration;

use crate::{
    Call, EndReason, LegCommand, Note, Timer, ToolEnd, ToolId, call::Phase, floor::Answer, tools::sentence,
};

/// The agent has said that it wants to hang up, with this call of its tool.
#[derive(Debug)]
pub(crate) struct Leaving {
    id: ToolId,
    tool: usize,
}

impl Call {
    pub(crate) fn wants_to_leave(&mut self, id: ToolId, tool: usize) {
        self.leaving = Some(Leaving { id, tool });
    }

    /// Ends the call as soon as there is nothing left to be heard.
    pub(crate) fn leave_when_all_is_heard(&mut self) {
        let done = self.floor.answer == Answer::None && self.phase == Phase::Live;
        let Some(leaving) = self.leaving.as_ref().filter(|_| done) else { return };
        let tool = leaving.tool;
        if self.playout.is_busy() {
            // A mark that never comes back must not keep the line open.
            let left = self.playout.left(self.now);
            return self.timers.set(Timer::Leaving, self.now + left + LOST_MARK);
        }
        self.note(Note::Tool { tool: Some(tool), end: ToolEnd::Done, after: Duration::ZERO });
        self.end(EndReason::AgentHungUp);
    }

    pub(crate) fn on_leaving(&mut self) {
        if self.leaving.is_some() && self.phase == Phase::Live {
            self.end(EndReason::AgentHungUp);
        }
    }

    /// The caller talks over the goodbye.
    pub(crate) fn stay(&mut self) {
        let Some(Leaving { id, tool }) = self.leaving.take() else { return };
        self.timers.clear(Timer::Leaving);
        self.note(Note::Tool { tool: Some(tool), end: ToolEnd::Refused, after: Duration::ZERO });
        let result = sentence("Not done: the caller still has something to say.");
        self.leg(LegCommand::ToolResult { id, result });
    }
}

/// Longer than any line takes to bring a mark back.
const LOST_MARK: Duration = Duration::from_secs(2);
