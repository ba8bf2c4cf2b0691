//! Legs that another one has replaced: they say goodbye behind the call's back.
//!
//! Nothing that they still say is heard. One that does not close in time is dropped.

use std::{
    task::Context,
    time::{Duration, Instant},
};

use super::leg::Leg;

#[derive(Debug, Default)]
pub(super) struct Former {
    /// The last one, and since when. An older one has had its time.
    leaving: Option<(Leg, Instant)>,
    dropped: u64,
    high_water: usize,
}

impl Former {
    /// It has heard its last word.
    pub fn leaves(&mut self, leg: Leg, now: Instant) {
        self.dropped += leg.dropped();
        self.high_water = self.high_water.max(leg.high_water());
        self.leaving = (!matches!(leg, Leg::None)).then_some((leg, now));
    }

    pub fn poll(&mut self, cx: &mut Context<'_>, now: Instant) {
        if let Some((leg, since)) = &mut self.leaving
            && (leg.poll_closed(cx).is_ready() || now >= *since + GOODBYE)
        {
            self.leaving = None;
        }
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn high_water(&self) -> usize {
        self.high_water
    }
}

/// As long as at the end of a call. Looked at with each frame of the caller.
const GOODBYE: Duration = Duration::from_secs(1);
