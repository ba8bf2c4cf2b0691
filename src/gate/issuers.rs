//! Whom we have told that their tokens should be sealed.
//!
//! Once for each issuer and not for each call: a warning that repeats is one that nobody reads.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use super::refusal::printable;

#[derive(Default)]
pub(super) struct Issuers {
    told: Mutex<HashSet<String>>,
}

impl Issuers {
    pub fn warn_once(&self, iss: &str) {
        if self.is_new(iss) {
            tracing::warn!(
                iss = printable(iss, 128),
                "call tokens of this app carry keys or secrets unsealed: the carrier stores and shows them. Seal them"
            );
        }
    }

    fn is_new(&self, iss: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // When there are too many to remember, the rest goes without a warning.
        told.len() < MOST && told.insert(iss.to_owned())
    }
}

const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_issuer_is_told_once_and_not_everybody_is_remembered() {
        let issuers = Issuers::default();
        assert!(issuers.is_new("a") && issuers.is_new("b") && !issuers.is_new("a"));
        for n in 0..1_000 {
            issuers.is_new(&n.to_string());
        }
        assert_eq!(issuers.told.lock().unwrap().len(), MOST);
    }
}
