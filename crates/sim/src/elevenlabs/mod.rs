//! A pretend ElevenLabs: its voice on the multi-context socket, µ-law at 8 kHz.
//!
//! What it says can be computed ([`crate::deepgram::audio_of`]), everything a client does wrong is counted, and a
//! bad key is told as the real one tells it: after a good upgrade. A test finds a call's socket by its key.

mod door;
mod speak;

use crate::{
    Waited,
    deepgram::{PartEnd, Speak, Utterance},
    waited,
};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

const MAX_REMEMBERED: usize = 20_000;

#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    pub speak: Speak,
    /// Name and words of the error that comes instead of everything.
    pub error: Option<(String, String)>,
    pub latency: Duration,
}

/// A running service. Dropping it cuts every connection.
#[derive(Debug)]
pub struct ElevenLabs {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    by_key: Mutex<HashMap<String, Behaviour>>,
    voices: watch::Sender<Vec<Voice>>,
    stop: CancellationToken,
}

/// One client's socket, alive or over.
#[derive(Clone, Debug)]
pub struct Voice {
    key: String,
    ledger: watch::Receiver<VoiceLedger>,
}

#[derive(Clone, Debug, Default)]
pub struct VoiceLedger {
    pub path: String,
    pub query: Vec<(String, String)>,
    /// What was to be said in each context, oldest first.
    pub utterances: Vec<Utterance>,
    /// The most contexts that were open at once.
    pub most_open: usize,
    pub violations: Vec<String>,
    pub end: Option<PartEnd>,
}

impl VoiceLedger {
    fn violation(&mut self, what: impl Into<String>) {
        if self.violations.len() < 100 {
            self.violations.push(what.into());
        }
    }
}

impl ElevenLabs {
    /// Listens on a free port of the loopback interface.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            by_key: Mutex::default(),
            voices: watch::Sender::new(Vec::new()),
            stop: CancellationToken::new(),
        });
        tokio::spawn(door::accept_all(listener, shared.clone()));
        Ok(Self { address, shared })
    }

    /// What to set as `ELEVENLABS_BASE_URL`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// From now on sockets with this key behave so.
    pub fn behave(&self, key: &str, behaviour: Behaviour) {
        lock(&self.shared.by_key).insert(key.to_owned(), behaviour);
    }

    pub fn voices(&self) -> Vec<Voice> {
        self.shared.voices.borrow().clone()
    }

    /// Waits for the socket with this key that comes after `before` others.
    pub async fn voice(&self, key: &str, before: usize, limit: Duration) -> Result<Voice, Waited> {
        let of_key = |all: &Vec<Voice>| all.iter().filter(|one| one.key == key).nth(before).cloned();
        waited::wait_until(&self.shared.voices.subscribe(), limit, of_key).await
    }

    pub fn violations(&self) -> Vec<String> {
        self.voices().into_iter().flat_map(|voice| voice.look(|ledger| ledger.violations.clone())).collect()
    }
}

impl Drop for ElevenLabs {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Voice {
    pub fn look<T>(&self, look: impl FnOnce(&VoiceLedger) -> T) -> T {
        look(&self.ledger.borrow())
    }

    pub async fn until(&self, is_so: impl Fn(&VoiceLedger) -> bool, limit: Duration) -> Result<(), Waited> {
        waited::wait_until(&self.ledger, limit, |ledger| is_so(ledger).then_some(())).await
    }
}

/// A panic elsewhere must not take the service down.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
