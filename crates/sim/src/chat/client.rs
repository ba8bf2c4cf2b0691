//! How is one client's connection read and written? By turns, and while we wait it is watched for its end.

use crate::{
    Headers,
    http::{self, Head},
    line::Wire,
};
use std::{future::pending, io::Error, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep_until, timeout},
};

/// Read ahead while an answer is being sent; more than that waits in the socket.
const MAX_EARLY: usize = 64 * 1024;
/// A client that is refused in the middle of its body must be able to read why.
const LINGER: Duration = Duration::from_secs(2);
const MAX_LINGERED: usize = 16 << 20;

pub(super) struct Client {
    wire: Wire,
    /// Read, but not used yet.
    pub early: Vec<u8>,
}

impl Client {
    pub fn new(wire: Wire) -> Self {
        Self { wire, early: Vec::new() }
    }

    pub async fn head(&mut self) -> Result<Head, Error> {
        let mut head = http::read_head_after(&mut self.wire, std::mem::take(&mut self.early)).await?;
        self.early = std::mem::take(&mut head.rest);
        Ok(head)
    }

    /// Reads some more; false at the end.
    pub async fn fill(&mut self) -> Result<bool, Error> {
        Ok(self.wire.read_buf(&mut self.early).await? > 0)
    }

    /// Waits; false as soon as the client has closed or reset the connection. Without a time it waits for that only.
    pub async fn is_there_until(&mut self, due: Option<Instant>) -> bool {
        let wait = async {
            match due {
                Some(due) if due > Instant::now() => sleep_until(due).await,
                Some(_) => tokio::task::yield_now().await,
                None => pending().await,
            }
        };
        tokio::pin!(wait);
        loop {
            tokio::select! {
                biased;
                read = self.wire.read_buf(&mut self.early), if self.early.len() < MAX_EARLY => {
                    if !read.is_ok_and(|count| count > 0) {
                        return false;
                    }
                }
                () = &mut wait => return true,
            }
        }
    }

    pub async fn head_of_answer(&mut self, status: u16, headers: &Headers) -> Result<(), Error> {
        self.answer(status, headers, "").await
    }

    /// Status line, headers and body as they are given.
    pub async fn answer(&mut self, status: u16, headers: &Headers, body: &str) -> Result<(), Error> {
        let start = format!("HTTP/1.1 {status} {}", http::phrase(status));
        http::write_head(&mut self.wire, &start, headers, body).await
    }

    /// One chunk of a chunked body; an empty one would end it and is left out.
    pub async fn chunk(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        self.wire.write_all(&framed).await?;
        self.wire.flush().await
    }

    pub async fn end_of_chunks(&mut self) -> Result<(), Error> {
        self.wire.write_all(b"0\r\n\r\n").await?;
        self.wire.flush().await
    }

    /// Closes, and reads for a while what was still coming: otherwise the client's system would throw our answer away.
    pub async fn close(mut self) {
        let reading = async {
            let mut left = MAX_LINGERED;
            self.wire.shutdown().await?;
            loop {
                self.early.clear();
                let count = self.wire.read_buf(&mut self.early).await?;
                if count == 0 || count > left {
                    return Ok::<_, Error>(());
                }
                left -= count;
            }
        };
        let _ = timeout(LINGER, reading).await;
    }
}
