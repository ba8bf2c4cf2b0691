//! A pretend OpenAI Realtime service: the generally available protocol over WebSocket, µ-law only.
//!
//! It is stricter than the real one: everything a client does wrong is answered as the service would, and also counted.
//! A test gives each call its own key and finds the call's connection by that key.

mod behaviour;
mod client;
mod connection;
mod conversation;
mod ear;
mod ledger;
mod reply;
mod respond;
mod session;
mod shapes;
pub(crate) mod strict;
mod turns;
mod upgrade;

pub use behaviour::{Behaviour, ConnectError, Ending, Faults, Part, Pieces, Reply, What, When};
pub use ledger::{ItemNote, Ledger, LegEnd, ResponseNote, StartedBy, Truncation};

use crate::{Headers, Waited, accept, probe::Probe, waited};
use connection::Order;
use rustls::ServerConfig;
use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

/// Connections remembered, finished ones included; the oldest are forgotten.
const MAX_REMEMBERED: usize = 20_000;
const MAX_ORDERS: usize = 256;

/// How the service is run.
#[derive(Clone, Debug, Default)]
pub struct OpenAiOptions {
    /// For every connection whose key has no behaviour of its own.
    pub behaviour: Behaviour,
    /// Keys that are accepted; `None` accepts all that do not contain `invalid`.
    pub keys: Option<Vec<String>>,
    /// Stamps marked frames in [`Behaviour::echo`] mode.
    pub probe: Option<Arc<Probe>>,
    /// Serves `wss`.
    pub tls: Option<Arc<ServerConfig>>,
}

/// A running service. Dropping it cuts every connection.
#[derive(Debug)]
pub struct OpenAi {
    pub address: SocketAddr,
    secure: bool,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: OpenAiOptions,
    by_key: Mutex<HashMap<String, VecDeque<Behaviour>>>,
    /// Cut short for one key.
    stops: Mutex<HashMap<String, CancellationToken>>,
    connections: watch::Sender<Vec<Connection>>,
    stop: CancellationToken,
}

/// One client's connection, alive or over.
#[derive(Clone)]
pub struct Connection {
    key: String,
    ledger: watch::Receiver<Ledger>,
    orders: mpsc::Sender<Order>,
}

impl OpenAi {
    /// Listens on a free port of the loopback interface.
    pub async fn start(options: OpenAiOptions) -> std::io::Result<Self> {
        Self::serve(TcpListener::bind(("127.0.0.1", 0)).await?, options)
    }

    pub fn serve(listener: TcpListener, options: OpenAiOptions) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let secure = options.tls.is_some();
        let shared = Arc::new(Shared {
            options,
            by_key: Mutex::default(),
            stops: Mutex::default(),
            connections: watch::Sender::new(Vec::new()),
            stop: CancellationToken::new(),
        });
        let (service, stop) = (shared.clone(), shared.stop.clone());
        tokio::spawn(accept::all(listener, stop, move |tcp| upgrade::welcome(tcp, service.clone())));
        Ok(Self { address, secure, shared })
    }

    /// What to set as `OPENAI_BASE_URL`.
    pub fn base_url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}/v1", self.address)
    }

    /// From now on connections with this key behave so.
    pub fn behave(&self, key: &str, behaviour: Behaviour) {
        self.behave_in_turn(key, [behaviour]);
    }

    /// The first connection with this key behaves as the first says, and so on; the last stays.
    pub fn behave_in_turn(&self, key: &str, behaviours: impl IntoIterator<Item = Behaviour>) {
        lock(&self.shared.by_key).insert(key.to_owned(), behaviours.into_iter().collect());
    }

    /// An outage for this key: its connections break, and it gets no new ones.
    pub fn die(&self, key: &str) {
        let body = r#"{"error":{"message":"Service unavailable.","type":"server_error","code":null}}"#;
        let refuse_upgrade = Some((503, Headers::new(), body.to_owned()));
        self.behave(key, Behaviour::default().faults(Faults { refuse_upgrade, ..Faults::default() }));
        self.shared.stop_of(key).cancel();
    }

    /// All connections so far, oldest first.
    pub fn connections(&self) -> Vec<Connection> {
        self.shared.connections.borrow().clone()
    }

    /// Waits for the first connection with this key.
    pub async fn connection(&self, key: &str, limit: Duration) -> Result<Connection, Waited> {
        self.nth_connection(key, 0, limit).await
    }

    /// Waits for the connection with this key that comes after `before` others.
    pub async fn nth_connection(
        &self,
        key: &str,
        before: usize,
        limit: Duration,
    ) -> Result<Connection, Waited> {
        let of_key = |all: &Vec<Connection>| all.iter().filter(|one| one.key == key).nth(before).cloned();
        waited::wait_until(&self.shared.connections.subscribe(), limit, of_key).await
    }

    /// Every violation of every connection.
    pub fn violations(&self) -> Vec<String> {
        self.connections().iter().flat_map(|one| one.look(|ledger| ledger.violations.clone())).collect()
    }

    /// Cuts every connection and takes no more.
    pub fn stop(&self) {
        self.shared.stop.cancel();
    }
}

impl Drop for OpenAi {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Connection {
    /// Looks at the ledger as it is now.
    pub fn look<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.ledger.borrow())
    }

    pub async fn until(&self, is_so: impl Fn(&Ledger) -> bool, limit: Duration) -> Result<(), Waited> {
        self.when(|ledger| is_so(ledger).then_some(()), limit).await
    }

    pub async fn when<T>(&self, ask: impl FnMut(&Ledger) -> Option<T>, limit: Duration) -> Result<T, Waited> {
        waited::wait_until(&self.ledger, limit, ask).await
    }

    pub async fn ended(&self, limit: Duration) -> Result<LegEnd, Waited> {
        self.when(|ledger| ledger.end.clone(), limit).await
    }

    /// Makes something happen now; ignored when the connection is over.
    pub fn make(&self, what: What) {
        let _ = self.orders.try_send(Order::Do(what));
    }

    /// Said before the fallback is.
    pub fn add_reply(&self, reply: Reply) {
        let _ = self.orders.try_send(Order::Reply(reply));
    }

    pub fn key_is(&self, key: &str) -> bool {
        self.key == key
    }
}

impl std::fmt::Debug for Connection {
    /// Without the key: somebody may have used a real one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("ledger", &*self.ledger.borrow()).finish_non_exhaustive()
    }
}

impl Shared {
    fn stop_of(&self, key: &str) -> CancellationToken {
        let mut stops = lock(&self.stops);
        stops.entry(key.to_owned()).or_insert_with(|| self.stop.child_token()).clone()
    }

    fn behaviour_for(&self, key: &str) -> Behaviour {
        let mut by_key = lock(&self.by_key);
        match by_key.get_mut(key) {
            Some(queue) if queue.len() > 1 => queue.pop_front().unwrap_or_default(),
            Some(queue) => queue.front().cloned().unwrap_or_default(),
            None => self.options.behaviour.clone(),
        }
    }

    fn remember(&self, connection: Connection) {
        self.connections.send_modify(|all| {
            if all.len() >= MAX_REMEMBERED {
                all.remove(0);
            }
            all.push(connection);
        });
    }
}

/// A panic elsewhere must not take the service down.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
