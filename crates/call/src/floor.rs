//! Who is speaking, who may interrupt whom, and which answer is still owed.

use std::time::Instant;

use crate::{ReplyId, Turns};

#[derive(Debug)]
pub(crate) struct Floor {
    /// Who answers turns, as we last told the leg.
    pub turns: Turns,
    pub opening: Opening,
    /// The caller has been speaking since then.
    pub caller_since: Option<Instant>,
    /// The caller has stopped, and the agent has not begun to answer.
    pub caller_stopped: Option<Instant>,
    pub answer: Answer,
    /// A plain reply waits in the leg's queue behind the one that is being made.
    pub reply_queued: bool,
    /// This reply and all before it were interrupted: nothing of them is played any more.
    pub silenced: Option<ReplyId>,
    /// The newest reply that the leg has begun.
    pub newest: Option<ReplyId>,
    /// Replies in a row that failed.
    pub failures: u32,
}

/// What the agent says first is protected: nothing cuts a consent sentence, and no short noise a greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// The caller is being told that the call is recorded.
    Consent,
    /// Asked for, being made or being played.
    Greeting,
    Over,
}

/// The answer that the caller waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    None,
    /// It should begin any moment. `nudged`: we have already asked for it a second time.
    Owed {
        to: Ask,
        nudged: bool,
    },
    /// It is being made.
    Making {
        to: Ask,
        reply: ReplyId,
    },
    /// It failed, and will be asked for again in a moment.
    Failed {
        to: Ask,
    },
}

/// What an answer answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Words of ours that are to be said.
    Say(String),
    /// Our own wish for a reply.
    Reply,
    /// The caller's turn; the leg answers by itself.
    Turn,
}

impl Default for Floor {
    fn default() -> Self {
        Self {
            turns: Turns::Held,
            opening: Opening::Over,
            caller_since: None,
            caller_stopped: None,
            answer: Answer::None,
            reply_queued: false,
            silenced: None,
            newest: None,
            failures: 0,
        }
    }
}

impl Floor {
    pub fn is_silenced(&self, reply: ReplyId) -> bool {
        self.silenced.is_some_and(|last| reply <= last)
    }

    /// Nothing of what the leg has begun so far is played from now on.
    pub fn silence(&mut self) {
        self.silenced = self.newest;
    }

    pub fn is_making(&self, id: ReplyId) -> bool {
        matches!(self.answer, Answer::Making { reply, .. } if reply == id)
    }
}
