//! Where a carrier's socket and an AI leg meet.
//!
//! The exchange is what all calls share: the token gate, the way to the providers, the numbers. Each call is
//! one [`task`] that owns its two sockets and obeys its [`call::Call`].

mod alarm;
mod carrier;
mod cascade;
mod desk;
mod former;
mod leg;
mod mind;
mod moving;
mod observer;
mod open;
mod order;
pub mod rehearsal;
mod switchboard;
mod task;
mod tools;
mod wired;

use std::sync::Arc;

use self::observer::Watchers;
pub use self::observer::{News, What};
use crate::{
    costs::Prices,
    drain::Lifecycle,
    gate::{Gate, fetch::Fetcher},
    metrics::Metrics,
    outward::{dial::Dialer, requests::Clients, twilio::Twilio, webhooks::Webhooks},
    recording::Recordings,
    report::Reports,
};

/// What all calls share. Clones are the same exchange.
#[derive(Clone, Debug)]
pub struct Exchange(Arc<Shared>);

pub struct Shared {
    pub gate: Gate,
    pub fetcher: Fetcher,
    pub dialer: Dialer,
    pub clients: Clients,
    pub webhooks: Arc<Webhooks>,
    pub twilio: Twilio,
    pub reports: Reports,
    /// What the providers take for what.
    pub prices: Arc<Prices>,
    pub recordings: Recordings,
    /// Where this machine is, and which it is.
    pub here: Here,
    pub metrics: Arc<Metrics>,
    pub lifecycle: Lifecycle,
    pub watchers: Watchers,
}

/// Region and name of this machine, where the platform says so.
#[derive(Clone, Debug, Default)]
pub struct Here {
    pub region: Option<String>,
    pub machine: Option<String>,
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
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("calls", &self.lifecycle.calls.len()).finish_non_exhaustive()
    }
}
