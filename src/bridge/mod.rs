//! Where a carrier's socket and an AI leg meet.
//!
//! The exchange is what all calls share: the token gate, the way to the providers, the numbers. Each call is
//! one [`task`] that owns its two sockets and obeys its [`call::Call`].

mod alarm;
mod carrier;
mod desk;
mod leg;
mod observer;
mod order;
mod switchboard;
mod task;

use std::{sync::Arc, time::Duration};

use call::{Failure, FailureKind, Turns, echo::Echo};
use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use secrecy::ExposeSecret;
use wire::openai::{self, Session};

pub use self::observer::{News, What};
use self::{
    leg::{Leg, OpenAi},
    observer::Watchers,
};
use crate::{
    drain::Lifecycle,
    gate::{
        Config, Gate,
        config::{self, Auth, OpenAiLeg},
        fetch::Fetcher,
    },
    metrics::Metrics,
    outward::dial::{DialError, Dialer},
};

/// What all calls share. Clones are the same exchange.
#[derive(Clone, Debug)]
pub struct Exchange(Arc<Shared>);

pub struct Shared {
    pub gate: Gate,
    pub fetcher: Fetcher,
    pub dialer: Dialer,
    pub metrics: Arc<Metrics>,
    pub lifecycle: Lifecycle,
    pub watchers: Watchers,
}

impl std::ops::Deref for Exchange {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Exchange {
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Everything calls have to tell from now on, for tools that run in the same process.
    pub fn watch(&self) -> tokio::sync::broadcast::Receiver<News> {
        self.watchers.subscribe()
    }

    /// A new name for a call.
    fn name(&self) -> Arc<str> {
        let mut bits = [0_u8; 16];
        aws_lc_rs::rand::fill(&mut bits).expect("the system gives random bytes");
        bits.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
    }

    /// Opens the leg that the token asks for. A leg that needs a connection is dialled in the background.
    fn open_leg(&self, config: &Arc<Config>, turns: Turns) -> Leg {
        match &config.legs[0] {
            config::Leg::Echo(echo) => Leg::Echo(Box::new(Echo::new(echo.pause, turns))),
            config::Leg::OpenAi(leg) => {
                let setup = order::for_openai(config, leg, turns);
                let url = format!("{}{}", leg.base_url, openai::path_and_query(&leg.model));
                let (dialer, headers) = (self.dialer.clone(), credentials(leg));
                Leg::Dialling(Box::pin(async move {
                    let socket = dialer.dial(&url, headers?, DIAL).await.map_err(failure)?;
                    Ok(OpenAi::new(Session::new(setup), socket))
                }))
            }
        }
    }
}

/// The key goes where this provider looks for it, and is marked so that no log shows it.
fn credentials(leg: &OpenAiLeg) -> Result<HeaderMap, Failure> {
    let key = leg.key.expose_secret();
    let (name, text) = match leg.auth {
        Auth::Bearer => (AUTHORIZATION, format!("Bearer {key}")),
        Auth::ApiKey => (HeaderName::from_static("api-key"), key.to_owned()),
    };
    let detail = "the key holds characters that no key has";
    let mut value = HeaderValue::try_from(text).map_err(|_| Failure {
        provider: "openai",
        kind: FailureKind::BadKey,
        detail: detail.into(),
    })?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(name, value)]))
}

fn failure(error: DialError) -> Failure {
    let kind = match &error {
        DialError::Refused { status, body } => return openai::refused(status.as_u16(), body),
        DialError::Slow => FailureKind::NotReady,
        DialError::Handshake(_) | DialError::Http(_) => FailureKind::Nonsense,
        DialError::Address(_) | DialError::Connect(_) | DialError::Tls(_) => FailureKind::Unreachable,
    };
    Failure { provider: "openai", kind, detail: error.to_string().into() }
}

/// Shorter than the call's own patience with a leg, so that the reason is the dial's and not the clock's.
const DIAL: Duration = Duration::from_secs(4);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("calls", &self.lifecycle.calls.len()).finish_non_exhaustive()
    }
}
