//! Why a call ended. There is exactly one reason for each call, and it has a stable name.

use std::fmt;

use crate::Failure;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The carrier ended the stream, as it does when the caller hangs up.
    CallerHungUp,
    /// The agent ended the call, after its last words were heard.
    AgentHungUp,
    /// Somebody else takes the caller from here on.
    Transferred,
    /// Nobody spoke any more, and the agent had asked.
    Idle,
    /// The carrier's socket broke, or was so far off the protocol that we closed it.
    CarrierLost,
    /// The longest time that the token or the settings allow was over.
    MaxDuration,
    /// The AI leg could not be opened, or died.
    LegFailed(Failure),
    /// The machine had to stop and the grace period was over.
    Drained,
    /// The token gate said no, or the stream belongs to another call than the token.
    Refused(RefusalCode),
    /// The socket opened, and no stream started on it in time.
    NeverStarted,
    /// Our own code failed. The call ends; the others go on.
    Internal,
}

/// A refusal's stable name, such as `token_expired`. The gate has the list; a call only passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RefusalCode(pub &'static str);

impl EndReason {
    /// Whether the caller's line is to end as well, and not only the stream: the agent's own wish. After everything
    /// else the carrier goes on with what the main app told it to do next.
    pub fn hangs_up(&self) -> bool {
        matches!(self, Self::AgentHungUp | Self::Idle)
    }

    /// The name used in metrics, logs and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CallerHungUp => "caller_hung_up",
            Self::AgentHungUp => "agent_hung_up",
            Self::Transferred => "transferred",
            Self::Idle => "idle",
            Self::CarrierLost => "carrier_lost",
            Self::MaxDuration => "max_duration",
            Self::LegFailed(_) => "leg_failed",
            Self::Drained => "drained",
            Self::Refused(_) => "refused",
            Self::NeverStarted => "never_started",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LegFailed(failure) => write!(f, "leg_failed: {failure}"),
            Self::Refused(code) => write!(f, "refused: {}", code.0),
            other => f.write_str(other.name()),
        }
    }
}
