//! The AI leg: one socket, several, or none.
//!
//! A leg is dialled in the background of its call. Until it stands, and after it is gone, what the call says
//! to it goes nowhere.

use std::{
    fmt,
    task::{Context, Poll, ready},
    time::Instant,
};

use call::{LegCommand, LegEvent, Usage, echo::Echo};
use wire::{Protocol, openai::Session};

use super::{
    cascade::CascadeLeg,
    wired::{Broken, Dialling, Wired},
};

pub(super) enum Leg {
    None,
    Dialling(Dialling<Session>),
    OpenAi(Box<Wired<Session>>),
    Cascade(Box<CascadeLeg>),
    Echo(Box<Echo>),
}

impl Leg {
    /// The next thing the leg says. After [`LegEvent::Failed`] there is nothing.
    pub fn poll_event(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<LegEvent> {
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
                Self::Cascade(leg) => return leg.poll_event(cx, now),
                Self::Echo(leg) => return leg.poll_event().map_or(Poll::Pending, Poll::Ready),
            }
        }
    }

    pub fn obey(&mut self, now: Instant, command: LegCommand) {
        match self {
            Self::None => {}
            Self::Dialling(_) if command == LegCommand::Close => *self = Self::None,
            Self::Dialling(_) => {}
            Self::OpenAi(leg) => leg.obey(command),
            Self::Cascade(leg) => leg.obey(now, command),
            Self::Echo(leg) => leg.obey(command),
        }
    }

    /// When the leg wants to be looked at even if nothing happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Cascade(leg) => leg.poll_timeout(),
            Self::None | Self::Dialling(_) | Self::OpenAi(_) | Self::Echo(_) => None,
        }
    }

    /// Writes what the sockets take now. `Ready` when everything is out, or when one broke just now.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match self {
            Self::OpenAi(leg) => leg.poll_flush(cx),
            Self::Cascade(leg) => leg.poll_flush(cx),
            Self::None | Self::Dialling(_) | Self::Echo(_) => Poll::Ready(Ok(())),
        }
    }

    /// After the last word: until nothing is left to be said or waited for.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Cascade(leg) => leg.poll_closed(cx),
            Self::None | Self::Dialling(_) | Self::OpenAi(_) | Self::Echo(_) => {
                self.poll_flush(cx).map(|_| ())
            }
        }
    }

    /// After the last word to it: what it used and nobody was told.
    pub fn unsaid(&mut self) -> Usage {
        match self {
            Self::OpenAi(leg) => unsaid(leg.session()),
            Self::Cascade(leg) => leg.unsaid(),
            Self::None | Self::Dialling(_) | Self::Echo(_) => Usage::default(),
        }
    }

    /// Frames of the caller's voice that had to be dropped because the provider was slow to take them.
    pub fn dropped(&self) -> u64 {
        match self {
            Self::OpenAi(leg) => leg.dropped(),
            Self::Cascade(leg) => leg.dropped(),
            Self::None | Self::Dialling(_) | Self::Echo(_) => 0,
        }
    }

    /// The most that ever waited to go out, in bytes.
    pub fn high_water(&self) -> usize {
        match self {
            Self::OpenAi(leg) => leg.high_water(),
            Self::Cascade(leg) => leg.high_water(),
            Self::None | Self::Dialling(_) | Self::Echo(_) => 0,
        }
    }
}

/// What stands in events that nobody takes any more.
fn unsaid(session: &mut impl Protocol<Event = LegEvent>) -> Usage {
    let mut unsaid = Usage::default();
    while let Some(event) = session.poll_event() {
        if let LegEvent::Used(usage) | LegEvent::ReplyDone { usage, .. } = event {
            unsaid += usage;
        }
    }
    unsaid
}

impl fmt::Debug for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no leg",
            Self::Dialling(_) => "leg being dialled",
            Self::OpenAi(_) => "openai leg",
            Self::Cascade(_) => "cascade leg",
            Self::Echo(_) => "echo leg",
        })
    }
}
