//! The carrier's socket: what comes in as events, and what waits to go out.
//!
//! A browser phone may have asked for news of its call. They go out on the call's own socket, so nobody can listen to
//! another call, and they are the first to be left out when the other side is slow.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use call::{CarrierCommand, CarrierEvent, Gone};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        error::ProtocolError,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use wire::carrier::{self, Line, Written};

use crate::outbox::{Full, Limits, Outbox};

#[derive(Debug)]
pub(super) struct Carrier {
    socket: WebSocketStream<TcpStream>,
    /// Whoever knows this carrier's words.
    line: Box<dyn Line>,
    outbox: Outbox,
    /// Messages are written here one after another; what is sent is split off.
    written: BytesMut,
    /// Nothing more comes in.
    gone: bool,
    /// What comes in is no WebSocket any more, or too much for us.
    spoiled: bool,
    /// The last word. It waits for the news that belong before it.
    closing: Option<Message>,
    /// Nothing more goes out. Said once.
    closed: bool,
    /// The other side has said goodbye first, and our answer to that is on its way out.
    answers_close: bool,
    wants_news: bool,
}

impl Carrier {
    pub fn new(carrier: &carrier::Carrier, socket: WebSocketStream<TcpStream>, wants_news: bool) -> Self {
        let limits = Limits { audio_bytes: carrier.room, ..Limits::CARRIER };
        let (line, outbox) = ((carrier.line)(), Outbox::new(limits));
        let (written, gone, spoiled, closing, closed, answers_close) = Default::default();
        Self { socket, line, outbox, written, gone, spoiled, closing, closed, answers_close, wants_news }
    }

    /// News of the call, for a browser phone that asked for them.
    pub fn tell(&mut self, news: impl FnOnce() -> Option<Value>) {
        let Some(stream) = self.line.stream_id().filter(|_| self.wants_news) else { return };
        if let Some(news) = news() {
            let text = format!(r#"{{"event":"news","streamSid":"{stream}","news":{news}}}"#);
            self.outbox.push_if_room(Message::text(text));
        }
    }

    /// The next thing the carrier says. After [`CarrierEvent::Gone`] there is nothing.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<CarrierEvent> {
        if let Some(event) = self.line.more() {
            return Poll::Ready(event);
        }
        while !self.gone {
            let event = match ready!(self.socket.poll_next_unpin(cx)) {
                Some(Ok(Message::Text(text))) => self.line.read(&Bytes::from(text)),
                Some(Ok(Message::Binary(bytes))) => self.line.read_binary(&bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Some(CarrierEvent::Alive),
                Some(Ok(Message::Frame(_))) => None,
                Some(Ok(Message::Close(_))) => {
                    self.answers_close = true;
                    self.over(Gone::Closed)
                }
                None => self.over(Gone::Closed),
                Some(Err(error)) => self.over(how(&error)),
            };
            if let Some(event) = event {
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }

    fn over(&mut self, gone: Gone) -> Option<CarrierEvent> {
        self.gone = true;
        self.spoiled = matches!(gone, Gone::TooLarge | Gone::Broken);
        Some(CarrierEvent::Gone(gone))
    }

    /// Puts a command into the outbox. `Err` when there is no room: the carrier has stopped reading.
    pub fn obey(&mut self, command: &CarrierCommand) -> Result<(), Gone> {
        let full = |_| Gone::Stuck;
        match command {
            CarrierCommand::Play(audio) => self.in_order(command, audio.duration()),
            // A mark has its place among the audio.
            CarrierCommand::Mark(_) => self.in_order(command, Duration::ZERO),
            CarrierCommand::Clear => {
                self.outbox.clear_audio();
                match self.line.write(command, &mut self.written) {
                    Written::Nothing => Ok(()),
                    Written::Text => match text(self.written.split()) {
                        Some(text) => self.outbox.push_control(text),
                        None => Ok(()),
                    },
                    Written::Binary { .. } => {
                        self.outbox.push_control(Message::Binary(self.written.split().freeze()))
                    }
                }
            }
            CarrierCommand::Ping => self.outbox.push_control(Message::Ping(Bytes::new())),
            CarrierCommand::Close(closing) => {
                let (code, reason) = (CloseCode::from(closing.code()), closing.reason().into());
                self.closing = Some(Message::Close(Some(CloseFrame { code, reason })));
                Ok(())
            }
        }
        .map_err(full)
    }

    /// In the carrier's own words, once its stream has begun; it plays for so long.
    fn in_order(&mut self, command: &CarrierCommand, time: Duration) -> Result<(), Full> {
        match self.line.write(command, &mut self.written) {
            Written::Nothing => Ok(()),
            Written::Text => match text(self.written.split()) {
                Some(text) => self.outbox.push_audio(text, time),
                None => Ok(()),
            },
            Written::Binary { each } => {
                let messages = self.written.len().div_ceil(each.max(1));
                let time = time / u32::try_from(messages.max(1)).unwrap_or(u32::MAX);
                while !self.written.is_empty() {
                    let message = self.written.split_to(each.clamp(1, self.written.len()));
                    self.outbox.push_audio(Message::Binary(message.freeze()), time)?;
                }
                Ok(())
            }
        }
    }

    /// Writes what the socket takes now. `Ready` when everything is out.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        if let Some(closing) = self.closing.take() {
            self.outbox.push_control(closing).map_err(|_| Gone::Stuck)?;
        }
        let written = ready!(self.outbox.poll_flush(cx, &mut self.socket));
        self.closed = written.is_err();
        Poll::Ready(written.map_err(|error| how(&error)))
    }

    /// After the last word: until the other side has closed as well. What still comes in is not looked at.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_flush(cx).is_pending() {
            return Poll::Pending;
        }
        // The socket has its answer ready, but sends it only when it is asked to do something.
        while self.answers_close {
            self.answers_close = ready!(self.socket.poll_next_unpin(cx)).is_some_and(|read| read.is_ok());
        }
        while !self.gone {
            match ready!(self.socket.poll_next_unpin(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => self.gone = true,
            }
        }
        // A close that came first wants an answer. It lies in the socket, and nobody else would send it.
        if !self.spoiled && ready!(self.socket.poll_close_unpin(cx)).is_err() {
            self.closed = true;
        }
        // Unread, what still comes would reset the connection, and our close would be lost with it.
        let mut rest = [0; 4096];
        while self.spoiled {
            let mut rest = ReadBuf::new(&mut rest);
            let read = ready!(Pin::new(self.socket.get_mut()).poll_read(cx, &mut rest));
            if read.is_err() || rest.filled().is_empty() {
                return Poll::Ready(());
            }
        }
        Poll::Ready(())
    }

    /// The most that ever waited to go out, in bytes.
    pub fn high_water(&self) -> usize {
        self.outbox.high_water()
    }
}

/// What a line has written as a text message: JSON of ours, which is UTF-8.
fn text(written: BytesMut) -> Option<Message> {
    Utf8Bytes::try_from(written.freeze()).ok().map(Message::Text)
}

fn how(error: &tungstenite::Error) -> Gone {
    match error {
        tungstenite::Error::Capacity(_) => Gone::TooLarge,
        // Platforms and proxies often end a stream without a WebSocket close.
        tungstenite::Error::ConnectionClosed
        | tungstenite::Error::AlreadyClosed
        | tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Gone::Closed,
        _ => Gone::Broken,
    }
}
