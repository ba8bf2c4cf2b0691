//! A pretend Deepgram: Flux and Nova listen, Aura and Flux speak. µ-law at 8 kHz, WebSockets only.
//!
//! What it recognises is scripted, and what it says can be computed, so that a whole conversation can be asserted
//! word by word. Everything a client does wrong is counted. A test gives each call its own key and finds the call's
//! connections by that key.

mod aura;
mod behaviour;
mod door;
mod flux_voice;
mod ledger;
mod listen;
mod sound;
mod strict;

pub use behaviour::{Behaviour, Listen, ListenWhen, Speak, SpeakWhen, Trouble};
pub use ledger::{Interruption, ListenLedger, PartEnd, SpeakLedger, Utterance};
pub use sound::audio_of;

use crate::{Waited, accept, waited};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

/// Connections remembered, finished ones included; the oldest are forgotten.
const MAX_REMEMBERED: usize = 20_000;

#[derive(Clone, Debug, Default)]
pub struct DeepgramOptions {
    /// For every connection whose key has no behaviour of its own.
    pub behaviour: Behaviour,
}

/// A running service. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Deepgram {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: DeepgramOptions,
    by_key: Mutex<HashMap<String, Behaviour>>,
    /// Cut short for one key.
    stops: Mutex<HashMap<String, CancellationToken>>,
    listeners: watch::Sender<Vec<Part<ListenLedger>>>,
    speakers: watch::Sender<Vec<Part<SpeakLedger>>>,
    stop: CancellationToken,
}

/// One client's connection, alive or over.
#[derive(Clone)]
pub struct Part<L> {
    key: String,
    ledger: watch::Receiver<L>,
}

impl Deepgram {
    /// Listens on a free port of the loopback interface.
    pub async fn start(options: DeepgramOptions) -> std::io::Result<Self> {
        Self::serve(TcpListener::bind(("127.0.0.1", 0)).await?, options)
    }

    pub fn serve(listener: TcpListener, options: DeepgramOptions) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            options,
            by_key: Mutex::default(),
            stops: Mutex::default(),
            listeners: watch::Sender::new(Vec::new()),
            speakers: watch::Sender::new(Vec::new()),
            stop: CancellationToken::new(),
        });
        let (service, stop) = (shared.clone(), shared.stop.clone());
        tokio::spawn(accept::all(listener, stop, move |tcp| door::welcome(tcp, service.clone())));
        Ok(Self { address, shared })
    }

    /// What to set as `DEEPGRAM_BASE_URL`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// From now on connections with this key behave so.
    pub fn behave(&self, key: &str, behaviour: Behaviour) {
        lock(&self.shared.by_key).insert(key.to_owned(), behaviour);
    }

    /// An outage for this key: its connections break, and it gets no new ones.
    pub fn die(&self, key: &str) {
        let refuse = Some((503, r#"{"err_code":"UNAVAILABLE","err_msg":"Service unavailable."}"#.to_owned()));
        self.behave(key, Behaviour { refuse, ..Behaviour::default() });
        self.shared.stop_of(key).cancel();
    }

    /// All connections for listening so far, oldest first.
    pub fn listeners(&self) -> Vec<Part<ListenLedger>> {
        self.shared.listeners.borrow().clone()
    }

    pub fn speakers(&self) -> Vec<Part<SpeakLedger>> {
        self.shared.speakers.borrow().clone()
    }

    /// Waits for the connection with this key that comes after `before` others.
    pub async fn listener(
        &self,
        key: &str,
        before: usize,
        limit: Duration,
    ) -> Result<Part<ListenLedger>, Waited> {
        nth(&self.shared.listeners.subscribe(), key, before, limit).await
    }

    pub async fn speaker(
        &self,
        key: &str,
        before: usize,
        limit: Duration,
    ) -> Result<Part<SpeakLedger>, Waited> {
        nth(&self.shared.speakers.subscribe(), key, before, limit).await
    }

    /// Every violation of every connection.
    pub fn violations(&self) -> Vec<String> {
        let heard =
            self.listeners().into_iter().flat_map(|part| part.look(|ledger| ledger.violations.clone()));
        let said = self.speakers().into_iter().flat_map(|part| part.look(|ledger| ledger.violations.clone()));
        heard.chain(said).collect()
    }
}

async fn nth<L: Clone + std::fmt::Debug>(
    parts: &watch::Receiver<Vec<Part<L>>>,
    key: &str,
    before: usize,
    limit: Duration,
) -> Result<Part<L>, Waited> {
    let of_key = |all: &Vec<Part<L>>| all.iter().filter(|one| one.key == key).nth(before).cloned();
    waited::wait_until(parts, limit, of_key).await
}

impl Drop for Deepgram {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl<L: std::fmt::Debug> Part<L> {
    /// Looks at the ledger as it is now.
    pub fn look<T>(&self, look: impl FnOnce(&L) -> T) -> T {
        look(&self.ledger.borrow())
    }

    pub async fn until(&self, is_so: impl Fn(&L) -> bool, limit: Duration) -> Result<(), Waited> {
        waited::wait_until(&self.ledger, limit, |ledger| is_so(ledger).then_some(())).await
    }

    pub fn key_is(&self, key: &str) -> bool {
        self.key == key
    }
}

impl<L: std::fmt::Debug> std::fmt::Debug for Part<L> {
    /// Without the key: somebody may have used a real one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("ledger", &*self.ledger.borrow()).finish_non_exhaustive()
    }
}

impl Shared {
    fn behaviour_for(&self, key: &str) -> Behaviour {
        lock(&self.by_key).get(key).cloned().unwrap_or_else(|| self.options.behaviour.clone())
    }

    fn stop_of(&self, key: &str) -> CancellationToken {
        let mut stops = lock(&self.stops);
        stops.entry(key.to_owned()).or_insert_with(|| self.stop.child_token()).clone()
    }
}

fn remember<L>(all: &watch::Sender<Vec<Part<L>>>, key: &str, ledger: watch::Receiver<L>) {
    all.send_modify(|all| {
        if all.len() >= MAX_REMEMBERED {
            all.remove(0);
        }
        all.push(Part { key: key.to_owned(), ledger });
    });
}

/// A panic elsewhere must not take the service down.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
