//! What a call has to tell: remarks while it runs, and one summary at its end.

use std::time::Duration;

use crate::{
    EndReason, Failure, FailureKind, HeardBy, ItemId, Mended, Meter, Oddity, RefusalCode, ToolEnd, ToolId,
    Turn, TurnTold, transcript::Line, transcript::Speaker, transcript::ToolLine,
};

/// Something worth a log line, a number or a look, that no socket needs to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// The leg was dialled so long ago and is ready now.
    LegReady { after: Duration },
    /// Caller and agent are connected.
    Live,
    /// The first sound for the caller goes out, so long after the stream opened.
    FirstAudio { after: Duration },
    /// The agent answers; the leg had said so long ago that the caller stopped.
    Answered { after: Duration },
    /// A turn of the caller's is over, with its answer.
    TurnEnded(Box<TurnTold>),
    /// The caller talked over the agent, and the playback was cleared.
    BargeIn,
    /// Somebody says these words.
    Words { speaker: Speaker, item: ItemId, text: String, whole: bool },
    /// Of these words the caller heard only the beginning.
    CutShort { item: ItemId, heard: Duration, sent: Duration, words: String },
    /// Nobody has spoken for a while; so many questions were asked before.
    Idle { asked: usize },
    /// The caller pressed a key.
    Key(char),
    /// A tool is called, by this name and with these arguments: JSON, as the model wrote it.
    ToolCalled { id: ToolId, name: String, arguments: String },
    /// That call has been answered. Without a number: there is no such tool.
    Tool { id: ToolId, tool: Option<usize>, end: ToolEnd, after: Duration },
    /// The leg cannot go on, and this one takes over.
    LegLost { failure: Failure, next: usize },
    /// The leg's session is nearly over, and it is opened anew.
    LegRenewed,
    /// The call was to be recorded and is not: the caller could not be told so.
    NotRecorded,
    /// A reply failed and is asked for again.
    Retry(FailureKind),
    /// The leg said something that we do not act on.
    Odd(Oddity),
    /// The carrier's frames are not as they should be, and are put right. Told once of each kind.
    Mended(Mended),
    /// The carrier says that something is wrong with what we do.
    Complaint(String),
    /// The stream cannot carry this call.
    Unfit(RefusalCode),
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Audio messages from the carrier, and those that had to be dropped.
    pub frames_in: u64,
    pub frames_dropped: u64,
    /// Audio messages to the carrier.
    pub frames_out: u64,
    /// Silence put in where the carrier left out frames.
    pub gaps: Duration,
    /// Audio of replies that were already interrupted.
    pub late_audio: u64,
    pub turns: u64,
    pub replies: u64,
    pub barge_ins: u64,
    pub keys: u64,
    /// Calls of tools.
    pub tools: u64,
    /// Frames of the carrier's that had to be put right: by kind.
    pub mended: [u64; 3],
    /// Of the carrier's, about what we sent.
    pub complaints: u64,
    /// Messages from the carrier that made no sense.
    pub malformed: u64,
    /// Events of the leg that were not acted on.
    pub oddities: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub reason: EndReason,
    /// From the open socket to the end.
    pub lasted: Duration,
    /// Whether the caller and the leg were ever connected.
    pub was_live: bool,
    pub tally: Tally,
    /// By leg.
    pub usage: Meter,
    pub transcript: Vec<Line>,
    /// How each of the caller's turns was answered.
    pub turns: Vec<Turn>,
    /// What tools were called, and what came of it.
    pub tools: Vec<ToolLine>,
    /// The legs that were opened, one after the other.
    pub legs: Vec<LegUse>,
    /// Where in the call its recording begins, if there is one.
    pub recorded_from: Option<Duration>,
    /// How it is known what the caller heard.
    pub heard_by: HeardBy,
}

/// A leg that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegUse {
    /// Which of the token's.
    pub leg: usize,
    /// When it was dialled, from the start of the call.
    pub from: Duration,
    pub end: LegEnd,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// The call's end was its own.
    Used,
    Failed(Failure),
    /// Its session would have become too old.
    Renewed,
}
