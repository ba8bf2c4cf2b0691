//! A pretend chat-completions service, as Groq and OpenAI have it: server-sent events over HTTP/1.1 with keep-alive.
//!
//! It is stricter than the real ones: everything a client does wrong is counted, and refused where they would refuse
//! it. A test gives each call its own key and finds the call's requests by that key.

mod behaviour;
mod body;
mod chunks;
mod client;
mod connection;
mod faults;
mod ledger;
mod pick;
mod plan;
mod route;
mod rules;
mod shapes;
mod sse;
mod stream;

pub use behaviour::{Answer, Behaviour, ErrorForm, Fault, ToolCall};
pub use ledger::{End, Ledger, Request};

use crate::{Waited, accept, waited};
use ledger::Requests;
use pick::Picks;
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

/// What `GET .../models` lists; every other model is unknown.
pub const MODELS: [&str; 3] = ["openai/gpt-oss-20b", "openai/gpt-oss-120b", "gpt-6-luna"];

const MAX_VIOLATIONS: usize = 2048;
const MAX_VIOLATION: usize = 1000;

/// How the service is run.
#[derive(Clone, Debug)]
pub struct ChatOptions {
    /// For every key that has no behaviour of its own.
    pub behaviour: Behaviour,
    /// A connection on which nothing is asked for so long is closed.
    pub idle: Duration,
}

impl Default for ChatOptions {
    fn default() -> Self {
        Self { behaviour: Behaviour::default(), idle: Duration::from_secs(90) }
    }
}

/// A running service. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Chat {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: ChatOptions,
    picks: Mutex<Picks>,
    requests: watch::Sender<Requests>,
    violations: Mutex<Vec<String>>,
    connections: AtomicU64,
    /// Requests answered; the rate-limit headers count down with it.
    answered: AtomicU64,
    stop: CancellationToken,
}

impl Chat {
    /// Listens on a free port of the loopback interface.
    pub async fn start(options: ChatOptions) -> std::io::Result<Self> {
        Self::serve(TcpListener::bind(("127.0.0.1", 0)).await?, options)
    }

    pub fn serve(listener: TcpListener, options: ChatOptions) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            picks: Mutex::new(Picks::new(options.behaviour.clone())),
            options,
            requests: watch::Sender::default(),
            violations: Mutex::default(),
            connections: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            stop: CancellationToken::new(),
        });
        let (service, stop) = (shared.clone(), shared.stop.clone());
        tokio::spawn(accept::all(listener, stop, move |tcp| connection::welcome(tcp, service.clone())));
        Ok(Self { address, shared })
    }

    /// What a client joins with `/chat/completions` or `/models`. `/v1` alone is served too, as OpenAI has it.
    pub fn base_url(&self) -> String {
        format!("http://{}/openai/v1", self.address)
    }

    /// From now on requests with this key are answered so; what had been used up is there again.
    pub fn behave(&self, key: &str, behaviour: Behaviour) {
        lock(&self.shared.picks).set(key, behaviour);
    }

    /// What clients did wrong, whoever they were.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.shared.violations).clone()
    }

    /// Every request with this key but the questions for the models, oldest first.
    pub fn requests(&self, key: &str) -> Vec<Request> {
        self.shared.requests.borrow().of(key, false)
    }

    /// The questions for the models: a client warms its connection up so.
    pub fn models_asked(&self, key: &str) -> Vec<Request> {
        self.shared.requests.borrow().of(key, true)
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Waits for request `n` with this key, counted from 0 as [`Chat::requests`] does.
    pub async fn request(&self, key: &str, n: usize, limit: Duration) -> Result<Request, Waited> {
        let of_key = |all: &Requests| all.of(key, false).into_iter().nth(n);
        waited::wait_until(&self.shared.requests.subscribe(), limit, of_key).await
    }

    /// Waits until something is so about the requests with this key; asks again after each change of one.
    pub async fn until(
        &self,
        key: &str,
        is_so: impl Fn(&[Request]) -> bool,
        limit: Duration,
    ) -> Result<(), Waited> {
        let ask = |all: &Requests| is_so(&all.of(key, false)).then_some(());
        waited::wait_until(&self.shared.requests.subscribe(), limit, ask).await
    }

    /// Cuts every connection and takes no more.
    pub fn stop(&self) {
        self.shared.stop.cancel();
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Shared {
    fn violation(&self, what: String) {
        let mut violations = lock(&self.violations);
        if violations.len() < MAX_VIOLATIONS {
            violations.push(what.chars().take(MAX_VIOLATION).collect());
        }
    }
}

/// A panic elsewhere must not take the service down.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
