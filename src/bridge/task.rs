//! One call, from its socket to its end: the task that obeys a [`Call`].
//!
//! It waits in one place, for both sockets, the gate, the clock and the end of the machine at once. What has
//! become ready is handled together, and what came of it is written together: a frame costs one wake-up, and
//! as few system calls as there can be. It decides nothing about the conversation.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use call::{Call, CarrierEvent, Command, Input, Note, Stereo, Summary, Usage};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{
    Exchange, alarm::Alarm, carrier::Carrier, desk::Desk, former::Former, leg::Leg, observer::Observer,
    switchboard::Ticket, tools::Toolbox, wired::Broken,
};
use crate::{http::Slot, outward::twilio::Update, phone::news, recording::Recorder};

pub(super) struct Task {
    exchange: Exchange,
    call: Call,
    carrier: Carrier,
    leg: Leg,
    former: Former,
    /// What the legs before this one used and could not say: one entry for each, in their order.
    unsaid: Vec<Usage>,
    dialled: bool,
    desk: Desk,
    tools: Toolbox,
    /// There is something to record.
    recorder: Option<Recorder>,
    alarm: Alarm,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    stopped: bool,
    observer: Observer,
    summary: Option<Box<Summary>>,
    /// When the input came that is being handled.
    now: std::time::Instant,
    /// A clear is on its way out, since the leg said that the caller speaks.
    barge_in: Option<std::time::Instant>,
    /// The call wants to know when what waits for the carrier is out.
    tell_when_sent: bool,
}

/// Runs a call to its end. No `async fn`: that would keep a place for what it is given, beside what became of it.
pub(super) fn run(
    exchange: Exchange,
    id: Arc<str>,
    ticket: Ticket,
    slot: Slot,
    socket: WebSocketStream<TcpStream>,
) -> impl Future<Output = ()> + Send {
    let mut task = Task {
        call: Call::new(now()),
        carrier: Carrier::new(ticket.carrier, socket, ticket.news),
        leg: Leg::None,
        former: Former::default(),
        unsaid: Vec::new(),
        dialled: false,
        desk: Desk::new(exchange.clone(), ticket, slot),
        recorder: None,
        tools: Toolbox::new(exchange.webhooks.clone()),
        alarm: Alarm::default(),
        stop: Box::pin(exchange.lifecycle.stop.clone().cancelled_owned()),
        stopped: false,
        observer: Observer::new(exchange.clone(), id),
        summary: None,
        now: now(),
        barge_in: None,
        tell_when_sent: false,
        exchange,
    };
    async move {
        poll_fn(|cx| task.poll(cx)).await;
        // In a box: while a call runs, nothing is kept free for its end.
        Box::pin(task.say_goodbye()).await;
    }
}

