//! How do several services share one port? By the path of a connection's first request.

use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

/// A request line is sent at once, or somebody is playing.
const LIMIT: Duration = Duration::from_secs(10);
const LONGEST: usize = 512;

/// Hands every connection on to the first service whose path begins like its own, and never ends.
pub async fn share(listener: TcpListener, services: &[(&str, SocketAddr)]) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let services: Vec<(String, SocketAddr)> =
            services.iter().map(|(path, address)| ((*path).to_owned(), *address)).collect();
        tokio::spawn(async move {
            if let Ok(Some(path)) = tokio::time::timeout(LIMIT, path(&client)).await {
                // A client that goes away is nobody's concern.
                let _ = connect(client, &path, &services).await;
            }
        });
    }
}

async fn connect(
    mut client: TcpStream,
    path: &str,
    services: &[(String, SocketAddr)],
) -> std::io::Result<()> {
    let service = services.iter().find(|(begins, _)| path.starts_with(begins.as_str()));
    let Some((_, address)) = service else {
        let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return client.write_all(answer.as_bytes()).await;
    };
    let mut service = TcpStream::connect(address).await?;
    client.set_nodelay(true)?;
    service.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut service).await.map(drop)
}

/// The path that is asked for, without taking a byte of it.
async fn path(client: &TcpStream) -> Option<String> {
    let mut seen = [0; LONGEST];
    let mut before = 0;
    loop {
        client.readable().await.ok()?;
        let length = client.peek(&mut seen).await.ok()?;
        let line = &seen[..length];
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        if words.len() > 2 || length == LONGEST {
            return Some(String::from_utf8_lossy(words.get(1)?).into_owned());
        }
        if length == 0 {
            return None;
        }
        if length == before {
            tokio::time::sleep(Duration::from_millis(1)).await; // peeking does not wait for more
        }
        before = length;
    }
}
