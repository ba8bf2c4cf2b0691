//! How many calls this machine has room for.
//!
//! A slot is taken before anything else is done for a call, and is free again when it is dropped, however the
//! call ends. A socket whose token is still to come is provisional: it takes a slot as well (so that a token
//! which turns out to be good is never turned away), but only few may be provisional at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Clones count together.
#[derive(Clone, Debug)]
pub struct Slots {
    calls: Arc<Semaphore>,
    pending: Arc<Semaphore>,
    max_calls: usize,
    max_pending: usize,
}

/// Room for one call.
#[derive(Debug)]
pub struct Slot {
    _call: OwnedSemaphorePermit,
    pending: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Slots {
    pub fn new(max_calls: usize, max_pending: usize) -> Self {
        let semaphore = |room| Arc::new(Semaphore::new(room));
        Self { calls: semaphore(max_calls), pending: semaphore(max_pending), max_calls, max_pending }
    }

    pub fn enter(&self) -> Result<Slot, Full> {
        let call = self.calls.clone().try_acquire_owned().map_err(|_| Full)?;
        Ok(Slot { _call: call, pending: None })
    }

    /// This slot's token is still to come.
    pub fn wait_for_token(&self, slot: &mut Slot) -> Result<(), Full> {
        slot.pending = Some(self.pending.clone().try_acquire_owned().map_err(|_| Full)?);
        Ok(())
    }

    pub fn is_full(&self) -> bool {
        self.calls.available_permits() == 0
    }

    /// Calls with a good token, or about to be told that theirs is not.
    pub fn active(&self) -> usize {
        let taken = self.max_calls - self.calls.available_permits();
        taken.saturating_sub(self.max_pending - self.pending.available_permits())
    }
}

impl Slot {
    /// The token came and is good: from now on this is a call like any other.
    pub fn confirm(&mut self) {
        self.pending = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_when_it_is_dropped() {
        let slots = Slots::new(1, 1);
        let slot = slots.enter().unwrap();
        assert!(slots.is_full() && slots.enter().is_err());
        drop(slot);
        assert!(slots.enter().is_ok());
    }

    #[test]
    fn few_may_wait_for_their_token_and_none_of_them_counts_as_a_call() {
        let slots = Slots::new(3, 1);
        let (mut first, mut second) = (slots.enter().unwrap(), slots.enter().unwrap());
        slots.wait_for_token(&mut first).unwrap();
        assert_eq!(slots.wait_for_token(&mut second), Err(Full));
        assert_eq!(slots.active(), 1);
        first.confirm();
        assert_eq!(slots.active(), 2);
        slots.wait_for_token(&mut second).unwrap();
    }
}
