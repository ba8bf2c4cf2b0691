//! The AI leg's socket, or the leg that needs none.
//!
//! A leg is dialled in the background of its call. Until it stands, and after it is gone, what the call says
//! to it goes nowhere.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use call::{Failure, LegCommand, LegEvent, echo::Echo};
use futures_util::StreamExt;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, Utf8Bytes,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use wire::openai::{Frame, Session};

use crate::{
    outbox::{Limits, Outbox},
    outward::dial::LegStream,
};

pub(super) enum Leg {
    None,
    Dialling(Dialling),
    OpenAi(Box<OpenAi>),
    Echo(Box<Echo>),
}

/// An OpenAI leg on its way, or why there is none.
pub(super) type Dialling = Pin<Box<dyn Future<Output = Result<OpenAi, Failure>> + Send>>;

impl Leg {
    /// The next thing the leg says. After [`LegEvent::Failed`] there is nothing.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<LegEvent> {
        loop {
            match self {
                Self::None => return Poll::Pending,
                Self::Dialling(dialling) => match ready!(dialling.as_mut().poll(cx)) {
                    Ok(openai) => *self = Self::OpenAi(Box::new(openai)),
                    Err(failure) => {
                        *self = Self::None;
                        return Poll::Ready(LegEvent::Failed(failure));
                    }
                },
                Self::OpenAi(leg) => return leg.poll_event(cx),
                Self::Echo(leg) => return leg.poll_event().map_or(Poll::Pending, Poll::Ready),
            }
        }
    }

    pub fn obey(&mut self, command: LegCommand) {
        match self {
            Self::None => {}
            Self::Dialling(_) if command == LegCommand::Close => *self = Self::None,
            Self::Dialling(_) => {}
            Self::OpenAi(leg) => leg.obey(command),
            Self::Echo(leg) => leg.obey(command),
        }
    }

    /// Writes what the socket takes now. `Ready` when everything is out, or when the leg broke just now.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match self {
            Self::OpenAi(leg) => leg.poll_flush(cx),
            Self::None | Self::Dialling(_) | Self::Echo(_) => Poll::Ready(Ok(())),
        }
    }

    /// Frames of the caller's voice that had to be dropped because the provider was slow to take them.
    pub fn dropped(&self) -> u64 {
        match self {
            Self::OpenAi(leg) => leg.outbox.dropped(),
            Self::None | Self::Dialling(_) | Self::Echo(_) => 0,
        }
    }

    /// The most that ever waited to go out, in bytes.
    pub fn high_water(&self) -> usize {
        match self {
            Self::OpenAi(leg) => leg.outbox.high_water(),
            Self::None | Self::Dialling(_) | Self::Echo(_) => 0,
        }
    }
}

/// The leg's socket could not be written to. Its next event says so to the call.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Debug for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no leg",
            Self::Dialling(_) => "leg being dialled",
            Self::OpenAi(_) => "openai leg",
            Self::Echo(_) => "echo leg",
        })
    }
}

/// OpenAI's protocol on its socket.
pub(super) struct OpenAi {
    session: Session,
    socket: WebSocketStream<LegStream>,
    outbox: Outbox,
    gone: bool,
}

impl OpenAi {
    pub fn new(session: Session, socket: WebSocketStream<LegStream>) -> Self {
        Self { session, socket, outbox: Outbox::new(Limits::PROVIDER), gone: false }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<LegEvent> {
        loop {
            if let Some(event) = self.session.poll_event() {
                return Poll::Ready(event);
            }
            if self.gone {
                return Poll::Pending;
            }
            match ready!(self.socket.poll_next_unpin(cx)) {
                Some(Ok(Message::Text(text))) => self.session.read(&Bytes::from(text)),
                Some(Ok(Message::Binary(_))) => self.session.read_binary(),
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

    fn obey(&mut self, command: LegCommand) {
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
                Frame::Control(text) => message(text).map_or(Ok(()), |text| self.outbox.push_control(text)),
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

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.gone {
            return Poll::Ready(Ok(()));
        }
        let written = ready!(self.outbox.poll_flush(cx, &mut self.socket));
        Poll::Ready(written.map_err(|_| {
            self.over(None, "connection broken");
            Broken
        }))
    }
}

fn message(text: Bytes) -> Option<Message> {
    Utf8Bytes::try_from(text).ok().map(Message::Text)
}
