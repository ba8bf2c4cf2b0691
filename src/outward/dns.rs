//! Where a provider lives, without asking for each call.
//!
//! The system's resolver takes milliseconds when it goes well and seconds when it does not, and a caller
//! waits through it. So an answer is kept: for 30 seconds it is good, for ten minutes it is better than
//! waiting and is renewed in the background.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
    vec,
};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::time::{Instant, timeout};
use tower_service::Service;

/// Clones share what they know.
#[derive(Clone, Debug, Default)]
pub struct Resolver {
    hosts: Arc<Mutex<HashMap<String, Arc<Host>>>>,
}

#[derive(Debug, Default)]
struct Host {
    answer: Mutex<Option<(Vec<SocketAddr>, Instant)>>,
    /// Held while somebody asks for the first time: the others wait for the same answer.
    asking: tokio::sync::Mutex<()>,
    renewing: AtomicBool,
}

impl Resolver {
    async fn resolve(self, name: String) -> io::Result<Vec<SocketAddr>> {
        let host = self.host(&name);
        if let Some((addresses, at)) = host.answer() {
            if at.elapsed() >= FRESH && !host.renewing.swap(true, Ordering::AcqRel) {
                tokio::spawn(async move {
                    host.ask(&name).await.ok(); // the old answer stays until it is too old
                    host.renewing.store(false, Ordering::Release);
                });
            }
            return Ok(addresses);
        }
        let _first = host.asking.lock().await;
        match host.answer() {
            Some((addresses, _)) => Ok(addresses),
            None => host.ask(&name).await,
        }
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= MOST_HOSTS && !hosts.contains_key(name) {
            hosts.clear(); // tokens may name few hosts, so this many are a mistake; they can be asked again
        }
        hosts.entry(name.to_owned()).or_default().clone()
    }
}

impl Host {
    /// The last answer, while it is of use.
    fn answer(&self) -> Option<(Vec<SocketAddr>, Instant)> {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.clone().filter(|(_, at)| at.elapsed() < STALE)
    }

    async fn ask(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        let addresses: Vec<_> = timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await??.collect();
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((addresses.clone(), Instant::now()));
        Ok(addresses)
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move { Ok(resolver.resolve(name.as_str().to_owned()).await?.into_iter()) })
    }
}

const FRESH: Duration = Duration::from_secs(30);
const STALE: Duration = Duration::from_secs(600);

/// A leg that cannot be dialled within seconds is given up, and its name with it.
const PATIENCE: Duration = Duration::from_secs(3);

const MOST_HOSTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_kept_and_shared() {
        let resolver = Resolver::default();
        let answer = resolver.clone().resolve("localhost".into()).await.unwrap();
        assert!(answer.iter().all(|address| address.ip().is_loopback()));
        let kept = resolver.host("localhost");
        *kept.answer.lock().unwrap() = Some((vec!["192.0.2.1:0".parse().unwrap()], Instant::now()));
        let answer = resolver.resolve("localhost".into()).await.unwrap();
        assert_eq!(answer, ["192.0.2.1:0".parse().unwrap()], "the kept answer, not a new one");
    }

    #[test]
    fn many_names_do_not_fill_the_memory() {
        let resolver = Resolver::default();
        for i in 0..1_000 {
            resolver.host(&format!("host-{i}"));
        }
        assert!(resolver.hosts.lock().unwrap().len() <= MOST_HOSTS);
    }
}
