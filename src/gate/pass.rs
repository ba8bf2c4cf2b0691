//! A token that was let in: who sent it, for which call, and with what configuration.
//!
//! A pass opened before the upgrade is not yet bound to a call: the carrier names its call only in `start`.
//! So ask [`Pass::bound_to`] when it does, and mark the pass as used with [`super::Gate::admit`] then.

use std::{fmt, sync::Arc, time::SystemTime};

use secrecy::SecretString;

use super::{
    Rules,
    config::Config,
    fetch::{Fetcher, Reference},
    refusal::{Code, Refusal},
};

pub struct Pass {
    /// The main app.
    pub iss: String,
    /// The token's own name.
    pub jti: Option<String>,
    /// The key it was signed or sealed with.
    pub kid: Option<String>,
    /// The carrier's call id that the token is for.
    pub sub: Option<String>,
    /// The carrier's account.
    pub acct: Option<String>,
    pub sealed: bool,
    /// In which region the call should be taken.
    pub region: Option<String>,
    /// Until when the token can be presented again.
    pub(super) until: SystemTime,
    pub(super) source: Option<Source>,
    pub(super) rules: Arc<Rules>,
}

pub(super) enum Source {
    Here(Box<Config>),
    /// To be fetched, with the token as the proof of who asks.
    There {
        reference: Reference,
        token: SecretString,
    },
}

impl Pass {
    /// Whether the call that came is the one the token was made for. A carrier that names no call leaves that to the
    /// token: it is short-lived, and used once.
    pub fn bound_to(&self, started: &call::Started) -> Result<(), Refusal> {
        if self.sub.as_ref().is_some_and(|sub| !started.unnamed && *sub != started.call_id) {
            let text = "the token was made for another call: `sub` must be the id of the call that is being answered";
            return Err(self.refuse(Code::TokenOtherCall, text).at("sub"));
        }
        if self.acct.is_some() && self.acct != started.account_id {
            let text = "the token was made for another account: `acct` must be the carrier's account id";
            return Err(self.refuse(Code::TokenOtherAccount, text).at("acct"));
        }
        Ok(())
    }

    /// The region the call should be taken in, when that is not ours.
    pub fn elsewhere(&self) -> Option<&str> {
        let wanted = self.region.as_deref()?;
        let own = self.rules.region.as_deref()?;
        (wanted != own).then_some(wanted)
    }

    /// Whether [`Pass::config`] has to fetch.
    pub fn is_by_reference(&self) -> bool {
        matches!(self.source, Some(Source::There { .. }))
    }

    /// The call's configuration, which can be taken once. One that the token only points to is fetched here:
    /// that takes up to 3 s.
    pub async fn take_config(&mut self, fetcher: &Fetcher) -> Result<Config, Refusal> {
        match self.source.take().expect("a pass has one configuration, and it is taken once") {
            Source::Here(config) => Ok(*config),
            Source::There { reference, token } => {
                let json = fetcher.fetch(&self.iss, &reference, &token).await;
                json.and_then(|json| super::referenced(&json, &self.rules, self.acct.as_deref()))
                    .map_err(|refusal| refusal.of(Some(&self.iss), self.jti.as_deref(), self.kid.as_deref()))
            }
        }
    }

    pub(super) fn refuse(&self, code: Code, text: &str) -> Refusal {
        Refusal::new(code, text).of(Some(&self.iss), self.jti.as_deref(), self.kid.as_deref())
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass")
            .field("iss", &self.iss)
            .field("jti", &self.jti)
            .field("kid", &self.kid)
            .field("sub", &self.sub)
            .field("acct", &self.acct)
            .field("sealed", &self.sealed)
            .field("region", &self.region)
            .field("by_reference", &self.is_by_reference())
            .finish_non_exhaustive()
    }
}
