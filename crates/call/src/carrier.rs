//! What a carrier can say to a call, and what a call can say back.
//!
//! The same for every carrier: `wire` has one file each that translates.

use std::{fmt, time::Duration};

use crate::{Audio, RefusalCode};

#[derive(Clone, Debug, PartialEq)]
pub enum CarrierEvent {
    /// The stream is open: before it nothing can be sent.
    Started(Box<Started>),
    /// A stream that cannot carry this call, such as a one-way stream or one in another codec.
    Unfit(RefusalCode),
    /// The caller's voice. `at` is the carrier's own clock, counted from the stream's start.
    Audio { at: Option<Duration>, audio: Audio },
    /// Playback has reached this mark of ours, or was cleared.
    Mark(MarkId),
    /// The caller pressed a key.
    Key(char),
    /// The carrier ended the stream: somebody hung up, or the call goes on elsewhere.
    Stopped,
    /// The carrier's frames were not as they should be, and have been put right.
    Mended(Mended),
    /// It says that something is wrong with what we send.
    Complaint(String),
    /// It answered our question whether it is there, or asked the same of us.
    Alive,
    /// A message that makes no sense, or comes where it does not belong. Counted, and too many end the call.
    Malformed,
    /// The socket is closed or broken.
    Gone(Gone),
}

/// What the carrier says of the call when its stream opens.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Started {
    pub stream_id: String,
    pub call_id: String,
    /// The carrier has no name for its call, or does not say it: which call it is, only the token can tell.
    pub unnamed: bool,
    pub account_id: Option<String>,
    /// Names and values the main app gave the stream; the token may be among them.
    pub parameters: Vec<(String, String)>,
    /// In which pieces the carrier takes speech.
    pub pieces: Pieces,
    /// What converting the sound takes, where it has to be converted.
    pub lag: Lag,
}

/// In which pieces a carrier takes speech. The default: in any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    /// A shorter piece is not taken, or is played badly.
    pub least: Duration,
    /// Each piece is a multiple of this, or as long as it likes.
    pub step: Duration,
    /// So much may wait at the carrier to be played; nothing: more than any answer is long.
    pub ahead: Option<Duration>,
}

/// So much later a sound comes out of a conversion than it went in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// The caller's voice, on its way to us.
    pub caller: Duration,
    /// The agent's, on its way to the carrier.
    pub agent: Duration,
}

/// What was wrong with a carrier's frames. The numbers that they bear told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mended {
    /// They crossed on their way, and were put back into their order.
    OutOfOrder,
    /// One came again, or after it had been given up, and was left out.
    Twice,
    /// One did not come in time, and the others go on without it.
    Missing,
}

/// Without the parameters: the token may be among them.
impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started")
            .field("stream_id", &self.stream_id)
            .field("call_id", &self.call_id)
            .field("unnamed", &self.unnamed)
            .field("account_id", &self.account_id)
            .field("parameters", &self.parameters.len())
            .field("pieces", &self.pieces)
            .field("lag", &self.lag)
            .finish()
    }
}

/// How a socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// With a WebSocket close, or a TCP end between two messages: an ordinary way to go.
    Closed,
    /// Reset, timed out, or cut in the middle of a message.
    Broken,
    /// It sent a message above our size limit.
    TooLarge,
    /// It no longer reads: what we had to say stayed in our queue until the limit.
    Stuck,
}

#[derive(Clone, Debug, PartialEq)]
pub enum CarrierCommand {
    /// Plays after everything sent before.
    Play(Audio),
    /// Comes back as [`CarrierEvent::Mark`] when what was sent before it has been played.
    Mark(MarkId),
    /// Ask whether it is there. Comes back as [`CarrierEvent::Alive`].
    Ping,
    /// Throws away what has not been played; also what still waits in our own queue.
    Clear,
    /// The last word to this socket.
    Close(Closing),
}

/// Marks are numbered through the whole call, so one that comes back after a clear is known by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarkId(pub u32);

/// Why we close a carrier's socket: its WebSocket close code and a short reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// 1000: the call is over.
    Done,
    /// 1001: this machine is about to stop.
    GoingAway,
    /// 1008: not let in; the refusal's code is the reason.
    Refused(RefusalCode),
    /// 1008: too much that made no sense.
    Malformed,
    /// 1009: a message above our limit.
    TooLarge,
    /// 1011: the AI leg failed, or we did.
    Failed,
    /// 1013: no room for another call.
    Busy,
}

impl Closing {
    pub fn code(self) -> u16 {
        match self {
            Self::Done => 1000,
            Self::GoingAway => 1001,
            Self::Refused(_) | Self::Malformed => 1008,
            Self::TooLarge => 1009,
            Self::Failed => 1011,
            Self::Busy => 1013,
        }
    }

    pub fn reason(self) -> &'static str {
        match self {
            Self::Done => "call over",
            Self::GoingAway => "drained",
            Self::Refused(code) => code.0,
            Self::Malformed => "malformed messages",
            Self::TooLarge => "message too large",
            Self::Failed => "leg failed",
            Self::Busy => "busy",
        }
    }
}
