//! The accept loop: how many connections there are at once, and how each is served.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use hyper::{
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioTimer;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower_service::Service;
use tracing::{debug, warn};
use warp::{filters::BoxedFilter, reply::Response};

use super::{early::Early, head, listen::tune, refusal::Refused, routes::Peer};
use crate::metrics::Metrics;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a request's head may take, from the moment the socket opens.
    pub head: Duration,
    /// Requests that are not yet answered. Upgraded sockets are not among them: [`super::Slots`] counts those.
    pub connections: usize,
}

/// Serves until `stop`. Upgraded sockets live on after it.
pub async fn serve(
    listener: TcpListener,
    routes: BoxedFilter<(Response,)>,
    limits: Limits,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    loop {
        let next = async {
            // When there is no room, the next one waits in the system's queue.
            let permit = room.clone().acquire_owned().await.map_err(|_| io::ErrorKind::Other)?;
            Ok::<_, io::Error>((permit, listener.accept().await?))
        };
        let next = tokio::select! {
            () = stop.cancelled() => return,
            next = next => next,
        };
        match next {
            Ok((permit, (tcp, peer))) => {
                let (routes, metrics, stop) = (routes.clone(), metrics.clone(), stop.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = connection(tcp, Peer(peer), routes, limits.head, &metrics) => {}
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely. Calls end, and then there are some again.
                warn!(%error, "cannot take a connection");
                sleep(BREATHER).await;
            }
        }
    }
}

async fn connection(
    tcp: TcpStream,
    peer: Peer,
    routes: BoxedFilter<(Response,)>,
    limit: Duration,
    metrics: &Metrics,
) {
    if let Err(error) = tune(&tcp) {
        debug!(%error, "the peer was gone at once");
        return;
    }
    let first = match head::read(&tcp, limit).await {
        Ok(first) => first,
        Err(head::Fault::Gone) => return,
        Err(head::Fault::Refused(refused)) => {
            metrics.refused(refused.code);
            debug!(code = refused.code, "refused before it was parsed");
            return turn_away(&tcp, &refused).await;
        }
    };
    let service = warp::service(routes);
    let answer = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let answered = service.clone().call(request);
        async move {
            let mut response = answered.await?;
            // One request a connection; an upgrade's own `connection` header stays.
            response.headers_mut().entry(CONNECTION).or_insert(HeaderValue::from_static("close"));
            Ok::<_, Infallible>(response)
        }
    });
    // The head is here, so this clock is for what hyper might still wait for, such as a request's body.
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limit)
        .max_buf_size(BUFFER)
        .serve_connection(Early::new(first, tcp), answer)
        .with_upgrades();
    match timeout(WHOLE, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "connection"),
        Err(_) => debug!("a request took too long"),
    }
}

/// Says no to a request that was not read to its end. Closing at once would make the system throw the answer
/// away with what is unread, so the rest is read, for a moment.
async fn turn_away(tcp: &TcpStream, refused: &Refused) {
    let work = async {
        let bytes = refused.bytes();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            tcp.writable().await?;
            match tcp.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        socket2::SockRef::from(tcp).shutdown(std::net::Shutdown::Write)?;
        let mut unread = [0; 4096];
        for _ in 0..MOST_UNREAD / unread.len() {
            tcp.readable().await?;
            match tcp.try_read(&mut unread) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    match timeout(FAREWELL, work).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "the refused peer was gone"),
        Err(_) => debug!("the refused peer did not stop"),
    }
}

/// hyper's buffer: a head of 64 + 16 kB in one piece, and some.
const BUFFER: usize = 128 * 1024;
/// For a whole request, the switchboard's thoughts about a token included.
const WHOLE: Duration = Duration::from_secs(15);
const BREATHER: Duration = Duration::from_millis(50);
const FAREWELL: Duration = Duration::from_secs(1);
const MOST_UNREAD: usize = 256 * 1024;
