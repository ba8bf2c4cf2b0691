//! How are messages sent without ever waiting? They queue here, and whoever reads also writes.
//!
//! A peer that stops reading must not stop our clock: a pretend phone that waits in `send` would no longer tick.
//! An optional delay in both directions stands in for the network between two cities.

use futures_util::{Sink, Stream};
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// A TCP connection, with or without TLS.
pub(crate) type Wire = Box<dyn Duplex>;

/// Messages on their way in one direction. More means that a peer has not read for minutes.
const MAX_QUEUED: usize = 16_384;

pub(crate) struct Line {
    ws: WebSocketStream<Mutable>,
    delay: Duration,
    leaving: VecDeque<(Instant, Message)>,
    arriving: VecDeque<(Instant, Result<Message, String>)>,
    unflushed: bool,
    ended: bool,
    alarm: Option<Pin<Box<Sleep>>>,
    lost: u64,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("leaving", &self.leaving.len()).field("lost", &self.lost).finish()
    }
}

impl Line {
    /// Takes over after the handshake; `early` is what was read beyond it.
    pub async fn open(wire: Wire, early: Vec<u8>, role: Role, delay: Duration) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1024) // zeroed before each read, so larger is slower
            .write_buffer_size(16 * 1024)
            .max_write_buffer_size(64 << 20)
            .max_message_size(Some(32 << 20))
            .max_frame_size(Some(32 << 20));
        Self {
            ws: WebSocketStream::from_partially_read(
                Mutable { wire, muted: false },
                early,
                role,
                Some(config),
            )
            .await,
            delay,
            leaving: VecDeque::new(),
            arriving: VecDeque::new(),
            unflushed: false,
            ended: false,
            alarm: None,
            lost: 0,
        }
    }

    /// Queues a message; it leaves while [`Line::receive`] is being awaited.
    pub fn post(&mut self, message: Message) {
        if self.leaving.len() >= MAX_QUEUED {
            self.lost += 1;
            return;
        }
        let at = if self.delay.is_zero() { Instant::now() } else { Instant::now() + self.delay };
        self.leaving.push_back((at, message));
    }

    pub fn text(&mut self, text: impl Into<String>) {
        self.post(Message::text(text.into()));
    }

    /// Has the peer not taken anything for a second although we had something for it?
    pub fn is_congested(&self, now: Instant) -> bool {
        self.leaving.front().is_some_and(|(due, _)| *due + Duration::from_secs(1) < now)
    }

    /// From now on nothing leaves, not even an answer to a ping; the connection stays open and is read.
    pub fn mute(&mut self) {
        self.ws.get_mut().muted = true;
    }

    /// The next message, `None` at the end. Writes what is queued meanwhile; nothing is lost when it is dropped
    /// half way. With `reading` off it only writes, and never returns.
    pub fn receive(&mut self, reading: bool) -> impl Future<Output = Option<Result<Message, String>>> {
        poll_fn(move |cx| self.poll(cx, reading))
    }

    fn poll(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<Option<Result<Message, String>>> {
        // A write error also shows when reading, and there the peer's close frame may still be waiting.
        let _ = self.poll_write(cx);
        if self.delay.is_zero() {
            return if reading { self.poll_read(cx) } else { Poll::Pending };
        }
        while reading && !self.ended && self.arriving.len() < MAX_QUEUED {
            match self.poll_read(cx) {
                Poll::Ready(Some(message)) => self.arriving.push_back((Instant::now() + self.delay, message)),
                Poll::Ready(None) => self.ended = true,
                Poll::Pending => break,
            }
        }
        loop {
            let now = Instant::now();
            match self.arriving.front() {
                Some((due, _)) if *due <= now && reading => {
                    return Poll::Ready(self.arriving.pop_front().map(|(_, message)| message));
                }
                None if self.ended => return Poll::Ready(None),
                Some(_) | None => {}
            }
            let due =
                [&self.arriving.front().map(|(due, _)| *due), &self.leaving.front().map(|(due, _)| *due)];
            let Some(next) = due.into_iter().flatten().filter(|due| **due > now).min().copied() else {
                return Poll::Pending;
            };
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(next)));
            alarm.as_mut().reset(next);
            ready!(alarm.as_mut().poll(cx));
            let _ = self.poll_write(cx);
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, String>>> {
        let message = ready!(Pin::new(&mut self.ws).poll_next(cx));
        Poll::Ready(message.map(|message| message.map_err(|error| error.to_string())))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        let mut ws = Pin::new(&mut self.ws);
        let now = if self.leaving.is_empty() { None } else { Some(Instant::now()) };
        while let Some((due, _)) = self.leaving.front() {
            if !self.delay.is_zero() && now.is_some_and(|now| *due > now) {
                break;
            }
            ready!(ws.as_mut().poll_ready(cx)).map_err(|error| {
                // Nothing will leave any more; keeping it would look like congestion.
                self.leaving.clear();
                error.to_string()
            })?;
            if let Some((_, message)) = self.leaving.pop_front() {
                self.unflushed = true;
                ws.as_mut().start_send(message).map_err(|error| error.to_string())?;
            }
        }
        if self.unflushed {
            let flushed = ready!(ws.as_mut().poll_flush(cx));
            self.unflushed = false;
            flushed.map_err(|error| error.to_string())?;
        }
        Poll::Ready(Ok(()))
    }
}

/// A connection whose outgoing bytes can be made to vanish: the WebSocket layer answers pings by itself, and a dead
/// provider does not.
struct Mutable {
    wire: Wire,
    muted: bool,
}

impl AsyncRead for Mutable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.wire).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Mutable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.muted { Poll::Ready(Ok(bytes.len())) } else { Pin::new(&mut self.wire).poll_write(cx, bytes) }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
