//! The agent leaves: it hangs up, or hands the caller to somebody else. After its last words were heard, and not
//! when the caller still has something to say.

use std::time::Duration;

use crate::{
    Call, Command, EndReason, LegCommand, Note, Timer, ToolEnd, ToolId, call::Phase, floor::Answer,
    tools::sentence,
};

/// The agent has said that it wants to leave, with this call of its tool.
#[derive(Debug)]
pub(crate) struct Leaving {
    id: ToolId,
    tool: usize,
    /// To whom the caller is handed; nobody: the call just ends.
    target: Option<String>,
    /// Whoever arranges that was asked to.
    asked: bool,
    /// The stream ended meanwhile. Whether because of that is not known yet.
    stream_over: bool,
}

impl Call {
    pub(crate) fn wants_to_leave(&mut self, id: ToolId, tool: usize, target: Option<String>) {
        self.leaving = Some(Leaving { id, tool, target, asked: false, stream_over: false });
    }

    /// It has said goodbye, and no leg is needed for the rest.
    pub(crate) fn is_hanging_up(&self) -> bool {
        self.phase == Phase::Live && self.leaving.as_ref().is_some_and(|leaving| leaving.target.is_none())
    }

    /// Leaves as soon as there is nothing left to be heard.
    pub(crate) fn leave_when_all_is_heard(&mut self) {
        let done = self.floor.answer == Answer::None && self.phase == Phase::Live;
        if !done || self.leaving.as_ref().is_none_or(|leaving| leaving.asked) {
            return;
        }
        if self.playout.is_busy() {
            // A mark that never comes back must not keep the line open.
            let left = self.left_to_play();
            return self.timers.set(Timer::Leaving, self.now + left + LOST_MARK);
        }
        self.leave();
    }

    fn leave(&mut self) {
        let Some(leaving) = &mut self.leaving else { return };
        let (id, tool) = (leaving.id, leaving.tool);
        match leaving.target.clone() {
            Some(target) => {
                leaving.asked = true;
                self.timers.set(Timer::Leaving, self.now + ARRANGED_WITHIN);
                self.push(Command::HandOver { id, tool, target });
            }
            None => {
                self.note(Note::Tool { id, tool: Some(tool), end: ToolEnd::Done, after: Duration::ZERO });
                self.end(EndReason::AgentHungUp);
            }
        }
    }

    /// Somebody will take the caller, or nobody will.
    pub(crate) fn on_handed_over(&mut self, id: ToolId, done: bool) {
        let Some(leaving) = self.leaving.take_if(|leaving| leaving.asked && leaving.id == id) else { return };
        self.timers.clear(Timer::Leaving);
        let (tool, end) = (Some(leaving.tool), if done { ToolEnd::Done } else { ToolEnd::Failed });
        self.note(Note::Tool { id, tool, end, after: Duration::ZERO });
        if done {
            return self.end(EndReason::Transferred);
        }
        if leaving.stream_over {
            return self.close_now();
        }
        let result = sentence("The transfer could not be arranged. Tell the caller, and help otherwise.");
        self.answer_late(id, result);
    }

    /// The carrier has ended the stream. One that was asked to move the caller ends it too, so the answer to that
    /// decides what it was, if it comes soon.
    pub(crate) fn on_stream_over(&mut self, reason: EndReason) {
        let moves = self.config.carrier_hands_over && self.phase == Phase::Live;
        let Some(leaving) = self.leaving.as_mut().filter(|leaving| leaving.asked && moves) else {
            return self.end(reason);
        };
        leaving.stream_over = true;
        self.floor.silence();
        self.phase = Phase::Closing(reason);
        self.timers.clear_all();
        self.timers.set(Timer::Closing, self.now + TOLD_WITHIN);
    }

    pub(crate) fn is_stream_over(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.stream_over)
    }

    pub(crate) fn on_leaving(&mut self) {
        if self.phase != Phase::Live {
            return;
        }
        match &self.leaving {
            Some(Leaving { id, asked: true, .. }) => {
                let id = *id;
                self.on_handed_over(id, false);
            }
            Some(_) => self.leave(),
            None => {}
        }
    }

    /// The caller talks over the goodbye. Once somebody was asked to take the call it is too late for that.
    pub(crate) fn stay(&mut self) {
        let Some(Leaving { id, tool, .. }) = self.leaving.take_if(|leaving| !leaving.asked) else { return };
        self.timers.clear(Timer::Leaving);
        self.note(Note::Tool { id, tool: Some(tool), end: ToolEnd::Refused, after: Duration::ZERO });
        let result = sentence("Not done: the caller still has something to say.");
        self.leg(LegCommand::ToolResult { id, result });
    }
}

/// Longer than any line takes to bring a mark back.
const LOST_MARK: Duration = Duration::from_secs(2);

/// For the main app, or the carrier, to say yes. The caller waits in silence meanwhile.
const ARRANGED_WITHIN: Duration = Duration::from_secs(8);

/// A carrier that has moved the caller says so at once, and the word needs as long as any other.
const TOLD_WITHIN: Duration = Duration::from_secs(3);
