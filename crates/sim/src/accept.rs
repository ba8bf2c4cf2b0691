//! How does a service take its connections? Each in a task of its own, and all of them end with the service.

use std::{io, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub(crate) async fn all<W>(listener: TcpListener, stop: CancellationToken, welcome: impl Fn(TcpStream) -> W)
where
    W: Future<Output = io::Result<()>> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, _)) => {
                let (stop, guest) = (stop.clone(), welcome(tcp));
                // A client that breaks its own connection is noted where it matters, in a ledger.
                tokio::spawn(async move { stop.run_until_cancelled(guest).await.map(drop) });
            }
            // Out of file descriptors: some will be free soon.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
