//! A provider's protocol on its socket: what comes in is read, what is to go out waits in an outbox.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use call::Failure;
use futures_util::StreamExt;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, Utf8Bytes,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use wire::{Frame, Protocol};

use crate::{
    outbox::{Limits, Outbox},
    outward::dial::LegStream,
};

pub(super) struct Wired<P> {
    session: P,
    socket: WebSocketStream<LegStream>,
    outbox: Outbox,
    gone: bool,
}

/// A socket on its way, or why there is none.
pub(super) type Dialling<P> = Pin<Box<dyn Future<Output = Result<Wired<P>, Failure>> + Send>>;

/// The socket could not be written to. The session's next event says so.
#[derive(Debug)]
pub(super) struct Broken;

impl<P: Protocol> Wired<P> {
    pub fn new(session: P, socket: WebSocketStream<LegStream>) -> Self {
        Self { session, socket, outbox: Outbox::new(Limits::PROVIDER), gone: false }
    }

    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<P::Event> {
        loop {
            if let Some(event) = self.session.poll_event() {
                return Poll::Ready(event);
            }
            if self.gone {
                return Poll::Pending;
            }
            match ready!(self.socket.poll_next_unpin(cx)) {
                Some(Ok(Message::Text(text))) => self.session.read(&Bytes::from(text)),
                Some(Ok(Message::Binary(bytes))) => self.session.read_binary(&bytes),
                Some(Ok(Message::Pong(_))) => self.session.pong(),
                Some(Ok(Message::Ping(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.as_ref().map(|frame| u16::from(frame.code));
                    self.over(code, frame.as_ref().map_or("", |frame| frame.reason.as_str()));
                }
                Some(Err(_)) => self.over(None, "connection broken"),
                None => self.over(None, "connection ended"),
            }
            self.collect();
        }
    }

    fn over(&mut self, code: Option<u16>, reason: &str) {
        self.gone = true;
        self.session.closed(code, reason);
    }

    pub fn obey(&mut self, command: P::Command) {
        self.session.obey(command);
        self.collect();
    }

    /// What the protocol wants to say goes into the outbox.
    fn collect(&mut self) {
        while let Some(frame) = self.session.poll_frame() {
            let pushed = match frame {
                Frame::Audio { text, time } => {
                    message(text).map_or(Ok(()), |text| self.outbox.push_audio(text, time))
                }
                Frame::Sound { bytes, time } => self.outbox.push_audio(Message::Binary(bytes), time),
                Frame::InOrder(text) => {
                    message(text).map_or(Ok(()), |text| self.outbox.push_audio(text, Duration::ZERO))
                }
                Frame::Control(text) => message(text).map_or(Ok(()), |text| self.outbox.push_control(text)),
                Frame::Goodbye(text) => {
                    self.outbox.clear_audio();
                    message(text).map_or(Ok(()), |text| self.outbox.push_control(text))
                }
                Frame::Ping => self.outbox.push_control(Message::Ping(Bytes::new())),
                Frame::Close => {
                    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                    self.outbox.push_control(Message::Close(Some(frame)))
                }
            };
            if pushed.is_err() && !self.gone {
                self.over(None, "it no longer takes what we send");
            }
        }
    }

    /// Writes what the socket takes now. `Ready` when everything is out, or when it broke just now.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.gone {
            return Poll::Ready(Ok(()));
        }
        let written = ready!(self.outbox.poll_flush(cx, &mut self.socket));
        Poll::Ready(written.map_err(|_| {
            self.over(None, "connection broken");
            Broken
        }))
    }

    /// After the last word: until the other side has closed. What still comes is not looked at.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_flush(cx).is_pending() {
            return Poll::Pending;
        }
        while !self.gone {
            match ready!(self.socket.poll_next_unpin(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => self.gone = true,
            }
        }
        Poll::Ready(())
    }

    /// The protocol's own side, when nothing more is sent or taken.
    pub fn session(&mut self) -> &mut P {
        &mut self.session
    }

    pub fn dropped(&self) -> u64 {
        self.outbox.dropped()
    }

    pub fn high_water(&self) -> usize {
        self.outbox.high_water()
    }
}

fn message(text: Bytes) -> Option<Message> {
    Utf8Bytes::try_from(text).ok().map(Message::Text)
}
