//! Which tokens this machine has already taken a call with.
//!
//! Only this machine: the relay shares nothing between machines, so this stops the cheap replay and not
//! every one. That is what binding to the call is for. Only tokens that were let in are remembered, so a
//! stranger cannot fill it.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use aws_lc_rs::digest;

use super::{
    pass::Pass,
    refusal::{Code, Refusal},
};

#[derive(Debug)]
pub struct Seen {
    most: usize,
    tokens: Mutex<Tokens>,
}

type Name = [u8; 32];

#[derive(Debug, Default)]
struct Tokens {
    names: HashSet<Name>,
    by_end: BTreeSet<(SystemTime, Name)>,
}

impl Seen {
    /// Remembers up to `most` tokens. When there are more, those that expire first are forgotten.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), tokens: Mutex::default() }
    }

    /// Marks the token as used, or refuses it because it was. A token without `jti` cannot be told apart.
    pub fn admit(&self, pass: &Pass, now: SystemTime) -> Result<(), Refusal> {
        let Some(jti) = &pass.jti else { return Ok(()) };
        let name = name(&pass.iss, jti);
        // A thread that panicked in here left nothing half done that would matter.
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.forget_until(now);
        if !tokens.names.insert(name) {
            let text =
                "this token was already used on this machine: make one for each call, with its own `jti`";
            return Err(pass.refuse(Code::TokenReplayed, text).at("jti"));
        }
        tokens.by_end.insert((pass.until, name));
        while tokens.names.len() > self.most {
            tokens.forget_first();
        }
        Ok(())
    }
}

impl Default for Seen {
    /// 150 new calls a second for the 15 minutes that a token can live, at about 200 bytes each.
    fn default() -> Self {
        Self::new(131_072)
    }
}

impl Tokens {
    fn forget_until(&mut self, now: SystemTime) {
        while self.by_end.first().is_some_and(|(until, _)| *until <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, name)) = self.by_end.pop_first() {
            self.names.remove(&name);
        }
    }
}

/// Of one size, whatever the token says.
fn name(iss: &str, jti: &str) -> Name {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(&(iss.len() as u64).to_be_bytes());
    hash.update(iss.as_bytes());
    hash.update(jti.as_bytes());
    let mut name = [0; 32];
    name.copy_from_slice(hash.finish().as_ref());
    name
}
