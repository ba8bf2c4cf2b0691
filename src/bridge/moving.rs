//! Who moves a caller whom the agent hands over: the main app, or Twilio at our word?
//!
//! The main app says whether it will dial, and does so when the stream is closed. With a key in the token Twilio is
//! told itself, and closes the stream.

use tracing::{info, warn};

use crate::{
    outward::twilio::{Account, Twilio, Update},
    report::Report,
};

pub(super) enum HandOver {
    ByApp(Report),
    ByTwilio(Line, Update),
}

/// The carrier's call, with the key to change it.
pub(super) struct Line {
    pub twilio: Twilio,
    pub account: Account,
    pub call: String,
}

impl Line {
    /// Whether Twilio did it. When it did not, the log says why, without numbers and keys.
    pub async fn tell(&self, update: &Update) -> bool {
        let what = match update {
            Update::Document(_) => "transfer",
            Update::Completed => "hang_up",
        };
        match self.twilio.update(&self.account, &self.call, update).await {
            Ok(()) => {
                info!(what, "Twilio was told");
                true
            }
            Err(why) => {
                warn!(what, "the call could not be changed: {why}");
                false
            }
        }
    }
}
