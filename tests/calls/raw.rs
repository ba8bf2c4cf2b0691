//! A carrier's socket without a WebSocket library: for frames that no library would send.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::house::LIMIT;

pub struct Raw(TcpStream);

impl Raw {
    /// Upgraded, and nothing said yet.
    pub async fn dial(relay: SocketAddr, path: &str) -> Self {
        let mut socket = TcpStream::connect(relay).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: relay\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = async {
            while !answer.ends_with(b"\r\n\r\n") {
                assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0, "an answer");
            }
        };
        timeout(LIMIT, read).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        Self(socket)
    }

    /// Sends what it is, as it is. A relay that has closed already is not the test's business.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.ok();
    }

    /// A text message as a browser or a carrier frames it.
    pub async fn text(&mut self, text: &str) {
        self.send(&frame(0x81, text.as_bytes())).await;
    }

    /// Reads until the relay closes the connection, and returns the code of its close frame, if it sent one.
    pub async fn closed(mut self) -> Option<u16> {
        let mut all = Vec::new();
        // A reset is an end as well.
        timeout(LIMIT, self.0.read_to_end(&mut all)).await.expect("it is closed").ok();
        let mut rest = &all[..];
        while let [first, length, ..] = *rest {
            let (start, length) = match length {
                126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
                _ => (2, usize::from(length)),
            };
            if first == 0x88 && length >= 2 {
                return Some(u16::from_be_bytes([rest[start], rest[start + 1]]));
            }
            rest = rest.get(start + length..).unwrap_or_default();
        }
        None
    }
}

/// Masked, as a client must, with a mask that changes nothing.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut all = vec![first];
    match payload.len() {
        short @ 0..=125 => all.push(0x80 | short as u8),
        long => {
            all.push(0x80 | 126);
            all.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    all.extend([0; 4]);
    all.extend(payload);
    all
}
