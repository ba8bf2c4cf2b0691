//! What the three parts of a cascade can say, and what can be said to them.
//!
//! The same for every vendor: an ear makes text of speech, a mind answers text with text, a mouth makes speech
//! of text. `wire` has one session each that translates, and each of them numbers nothing by itself: what
//! belongs to a question or a reply carries the number that the cascade gave it, so what is late is known.

use std::{fmt, time::Duration};

use crate::{Audio, Failure, Oddity, ReplyId, Usage};

#[derive(Clone, Debug, PartialEq)]
pub enum EarEvent {
    /// It is set up and takes audio from now on.
    Ready,
    /// Somebody speaks, and it is words.
    Started,
    /// All words of this turn so far.
    Words(String),
    /// The turn is probably over, with these words.
    Perhaps(String),
    /// It was not over.
    Resumed,
    /// The turn is over. These are all its words; none when it was no speech.
    Ended(String),
    /// The answer to a ping.
    Alive,
    Odd(Oddity),
    /// Its connection is of no more use.
    Failed(Failure),
}

#[derive(Clone, Debug, PartialEq)]
pub enum EarCommand {
    /// Connect, or connect again.
    Open,
    Hear(Audio),
    /// The caller has stopped: make words of what there is. For ears that leave turns to us.
    EndTurn,
    Ping,
    Close,
}

/// One question to the mind. Later ones have higher numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u32);

#[derive(Clone, Debug, PartialEq)]
pub enum MindEvent {
    /// The key is good and the model is known.
    Ready,
    /// More of the answer.
    Words {
        ask: AskId,
        text: String,
    },
    /// The model calls a tool, and has said all that belongs to it. Comes before the end.
    Called {
        ask: AskId,
        call: ToolUse,
    },
    /// The answer is complete, or as complete as a limit allows.
    Done {
        ask: AskId,
        whole: bool,
        usage: Usage,
    },
    /// There is no answer, or no more of it. `again`: asking a second time may help.
    Failed {
        ask: AskId,
        failure: Failure,
        again: bool,
    },
    /// Not even questions make sense any more.
    Gone(Failure),
    Odd(Oddity),
}

#[derive(Clone, Debug, PartialEq)]
pub enum MindCommand {
    /// Make the connection warm, and see whether key and model are good.
    Open,
    Ask {
        ask: AskId,
        thread: Vec<Message>,
    },
    /// The answer is not wanted any more.
    Cancel(AskId),
}

#[derive(Clone, Debug, PartialEq)]
pub enum MouthEvent {
    Ready,
    /// The agent's voice.
    Speech {
        reply: ReplyId,
        audio: Audio,
    },
    /// All audio of this reply has come.
    Done(ReplyId),
    /// What was being said is stopped: no stale sound comes any more.
    Stopped,
    /// Of a reply that was stopped, exactly these words were heard, as the mouth knows them.
    Heard {
        reply: ReplyId,
        words: String,
    },
    Alive,
    Odd(Oddity),
    /// Its connection is of no more use.
    Failed(Failure),
}

#[derive(Clone, Debug, PartialEq)]
pub enum MouthCommand {
    /// Connect, or connect again.
    Open,
    /// More words of this reply; the first ones begin it.
    Say {
        reply: ReplyId,
        words: String,
    },
    /// This reply has all its words.
    Finish(ReplyId),
    /// No more of this reply. So much of it was heard, if that is known.
    Stop {
        reply: ReplyId,
        heard: Option<Duration>,
    },
    /// Nothing was said for a while, and the connection should stay.
    KeepAlive,
    Close,
}

/// One entry of what the mind is told.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Who the agent is.
    System(String),
    Caller(String),
    Agent(String),
    /// What the agent said, if anything, and the tools that it called then.
    Calls {
        text: String,
        calls: Vec<ToolUse>,
    },
    /// What came of one of them; behind the calls, in their order.
    Result {
        id: String,
        text: String,
    },
}

/// A tool that the model called, in its provider's words.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolUse {
    pub id: String,
    pub name: String,
    /// As the model wrote them: JSON, if it is a good model.
    pub arguments: String,
    /// What the provider wants to see again besides, as JSON.
    pub extra: Option<String>,
}

impl ToolUse {
    pub(super) fn len(&self) -> usize {
        self.id.len() + self.name.len() + self.arguments.len() + self.extra.as_ref().map_or(0, String::len)
    }
}

/// Without the arguments: they are the caller's.
impl fmt::Debug for ToolUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToolUse({:?} {}, {} bytes)", self.id, self.name, self.arguments.len())
    }
}

/// Without the words: they are the caller's and the customer's.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, text) = match self {
            Self::System(text) => ("System", text),
            Self::Caller(text) => ("Caller", text),
            Self::Agent(text) => ("Agent", text),
            Self::Calls { text, calls } => return write!(f, "Calls({} bytes, {calls:?})", text.len()),
            Self::Result { id, text } => return write!(f, "Result({id:?}, {} bytes)", text.len()),
        };
        write!(f, "{who}({} bytes)", text.len())
    }
}
