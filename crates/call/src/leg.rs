//! What an AI leg can say to a call, and what a call can say back.
//!
//! Wide enough for a leg that takes turns by itself (OpenAI Realtime), for one that never stops listening,
//! and for a cascade whose turns are decided here. A leg numbers its replies and items upwards, so what is
//! late is known by its number, and no vendor's id travels further than `wire`.

use std::{borrow::Cow, fmt, time::Duration};

use crate::{Audio, Past, ToolId, Usage};

/// One answer of the agent, from the moment the leg begins to make it. Later replies have higher numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyId(pub u32);

/// One entry of the conversation's history: a turn of the caller, or a piece of a reply. A reply can hold
/// several, and each is cut on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(pub u32);

#[derive(Clone, Debug, PartialEq)]
pub enum LegEvent {
    /// The leg is set up as asked and takes audio from now on.
    Ready,
    /// The caller began to speak.
    SpeechStarted,
    /// The caller stopped; the leg has waited its own silence before saying so.
    SpeechStopped,
    /// The caller's turn is complete and in the history.
    TurnCommitted { item: ItemId },
    /// The agent's answer is being made.
    ReplyStarted { reply: ReplyId },
    /// A reply begins that was cancelled while it was on its way: nothing of it is to be heard.
    ReplyUnwanted { reply: ReplyId },
    /// The mind has begun to answer, long before its words are enough to be spoken. `ahead`: it did before the
    /// turn was known to be over. For legs that can tell.
    FirstWords { reply: ReplyId, ahead: bool },
    /// A piece of it has its place in the history, before any of its audio.
    ItemStarted { reply: ReplyId, item: ItemId },
    /// The agent's voice.
    Speech { reply: ReplyId, item: ItemId, audio: Audio },
    /// All audio of this item has come.
    SpeechDone { reply: ReplyId, item: ItemId },
    /// What the agent says, as text: more of it, or with `whole` all of it at once.
    AgentWords { item: ItemId, text: String, whole: bool },
    /// Of an item that was cut, exactly these words were heard. For legs that know it better than a clock does.
    Heard { item: ItemId, words: String },
    /// What the caller said, as text; for an item that was committed, sooner or later.
    CallerWords { item: ItemId, text: String, whole: bool },
    /// The model wants something done. Comes before the end of its reply, and wants exactly one result.
    ToolCalled { reply: ReplyId, id: ToolId, name: String, arguments: String },
    /// The provider itself has a tool run, at this server. It needs no result from us, and ends with
    /// [`LegEvent::ToolElsewhereDone`].
    ToolElsewhere { reply: ReplyId, id: ToolId, server: String, name: String, arguments: String },
    /// The model knows what came of it. The result itself may come later, in another one of these.
    ToolElsewhereDone { id: ToolId, failed: bool, result: Option<String> },
    /// The answer is complete, or was stopped, or could not be made. Always comes, once for each reply.
    ReplyDone { reply: ReplyId, outcome: Outcome, usage: Usage },
    /// What was used besides, or since this was last told.
    Used(Usage),
    /// A sign of life without meaning: the answer to a ping.
    Alive,
    /// Something we do not know, or do not need to act on. Counted.
    Odd(Oddity),
    /// It cannot hear or think any more, but still says what it is told to say. Everything else is over for it.
    OnlySpeaks(Failure),
    /// The leg cannot go on.
    Failed(Failure),
}