impl Task {
    /// `Ready` when the call is over. What it still has to say is in the outboxes.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut busy = true;
            for _ in 0..TOGETHER {
                busy = !self.call.is_over() && self.take_what_is_ready(cx);
                if !busy {
                    break;
                }
            }
            if self.call.is_over() {
                return Poll::Ready(());
            }
            let news = self.flush(cx);
            if !busy && !news {
                return Poll::Pending;
            }
        }
    }

    /// Writes what the sockets take now. True when that was news for the call, which may have more to write.
    fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        let carrier = self.carrier.poll_flush(cx);
        if let Poll::Ready(Err(gone)) = carrier {
            self.input(Input::Carrier(CarrierEvent::Gone(gone)));
            return true;
        }
        if carrier.is_ready()
            && let Some(since) = self.barge_in.take()
        {
            self.observer.barged_in(since);
        }
        let sent = carrier.is_ready() && std::mem::take(&mut self.tell_when_sent);
        if sent {
            self.input(Input::Sent);
        }
        self.former.poll(cx, self.now);
        matches!(self.leg.poll_flush(cx), Poll::Ready(Err(Broken))) || sent
    }

    /// Takes one thing from every side that has one; whether there was anything.
    fn take_what_is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        if let Poll::Ready(event) = self.carrier.poll_event(cx) {
            any = true;
            self.input(Input::Carrier(event));
        }
        // What it says after the end is for the books, see `unsaid`.
        if !self.call.is_over()
            && let Poll::Ready(event) = self.leg.poll_event(cx, now())
        {
            any = true;
            self.input(Input::Leg(event));
        }
        if let Poll::Ready(verdict) = self.desk.poll(cx) {
            any = true;
            if let Some(name) = self.desk.call_by_token() {
                self.observer.is_called(name);
            }
            let input = verdict.unwrap_or_else(|refusal| Input::Refused(self.observer.refused(&refusal)));
            self.input(input);
        }
        if let Poll::Ready((id, (end, result))) = self.tools.poll(cx) {
            any = true;
            self.input(Input::Tool { id, end, result });
        }
        if let Poll::Ready((id, done)) = self.tools.poll_handed_over(cx) {
            any = true;
            self.input(Input::HandedOver { id, done });
        }
        let deadlines = [self.call.poll_timeout().map(|(at, _)| at), self.leg.poll_timeout()];
        if self.alarm.poll(cx, deadlines.into_iter().flatten().min()).is_ready() {
            any = true;
            self.input(Input::Tick);
        }
        if !self.stopped && self.stop.as_mut().poll(cx).is_ready() {
            any = true;
            self.stopped = true;
            self.input(Input::Stop);
        }
        any
    }

    fn input(&mut self, input: Input) {
        self.now = now();
        self.call.handle(self.now, input);
        self.settle();
    }

    /// Obeys until the call has no more to say.
    fn settle(&mut self) {
        while let Some(command) = self.call.poll_command() {
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Carrier(command) => {
                if let Err(gone) = self.carrier.obey(&command) {
                    self.call.handle(self.now, Input::Carrier(CarrierEvent::Gone(gone)));
                }
            }
            Command::TellWhenSent => self.tell_when_sent = true,
            Command::Leg(command) => self.leg.obey(self.now, command),
            Command::Admit(started) => {
                self.observer.started(&started);
                self.desk.started(started);
            }
            Command::Dial { leg, turns } => {
                if let Some((config, issuer)) = self.desk.config() {
                    self.observer.dialled(config, issuer, leg);
                    let next = self.exchange.open_leg(config, leg, turns, self.now);
                    self.replace_leg(next);
                }
            }
            Command::Run { id, tool, arguments } => {
                if let Some((config, _)) = self.desk.config() {
                    self.tools.run(self.observer.names(), config, id, tool, &arguments);
                }
            }
            Command::StopTool(id) => self.tools.stop(id),
            Command::HandOver { id, tool, target } => match self.observer.hands_over(id, tool, &target) {
                Some(order) => self.tools.hand_over(id, order),
                None => self.call.handle(self.now, Input::HandedOver { id, done: false }),
            },
            Command::Note(note) => {
                if note == Note::BargeIn {
                    self.barge_in = Some(self.now);
                }
                self.carrier.tell(|| news::of(&note));
                self.observer.note(note);
            }
            Command::Record(Stereo(piece)) => {
                self.recorder.get_or_insert_with(|| self.exchange.recordings.open()).write(piece);
            }
            Command::End(summary) => self.summary = Some(summary),
        }
    }

    fn replace_leg(&mut self, next: Leg) {
        let mut before = std::mem::replace(&mut self.leg, next);
        if self.dialled {
            self.unsaid.push(before.unsaid());
        }
        self.dialled = true;
        self.former.leaves(before, self.now);
    }

    /// The last words go out, and the other side has a moment to close as well. A socket that is dropped with
    /// unread messages in it would be reset, and our close with it.
    async fn say_goodbye(&mut self) {
        let high_water = self.carrier.high_water().max(self.leg.high_water()).max(self.former.high_water());
        if let Some(mut summary) = self.summary.take() {
            self.unsaid.push(self.leg.unsaid());
            for (leg, unsaid) in self.unsaid.drain(..).enumerate() {
                summary.usage.add_late(leg, unsaid);
            }
            self.carrier.tell(|| Some(news::ended(&summary)));
            let (recorder, late) = (self.recorder.take(), self.leg.dropped() + self.former.dropped());
            self.observer.ended(&summary, recorder, late, high_water);
            self.end_line(&summary).await;
        }
        let goodbye = poll_fn(|cx| {
            let leg = self.leg.poll_closed(cx);
            let carrier = self.carrier.poll_closed(cx);
            if leg.is_ready() && carrier.is_ready() { Poll::Ready(()) } else { Poll::Pending }
        });
        timeout(GOODBYE, goodbye).await.ok();
    }

    /// Where the token lends a key the whole call ends, before its stream does: a carrier whose stream is closed goes
    /// on with what the main app told it to do next.
    async fn end_line(&mut self, summary: &Summary) {
        let Some(line) = self.observer.line().filter(|_| summary.reason.hangs_up()) else { return };
        let leg = timeout(GOODBYE, poll_fn(|cx| self.leg.poll_closed(cx)));
        let told = timeout(LINE_ENDS, line.tell(&Update::Completed));
        tokio::join!(leg, told).0.ok();
    }
}

/// Tokio's clock, so that tests can hold it.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// So many rounds are written together. More at once would let a long reply that comes in one go fill the
/// outbox while the socket waits for it.
const TOGETHER: usize = 16;

/// Then the stream is closed, whatever the carrier makes of that.
const LINE_ENDS: Duration = Duration::from_secs(3);

/// Long enough for a close to cross an ocean and come back.
const GOODBYE: Duration = Duration::from_secs(1);
