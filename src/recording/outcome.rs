//! What became of a recording, for the report and the log.

use std::{io, time::Duration};

use super::tape::Wav;

#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    end: End,
    pub lasts: Duration,
    /// Of the file.
    pub bytes: u64,
    pub attempts: u32,
    /// Why there is none, or why it ends before the call did.
    pub trouble: Option<Trouble>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Uploaded,
    Failed,
    /// There was nothing to record.
    None,
}

/// Whose side it was, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("the relay's disk did not take it ({0}): look at RECORDING_DIR and the room there")]
    Disk(io::ErrorKind),
    #[error("the relay's disk was too slow: put RECORDING_DIR on a faster one")]
    DiskSlow,
    #[error("recordings together fill the room they have: raise RECORDING_MAX_MB")]
    Room,
    #[error(
        "the storage answered {0}: is the URL signed for PUT with `content-type: audio/wav`, and still valid?"
    )]
    Refused(u16),
    #[error("the storage answered {0}, a redirect, which is not followed: sign the URL for where it leads")]
    Redirect(u16),
    #[error("the storage answered {0} each time")]
    Unavailable(u16),
    #[error("the storage could not be reached")]
    Unreachable,
    #[error("the storage did not answer in time")]
    NoAnswer,
    #[error("the storage's name does not lead to the public internet (WEBHOOK_ALLOW_PRIVATE lifts this)")]
    Address,
    #[error("too many recordings wait for storages that do not take them")]
    TooMany,
    #[error("the relay stopped before it was uploaded")]
    Stopped,
    #[error("the caller did not hear the sentence about it to its end")]
    NotTold,
    #[error("the call ended before there was a sound")]
    NoSound,
}

impl Trouble {
    pub(super) fn disk(error: io::Error) -> Self {
        Self::Disk(error.kind())
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Disk(_) => "disk",
            Self::DiskSlow => "disk_slow",
            Self::Room => "no_room",
            Self::Refused(_) => "refused",
            Self::Redirect(_) => "redirect",
            Self::Unavailable(_) => "unavailable",
            Self::Unreachable => "unreachable",
            Self::NoAnswer => "no_answer",
            Self::Address => "address",
            Self::TooMany => "too_many",
            Self::Stopped => "stopped",
            Self::NotTold => "not_told",
            Self::NoSound => "no_sound",
        }
    }
}

impl Outcome {
    /// There was nothing to record.
    pub(super) fn none(why: Trouble) -> Self {
        Self { end: End::None, lasts: Duration::ZERO, bytes: 0, attempts: 0, trouble: Some(why) }
    }

    /// There was something, and it is gone.
    pub(super) fn lost(why: Trouble) -> Self {
        Self { end: End::Failed, ..Self::none(why) }
    }

    /// As long as nobody knows better: what a crash leaves in the report.
    pub fn unfinished() -> Self {
        Self::lost(Trouble::Stopped)
    }

    pub(super) fn of(wav: &Wav, trouble: Option<Trouble>) -> Self {
        Self { end: End::Failed, lasts: wav.lasts(), bytes: wav.len(), attempts: 0, trouble }
    }

    pub(super) fn uploaded(self, attempts: u32) -> Self {
        Self { end: End::Uploaded, attempts, ..self }
    }

    pub(super) fn failed(self, attempts: u32, trouble: Trouble) -> Self {
        Self { end: End::Failed, attempts, trouble: Some(trouble), ..self }
    }

    pub fn name(&self) -> &'static str {
        match self.end {
            End::Uploaded => "uploaded",
            End::Failed => "failed",
            End::None => "none",
        }
    }

    /// All of the call is where it should be.
    pub fn is_complete(&self) -> bool {
        self.end == End::Uploaded && self.trouble.is_none()
    }
}
