//! A pretend ElevenLabs: its voice on the multi-context socket, and Scribe, which listens. µ-law at 8 kHz.
//!
//! What it recognises is scripted and what it says can be computed ([`crate::deepgram::audio_of`]), everything a
//! client does wrong is counted, and a bad key is told as the real one tells it: after a good upgrade. A test finds a
//! call's sockets by their key.

mod door;
mod scribe;
mod speak;

use crate::{
    Waited, accept,
    deepgram::{ListenWhen, PartEnd, Speak, Trouble, Utterance},
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
    pub listen: Listening,
    /// Name and words of the error that comes instead of everything.
    pub error: Option<(String, String)>,
    pub latency: Duration,
}

/// What Scribe hears.
#[derive(Clone, Debug)]
pub struct Listening {
    /// The words of each segment with speech in it, in order.
    pub hears: Vec<String>,
    /// For segments after those.
    pub fallback: String,
    /// From a commit to its transcript.
    pub committed_after: Duration,
    pub troubles: Vec<(ListenWhen, Trouble)>,
}

impl Default for Listening {
    fn default() -> Self {
        Self {
            hears: Vec::new(),
            fallback: "Hello?".to_owned(),
            committed_after: Duration::from_millis(30),
            troubles: Vec::new(),
        }
    }
}

/// A running service. Dropping it cuts every connection.
#[derive(Debug)]
pub struct ElevenLabs {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    usual: Mutex<Behaviour>,
    by_key: Mutex<HashMap<String, Behaviour>>,
    voices: watch::Sender<Vec<Voice>>,
    listeners: watch::Sender<Vec<Ear>>,
    stop: CancellationToken,
}

/// One client's socket, alive or over.
#[derive(Clone, Debug)]
pub struct Part<L> {
    key: String,
    ledger: watch::Receiver<L>,
}

pub type Voice = Part<VoiceLedger>;
pub type Ear = Part<ScribeLedger>;

#[derive(Clone, Debug, Default)]
pub struct ScribeLedger {
    pub query: Vec<(String, String)>,
    /// Sound that was heard.
    pub heard: Duration,
    pub commits: usize,
    /// The segments with speech in them, as they were told.
    pub turns: Vec<String>,
    pub violations: Vec<String>,
    pub end: Option<PartEnd>,
}

#[derive(Clone, Debug, Default)]
pub struct VoiceLedger {
    pub path: String,
    pub query: Vec<(String, String)>,
    /// What was to be said in each context, oldest first.
    pub utterances: Vec<Utterance>,
    /// All that it was given to say, and is paid for; without the space that opens a context.
    pub characters: u64,
    /// The most contexts that were open at once.
    pub most_open: usize,
    pub violations: Vec<String>,
    pub end: Option<PartEnd>,
}

macro_rules! violations {
    ($ledger:ty) => {
        impl $ledger {
            fn violation(&mut self, what: impl Into<String>) {
                if self.violations.len() < MOST_VIOLATIONS {
                    self.violations.push(what.into());
                }
            }
        }
    };
}

violations!(VoiceLedger);
violations!(ScribeLedger);

/// More tell nothing new.
const MOST_VIOLATIONS: usize = 100;

impl ElevenLabs {
    /// Listens on a free port of the loopback interface.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            usual: Mutex::default(),
            by_key: Mutex::default(),
            voices: watch::Sender::new(Vec::new()),
            listeners: watch::Sender::new(Vec::new()),
            stop: CancellationToken::new(),
        });
        let (service, stop) = (shared.clone(), shared.stop.clone());
        tokio::spawn(accept::all(listener, stop, move |tcp| door::welcome(tcp, service.clone())));
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

    /// The same for all whose key has no behaviour of its own.
    pub fn behave_all(&self, behaviour: Behaviour) {
        *lock(&self.shared.usual) = behaviour;
    }

    pub fn voices(&self) -> Vec<Voice> {
        self.shared.voices.borrow().clone()
    }

    /// Waits for the socket with this key that comes after `before` others.
    pub async fn voice(&self, key: &str, before: usize, limit: Duration) -> Result<Voice, Waited> {
        nth(&self.shared.voices, key, before, limit).await
    }

    pub fn listeners(&self) -> Vec<Ear> {
        self.shared.listeners.borrow().clone()
    }

    /// The same for Scribe's.
    pub async fn listener(&self, key: &str, before: usize, limit: Duration) -> Result<Ear, Waited> {
        nth(&self.shared.listeners, key, before, limit).await
    }

    pub fn violations(&self) -> Vec<String> {
        let said = self.voices().into_iter().flat_map(|voice| voice.look(|ledger| ledger.violations.clone()));
        let heard = self.listeners().into_iter().flat_map(|ear| ear.look(|ledger| ledger.violations.clone()));
        said.chain(heard).collect()
    }
}

impl Drop for ElevenLabs {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

async fn nth<L: Clone + std::fmt::Debug>(
    parts: &watch::Sender<Vec<Part<L>>>,
    key: &str,
    before: usize,
    limit: Duration,
) -> Result<Part<L>, Waited> {
    let of_key = |all: &Vec<Part<L>>| all.iter().filter(|one| one.key == key).nth(before).cloned();
    waited::wait_until(&parts.subscribe(), limit, of_key).await
}

fn remember<L>(parts: &watch::Sender<Vec<Part<L>>>, key: String, ledger: watch::Receiver<L>) {
    parts.send_modify(|all| {
        if all.len() >= MAX_REMEMBERED {
            all.remove(0);
        }
        all.push(Part { key, ledger });
    });
}

impl<L: std::fmt::Debug> Part<L> {
    pub fn look<T>(&self, look: impl FnOnce(&L) -> T) -> T {
        look(&self.ledger.borrow())
    }

    pub async fn until(&self, is_so: impl Fn(&L) -> bool, limit: Duration) -> Result<(), Waited> {
        waited::wait_until(&self.ledger, limit, |ledger| is_so(ledger).then_some(())).await
    }
}

/// A panic elsewhere must not take the service down.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
