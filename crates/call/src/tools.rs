//! What the agent has others do: tools that the model calls while the conversation goes on.
//!
//! Every call is answered exactly once, with its result or with a sentence about why there is none. When all
//! calls of one reply have their answers, the agent is asked to go on, once. Who speaks meanwhile is answered
//! first; that answer knows the results which came before it, and then there is nothing to go on with.

use std::time::{Duration, Instant};

use crate::{
    Call, Command, LegCommand, Note, ReplyId, Timer,
    call::Phase,
    floor::{Answer, Ask},
    tones::tones,
};

/// Something that the agent can have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    pub name: String,
    /// How long it may take.
    pub patience: Duration,
    /// Spoken while the caller waits.
    pub say: Option<String>,
    pub does: Does,
}

/// Who does it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Does {
    /// Somebody outside, whose answer goes to the model.
    #[default]
    Ask,
    /// The call itself ends.
    HangUp,
    /// The leg's provider itself, which only tells of it. The tool stands for everything at one server.
    Elsewhere,
}

/// One call of a tool. A leg numbers them upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolId(pub u32);

/// How a call of a tool ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToolEnd {
    /// With a result for the model.
    Done,
    /// The agent may hand the caller over, when all is heard. The result is to whom.
    HandsOver,
    /// The keys in the result are to be sent as tones.
    Tones,
    /// It was run, and failed.
    Failed,
    /// It took longer than it may.
    TooSlow,
    /// It was not run at all.
    Refused,
}

impl ToolEnd {
    /// The name used in metrics and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::HandsOver => "accepted",
            Self::Tones => "accepted",
            Self::Failed => "failed",
            Self::TooSlow => "timeout",
            Self::Refused => "refused",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tools {
    running: Vec<Running>,
    /// How often keys were pressed.
    pub(crate) pressed: u32,
    /// The last one that was called.
    newest: Option<ToolId>,
    /// The agent has results that it has not spoken about.
    owes: bool,
    /// How often the agent was asked to go on since the caller last said something.
    in_a_row: u32,
}

impl Tools {
    pub fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// A result is to come, or to be spoken about.
    pub fn is_at_work(&self) -> bool {
        self.is_running() || self.owes
    }

    /// The next one whose tones wait, when they may go out.
    pub fn take_tones(&mut self, may: impl Fn(ReplyId) -> bool) -> Option<(ReplyId, ToolId, Vec<u8>)> {
        let at = self.running.iter().position(|one| one.tones.is_some() && may(one.reply))?;
        let Running { id, reply, tones, .. } = self.running.remove(at);
        Some((reply, id, tones?))
    }
}

#[derive(Debug)]
struct Running {
    id: ToolId,
    reply: ReplyId,
    /// Which of the agent's tools.
    tool: usize,
    since: Instant,
    /// These keys wait until the agent has said what it says before.
    tones: Option<Vec<u8>>,
}

impl Call {
    pub(crate) fn on_tool_called(&mut self, reply: ReplyId, id: ToolId, name: &str, arguments: String) {
        if self.phase != Phase::Live || self.tools.newest >= Some(id) {
            return; // nobody is there to hear of it, or it was heard
        }
        self.tools.newest = Some(id);
        self.tally.tools += 1;
        self.transcript.tool_called(self.age(), id, name, &arguments);
        self.note(Note::ToolCalled { id, name: name.to_owned(), arguments: arguments.clone() });
        let named = |tool: &Tool| tool.name == name && tool.does != Does::Elsewhere;
        let tool = self.config.tools.iter().position(named);
        let refusal = match tool {
            _ if self.floor.is_silenced(reply) => Some("Not done: the caller interrupted before it began."),
            None => Some("There is no tool of this name."),
            _ if self.tools.running.len() >= MOST_AT_ONCE => Some("Not done: too many tools are running."),
            _ if self.tools.in_a_row >= MOST_IN_A_ROW => Some("Not done: talk to the caller first."),
            Some(_) => None,
        };
        let tool = match (tool, refusal) {
            (Some(tool), None) => tool,
            (_, refusal) => {
                let result = sentence(refusal.unwrap_or_default());
                self.note(Note::Tool { id, tool, end: ToolEnd::Refused, after: Duration::ZERO });
                if self.floor.is_silenced(reply) {
                    return self.leg(LegCommand::ToolResult { id, result }); // the caller speaks next
                }
                return self.answer_tool(reply, id, result);
            }
        };
        match self.config.tools[tool].does {
            Does::Ask | Does::Elsewhere => {}
            Does::HangUp => return self.wants_to_leave(id, tool, None),
        }
        self.tools.running.push(Running { id, reply, tool, since: self.now, tones: None });
        self.watch_tools();
        if self.config.tools[tool].say.is_some() && !self.timers.is_set(Timer::Filler) {
            self.timers.set(Timer::Filler, self.now + FILLER_AFTER);
        }
        self.push(Command::Run { id, tool, arguments });
    }

    /// The provider has a tool run by itself: nothing to do but to wait, as for any other.
    pub(crate) fn on_tool_elsewhere(&mut self, reply: ReplyId, id: ToolId, server: &str, what: (&str, &str)) {
        if self.phase != Phase::Live || self.tools.newest >= Some(id) {
            return;
        }
        self.tools.newest = Some(id);
        self.tally.tools += 1;
        let (name, arguments) = what;
        self.transcript.tool_called(self.age(), id, name, arguments);
        self.note(Note::ToolCalled { id, name: name.to_owned(), arguments: arguments.to_owned() });
        let at_server = |tool: &Tool| tool.name == server && tool.does == Does::Elsewhere;
        let Some(tool) = self.config.tools.iter().position(at_server) else { return };
        if self.floor.is_silenced(reply) || self.tools.running.len() >= MOST_AT_ONCE {
            return; // the caller speaks next, or somebody else's result lets the agent go on
        }
        self.tools.running.push(Running { id, reply, tool, since: self.now, tones: None });
        self.watch_tools();
        if self.config.tools[tool].say.is_some() && !self.timers.is_set(Timer::Filler) {
            self.timers.set(Timer::Filler, self.now + FILLER_AFTER);
        }
    }

