//! HTTP clients for providers that are asked by request, kept warm for all calls.
//!
//! Over HTTP/2 all requests share a connection, so one lost packet delays every call on it; a few clients
//! that take turns keep that small.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use reqwest::{Client, redirect::Policy};
use rustls::ClientConfig;

#[derive(Clone)]
pub struct Clients(Arc<Shared>);

struct Shared {
    clients: Vec<Client>,
    turn: AtomicUsize,
}

impl Clients {
    pub fn new(tls: &ClientConfig) -> Result<Self, reqwest::Error> {
        let client = || {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .no_proxy()
                .user_agent(concat!("patchcord/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                .connect_timeout(Duration::from_secs(2))
                .tcp_nodelay(true)
                .pool_idle_timeout(None)
                .http2_keep_alive_interval(Duration::from_secs(15))
                .http2_keep_alive_timeout(Duration::from_secs(5))
                .http2_keep_alive_while_idle(true)
                .build()
        };
        let clients = (0..SIDE_BY_SIDE).map(|_| client()).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Shared { clients, turn: AtomicUsize::new(0) })))
    }

    /// One call stays with its client, so that the connection that it warmed up is the one that it uses.
    pub fn next(&self) -> Client {
        let turn = self.0.turn.fetch_add(1, Relaxed);
        self.0.clients[turn % self.0.clients.len()].clone()
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

const SIDE_BY_SIDE: usize = 3;