impl LegEvent {
    /// Whether it is about the leg itself, and not about what is said.
    pub(crate) fn is_of_the_line(&self) -> bool {
        matches!(
            self,
            Self::Ready | Self::Used(_) | Self::Alive | Self::Odd(_) | Self::OnlySpeaks(_) | Self::Failed(_)
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Oddity {
    /// An event type we have never heard of: vendors add them without notice.
    UnknownEvent,
    /// An error that changes nothing, such as a cancel that crossed the end of its reply.
    BenignError,
    /// An error about a message of ours. The call goes on, a person should look.
    OwnError,
    /// Not JSON, or not the shape that its type promises.
    Malformed,
}

#[derive(Clone, Debug, PartialEq)]
pub enum LegCommand {
    /// The caller's voice.
    Hear(Audio),
    /// Say these words now, or as soon as the reply being made is done.
    Say(Say),
    /// What came of a tool, as JSON. Nothing is said about it before the next [`LegCommand::Reply`] or turn.
    ToolResult { id: ToolId, result: String },
    /// The caller did something that has no sound: it belongs into the history, as words of the caller's.
    Tell(String),
    /// Answer what was said so far. Only needed while turns are [`Turns::Held`], and after tools.
    Reply,
    /// Stop making the reply that is being made.
    Cancel,
    /// Of this item the caller heard only so much.
    Truncate { item: ItemId, heard: Duration },
    /// Of this item the caller heard nothing: it was never said.
    Forget { item: ItemId },
    /// Who answers the caller's turns from now on.
    TakeTurns(Turns),
    /// What was said before this leg took over, oldest first; later also what came of an older leg's tools.
    Remember(Vec<Past>),
    /// Of this item in what it remembers only these words were heard; perhaps none.
    Rewrite { item: ItemId, words: String },
    /// Is anybody there? Answered by [`LegEvent::Alive`].
    Ping,
    /// The last word to this leg.
    Close,
}

/// Words that are ours, not the model's.
#[derive(Clone, PartialEq, Eq)]
pub struct Say {
    pub text: String,
}

/// Without the words: they are the customer's.
impl fmt::Debug for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Say({} bytes)", self.text.len())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// The leg reports speech and keeps the history, but neither answers nor stops by itself: the call does
    /// both with [`LegCommand::Reply`] and [`LegCommand::Cancel`].
    Held,
    /// The leg answers turns and stops its own reply when the caller speaks. Saves a round trip each time.
    Live,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    /// Stopped by us or because the caller spoke.
    Cancelled,
    /// Ended early by a limit or a filter of the provider.
    Incomplete,
    /// May work when asked again.
    FailedForNow(Failure),
}

/// Why a leg cannot go on, or why a reply could not be made: whose side, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub provider: &'static str,
    pub kind: FailureKind,
    /// The provider's own code or words, without secrets: `insufficient_quota`, `HTTP 503`.
    pub detail: Cow<'static, str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// No connection: name, network or TLS.
    Unreachable,
    /// It answered, and said no, to the connection or to our settings.
    Refused,
    BadKey,
    Quota,
    RateLimited,
    /// Connected, but not ready in time.
    NotReady,
    /// Ready once, then no sign of life.
    Stalled,
    /// What it sends cannot be understood, or is in a format we did not agree on.
    Nonsense,
    /// It closed the connection in mid-call.
    Closed,
    /// It does not take our audio fast enough.
    Stuck,
    /// Its own error.
    Provider,
}

impl FailureKind {
    /// The name used in metrics and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::BadKey => "bad_key",
            Self::Quota => "quota",
            Self::RateLimited => "rate_limited",
            Self::NotReady => "not_ready",
            Self::Stalled => "stalled",
            Self::Nonsense => "nonsense",
            Self::Closed => "closed",
            Self::Stuck => "stuck",
            Self::Provider => "provider_error",
        }
    }

    fn says(self) -> (&'static str, &'static str) {
        match self {
            Self::Unreachable => ("could not be reached", "check its base URL and its status"),
            Self::Refused => ("refused the session", "check the leg's model and settings in the token"),
            Self::BadKey => ("refused the key", "check the key in the token or the relay's settings"),
            Self::Quota => ("has no quota or credit left for this key", "check the account's billing"),
            Self::RateLimited => ("limits this account's rate", "spread the calls or raise the limit"),
            Self::NotReady => ("was not ready in time", "check its status"),
            Self::Stalled => ("went silent", "check its status"),
            Self::Nonsense => {
                ("sent what cannot be understood", "check that the base URL speaks its protocol")
            }
            Self::Closed => ("closed the connection", "check its status"),
            Self::Stuck => ("stopped taking audio", "check its status and the network"),
            Self::Provider => ("had an error of its own", "check its status"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, cure) = self.kind.says();
        if self.detail.is_empty() {
            return write!(f, "{} {what}: {cure}", self.provider);
        }
        write!(f, "{} {what} ({}): {cure}", self.provider, self.detail)
    }
}