    /// The provider knows the result. What it was comes now, later or never; it is only for the books.
    pub(crate) fn on_tool_elsewhere_done(&mut self, id: ToolId, failed: bool, result: Option<String>) {
        let end = if failed { ToolEnd::Failed } else { ToolEnd::Done };
        if self.tools.running.iter().any(|running| running.id == id) {
            let known = if failed { sentence("It failed.") } else { r#"{"status":"done"}"#.into() };
            self.on_tool_ended(id, end, known);
        }
        if let Some(result) = result {
            self.transcript.tool_answered(id, &result);
        }
    }

    /// `result` is for the model, whatever the end was.
    pub(crate) fn on_tool_ended(&mut self, id: ToolId, end: ToolEnd, result: String) {
        let Some(at) = self.tools.running.iter().position(|running| running.id == id) else {
            return; // it was too slow, and the model knows
        };
        if end == ToolEnd::Tones
            && let Some(sound) = tones(&result)
        {
            self.tools.running[at].tones = Some(sound);
            return self.press_when_all_is_said();
        }
        let Running { reply, tool, since, .. } = self.tools.running.remove(at);
        self.note(Note::Tool { id, tool: Some(tool), end, after: self.now - since });
        self.watch_tools();
        match end {
            ToolEnd::HandsOver => {
                self.wants_to_leave(id, tool, Some(result));
                self.leave_when_all_is_heard();
            }
            ToolEnd::Tones => self.answer_tool(reply, id, sentence("Not done: there are no such keys.")),
            _ => self.answer_tool(reply, id, result),
        }
    }

    /// The reply that called is long over.
    pub(crate) fn answer_late(&mut self, id: ToolId, result: String) {
        self.leg(LegCommand::ToolResult { id, result });
        self.tools.owes = true;
        self.go_on();
    }

    pub(crate) fn answer_tool(&mut self, reply: ReplyId, id: ToolId, result: String) {
        self.leg(LegCommand::ToolResult { id, result });
        self.tools.owes |= !self.tools.running.iter().any(|running| running.reply == reply);
        self.go_on();
    }

    /// The agent speaks about what its tools have brought, if this is the moment.
    pub(crate) fn go_on(&mut self) {
        let free = self.floor.answer == Answer::None && self.floor.caller_since.is_none();
        if !self.tools.owes || !free || self.phase != Phase::Live {
            return;
        }
        self.tools.owes = false;
        self.tools.in_a_row += 1;
        // A model that still calls tools after it was told to talk is left alone.
        if self.tools.in_a_row <= MOST_IN_A_ROW + 1 {
            self.reply();
        }
    }

    /// A reply has begun. It knows all results that came before it, unless it says words of ours.
    pub(crate) fn tools_are_known(&mut self, to: &Ask) {
        if !matches!(to, Ask::Say(_)) {
            self.tools.owes = false;
        }
    }

    /// The caller has stopped, perhaps without having said anything that is answered.
    pub(crate) fn may_go_on_soon(&mut self) {
        if self.tools.owes {
            self.timers.set(Timer::GoOn, self.now + GO_ON_AFTER);
        }
    }

    pub(crate) fn caller_said_something(&mut self) {
        self.tools.in_a_row = 0;
    }

    pub(crate) fn on_tool_due(&mut self) {
        let (now, tools) = (self.now, &self.config.tools);
        let late = self.tools.running.extract_if(.., |one| now >= one.since + tools[one.tool].patience);
        for Running { id, reply, tool, since, .. } in late.collect::<Vec<_>>() {
            self.note(Note::Tool { id, tool: Some(tool), end: ToolEnd::TooSlow, after: now - since });
            self.push(Command::StopTool(id));
            self.answer_tool(reply, id, sentence("It did not answer in time."));
        }
        self.watch_tools();
    }

    /// The caller should not wait in silence.
    pub(crate) fn on_filler(&mut self) {
        let quiet = self.floor.answer == Answer::None
            && self.floor.caller_since.is_none()
            && !self.playout.is_busy()
            && self.phase == Phase::Live;
        let say = self.tools.running.iter().find_map(|running| self.config.tools[running.tool].say.clone());
        if let Some(text) = say.filter(|_| quiet) {
            self.say(text);
        }
    }

    pub(crate) fn watch_tools(&mut self) {
        let due = |running: &Running| running.since + self.config.tools[running.tool].patience;
        match self.tools.running.iter().map(due).min() {
            Some(due) => self.timers.set(Timer::ToolDue, due),
            None => self.timers.clear(Timer::ToolDue),
        }
    }
}

/// As the model is told it: results are JSON, and so is this.
pub(crate) fn sentence(text: &str) -> String {
    format!(r#"{{"error":"{text}"}}"#)
}

const MOST_AT_ONCE: usize = 8;

/// A model that only calls tools is not talking to anybody.
const MOST_IN_A_ROW: u32 = 8;

/// A tool that answers sooner needs no excuse.
const FILLER_AFTER: Duration = Duration::from_millis(500);

/// A turn that counts is announced within this after the caller stopped.
const GO_ON_AFTER: Duration = Duration::from_secs(1);
