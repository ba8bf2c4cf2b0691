//! The sockets of a cascade: an ear, a mouth and requests to a mind, around a core that decides.
//!
//! The core gives orders and is told what the parts say. Nothing is decided here, not even when a broken part
//! is opened again.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use call::{
    Failure, FailureKind, LegCommand, LegEvent, Usage,
    cascade::{Cascade, EarCommand, EarEvent, MindCommand, MindEvent, MouthCommand, MouthEvent, Order},
};
use wire::{Ear, Mouth, Protocol};

use super::{
    mind::Mind,
    wired::{Broken, Dialling, Wired},
};

pub(super) struct CascadeLeg {
    core: Cascade,
    ear: Part<Ear>,
    mind: Mind,
    mouth: Part<Mouth>,
}

/// One part with a socket, and how to get it.
struct Part<P> {
    state: State<P>,
    dial: Dial<P>,
}

/// Opens a part anew each time it is called.
pub(super) type Dial<P> = Box<dyn Fn() -> Dialling<P> + Send>;

enum State<P> {
    None,
    Dialling(Dialling<P>),
    Open(Box<Wired<P>>),
}

impl CascadeLeg {
    pub fn new(core: Cascade, ear: Dial<Ear>, mind: Mind, mouth: Dial<Mouth>) -> Self {
        Self { core, ear: Part::new(ear), mind, mouth: Part::new(mouth) }
    }

    pub fn poll_event(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<LegEvent> {
        if self.core.poll_timeout().is_some_and(|due| due <= now) {
            self.core.tick(now);
        }
        loop {
            if let Some(event) = self.core.poll_event() {
                return Poll::Ready(event);
            }
            self.obey_orders();
            let mut any = false;
            if let Poll::Ready(event) = self.ear.poll_event(cx) {
                any = true;
                let event = match event.unwrap_or_else(EarEvent::Failed) {
                    EarEvent::Failed(failure) => EarEvent::Failed(of_claim(failure, "stt")),
                    other => other,
                };
                self.core.ear(now, event);
            }
            if let Poll::Ready(event) = self.mind.poll_event(cx) {
                any = true;
                let event = match event {
                    MindEvent::Gone(failure) => MindEvent::Gone(of_claim(failure, "llm")),
                    MindEvent::Failed { ask, failure, again } => {
                        MindEvent::Failed { ask, failure: of_claim(failure, "llm"), again }
                    }
                    other => other,
                };
                self.core.mind(now, event);
            }
            if let Poll::Ready(event) = self.mouth.poll_event(cx) {
                any = true;
                let event = match event.unwrap_or_else(MouthEvent::Failed) {
                    MouthEvent::Failed(failure) => MouthEvent::Failed(of_claim(failure, "tts")),
                    other => other,
                };
                self.core.mouth(now, event);
            }
            if !any {
                return Poll::Pending;
            }
        }
    }

    pub fn obey(&mut self, now: Instant, command: LegCommand) {
        self.core.obey(now, command);
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.core.poll_timeout()
    }

    fn obey_orders(&mut self) {
        while let Some(order) = self.core.poll_order() {
            match order {
                Order::Ear(EarCommand::Open) => self.ear.open(),
                Order::Ear(command) => self.ear.obey(command),
                Order::Mind(MindCommand::Open) => self.mind.warm_up(),
                Order::Mind(MindCommand::Ask { ask, thread }) => self.mind.ask(ask, &thread),
                Order::Mind(MindCommand::Cancel(ask)) => self.mind.cancel(ask),
                Order::Mouth(MouthCommand::Open) => self.mouth.open(),
                Order::Mouth(command) => self.mouth.obey(command),
            }
        }
    }

    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.obey_orders();
        match (self.ear.poll_flush(cx), self.mouth.poll_flush(cx)) {
            (Poll::Ready(Err(broken)), _) | (_, Poll::Ready(Err(broken))) => Poll::Ready(Err(broken)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }

    /// Both have said goodbye in their own way, and the other side closes.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.obey_orders();
        let (ear, mouth) = (self.ear.poll_closed(cx), self.mouth.poll_closed(cx));
        if ear.is_ready() && mouth.is_ready() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// What was used and is not told any more.
    pub fn unsaid(&mut self) -> Usage {
        self.core.unsaid()
    }

    pub fn dropped(&self) -> u64 {
        self.ear.open_socket().map_or(0, Wired::dropped)
    }

    pub fn high_water(&self) -> usize {
        let ear = self.ear.open_socket().map_or(0, Wired::high_water);
        ear.max(self.mouth.open_socket().map_or(0, Wired::high_water))
    }
}

/// What the provider does not take stands somewhere in the token: there the cure is.
fn of_claim(failure: Failure, part: &'static str) -> Failure {
    match failure.kind {
        FailureKind::Refused | FailureKind::BadKey => {
            let detail = match &*failure.detail {
                "" => format!("`{part}` of the leg"),
                detail => format!("`{part}` of the leg: {detail}"),
            };
            Failure { detail: detail.into(), ..failure }
        }
        _ => failure,
    }
}

impl<P: Protocol> Part<P> {
    fn new(dial: Dial<P>) -> Self {
        Self { state: State::None, dial }
    }

    fn open(&mut self) {
        self.state = State::Dialling((self.dial)());
    }

    /// The next thing it says, or why it could not be opened.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<P::Event, Failure>> {
        loop {
            match &mut self.state {
                State::None => return Poll::Pending,
                State::Dialling(dialling) => match dialling.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(wired)) => self.state = State::Open(Box::new(wired)),
                    Poll::Ready(Err(failure)) => {
                        self.state = State::None;
                        return Poll::Ready(Err(failure));
                    }
                },
                State::Open(wired) => return wired.poll_event(cx).map(Ok),
            }
        }
    }

    /// What comes while it is being opened is known to the core, and said again when it is there.
    fn obey(&mut self, command: P::Command) {
        if let State::Open(wired) = &mut self.state {
            wired.obey(command);
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match &mut self.state {
            State::Open(wired) => wired.poll_flush(cx),
            State::None | State::Dialling(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.state {
            State::Open(wired) => wired.poll_closed(cx),
            State::None | State::Dialling(_) => Poll::Ready(()),
        }
    }

    fn open_socket(&self) -> Option<&Wired<P>> {
        match &self.state {
            State::Open(wired) => Some(wired),
            State::None | State::Dialling(_) => None,
        }
    }
}
