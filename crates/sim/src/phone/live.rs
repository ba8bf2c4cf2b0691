//! What does a phone do all the time? It speaks every 20 ms, listens, and plays.
//!
//! The 20 ms are absolute moments counted from the beginning: a late tick is caught up with, and the clock never
//! drifts. Nothing here waits for the relay; a relay that does not read loses frames, as with Twilio.
//! What the messages look like is the dialect's business, and the sound on the wire that of mouth and ear.

mod listening;
mod speaking;

use super::{
    Carrier, Opening, PhoneEnd, PhoneEvent, PhoneOptions, PhoneState, Recording,
    dialect::{self, Dialect},
    edge::{Ear, Mouth},
    news,
    packets::Packets,
    playback::Playback,
};
use crate::{line::Line, ulaw};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

const FRAME: Duration = Duration::from_millis(20);
/// How long the relay may take to answer our close.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// Audio waiting to be said: one hour. More is ignored.
const MAX_TO_SAY: usize = 3600 * 8000;

#[derive(Debug)]
pub(super) enum Order {
    Say(Bytes),
    Hush,
    TellWhenSaid(oneshot::Sender<()>),
    Press(char),
    Gap(Duration),
    Lose(u32),
    Swap(u32),
    Repeat(u32),
    StartAgain(Carrier),
    SuppressSilence(bool),
    Read(bool),
    Freeze,
    Vanish,
    HangUp { stop: bool },
    EndByCarrier,
    SendText(String),
    SendBinary(Bytes),
    SendOversize(usize),
}

pub(super) struct Live {
    options: PhoneOptions,
    line: Line,
    state: watch::Sender<PhoneState>,
    recording: Arc<Mutex<Recording>>,
    dialect: Box<dyn Dialect>,
    mouth: Mouth,
    ear: Ear,
    packets: Packets,
    playback: Playback,
    began: Instant,
    /// Frames whose time has come, sent or not.
    ticks: u32,
    to_say: VecDeque<Bytes>,
    waiting_for_said: Vec<oneshot::Sender<()>>,
    speaking: bool,
    gap_until: Option<Instant>,
    lose: u32,
    reading: bool,
    frozen: bool,
    closing: Option<Instant>,
    by_carrier: bool,
    end: Option<PhoneEnd>,
}

/// A panic elsewhere must not hide what was recorded.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Live {
    pub fn new(
        options: PhoneOptions,
        line: Line,
        state: watch::Sender<PhoneState>,
        recording: Arc<Mutex<Recording>>,
        began: Instant,
    ) -> Self {
        Self {
            dialect: dialect::of(&options),
            mouth: Mouth::new(options.carrier.sends()),
            ear: Ear::new(options.carrier.plays()),
            packets: Packets::of(options.carrier.frames_per_message()),
            playback: Playback::new(options.record, options.carrier.max_queued()),
            options,
            line,
            state,
            recording,
            began,
            ticks: 0,
            to_say: VecDeque::new(),
            waiting_for_said: Vec::new(),
            speaking: false,
            gap_until: None,
            lose: 0,
            reading: true,
            frozen: false,
            closing: None,
            by_carrier: false,
            end: None,
        }
    }

    pub async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        if self.options.opening != Opening::Nothing {
            self.dialect.connected().into_iter().for_each(|text| self.line.text(text));
        }
        if self.options.opening == Opening::Full {
            self.line.text(self.dialect.start(self.options.carrier));
        }
        let alarm = sleep_until(self.began);
        tokio::pin!(alarm);
        while self.end.is_none() {
            let wake = self.wake();
            if alarm.deadline() != wake {
                alarm.as_mut().reset(wake);
            }
            tokio::select! {
                biased;
                order = inbox.recv(), if self.closing.is_none() => match order {
                    Some(order) => self.obey(order),
                    None => self.hang_up(true),
                },
                message = self.line.receive(self.reading), if !self.frozen => self.take(message),
                () = alarm.as_mut() => {}
            }
            self.tick(Instant::now());
        }
        let end = self.end.take();
        let was_closed = matches!(end, Some(PhoneEnd::Closed { .. }));
        self.state.send_modify(|state| {
            state.note(Instant::now(), PhoneEvent::Ended);
            state.end = end;
        });
        if was_closed {
            // The relay waits for our half of the closing handshake.
            let rest = async { while self.line.receive(true).await.is_some() {} };
            let _ = tokio::time::timeout(CLOSE_LIMIT, rest).await;
        }
    }

    /// The moment of the next frame, mark or end of playback.
    fn wake(&self) -> Instant {
        if let Some(limit) = self.closing {
            return limit;
        }
        let frame = self.began + FRAME * self.ticks;
        self.playback.wake().map_or(frame, |wake| wake.min(frame))
    }

    fn tick(&mut self, now: Instant) {
        self.play(now);
        match self.closing {
            Some(limit) if now >= limit => self.end = Some(self.closed(false)),
            Some(_) => {}
            None => {
                while self.began + FRAME * self.ticks <= now {
                    self.speak(now);
                    self.ticks += 1;
                }
            }
        }
    }

    fn take(&mut self, message: Option<Result<Message, String>>) {
        let now = Instant::now();
        self.play(now);
        match message {
            Some(Ok(Message::Text(text))) => self.take_text(now, &text),
            Some(Ok(Message::Binary(bytes))) => self.take_binary(now, &bytes),
            Some(Ok(Message::Close(_))) if self.closing.is_some() => {
                self.end = Some(self.closed(true));
            }
            Some(Ok(Message::Close(frame))) => {
                let code = frame.as_ref().map(|frame| u16::from(frame.code));
                let reason = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                self.end = Some(PhoneEnd::Closed { code, reason });
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            None | Some(Err(_)) if self.closing.is_some() => {
                self.end = Some(self.closed(false));
            }
            None => {
                self.end = Some(PhoneEnd::Broken("the connection ended without a close frame".to_owned()))
            }
            Some(Err(error)) => self.end = Some(PhoneEnd::Broken(error)),
        }
    }

    fn take_text(&mut self, now: Instant, text: &str) {
        if self.options.opening != Opening::Full {
            return self.violation(now, format!("a message before start: {}", beginning(text)));
        }
        if news::take(self.options.news.as_ref(), now, text) {
            return;
        }
        match self.dialect.read(text) {
            Ok(message) => self.follow(now, message),
            Err(problem) => self.violation(now, format!("{problem}: {}", beginning(text))),
        }
    }

    fn take_binary(&mut self, now: Instant, bytes: &[u8]) {
        match self.dialect.read_binary(bytes) {
            Ok(_) if self.options.opening != Opening::Full => {
                self.violation(now, format!("{} bytes of audio before start", bytes.len()));
            }
            Ok(message) => self.follow(now, message),
            Err(problem) => self.violation(now, problem),
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Say(words) => {
                let waiting: usize = self.to_say.iter().map(Bytes::len).sum();
                if !words.is_empty() && waiting + words.len() <= MAX_TO_SAY {
                    self.to_say.push_back(words);
                }
                // Otherwise a test that queues and then waits for `to_say` to be zero could look too early.
                let to_say = self.left_to_say();
                self.state.send_modify(|state| state.to_say = to_say);
            }
            Order::Hush => self.to_say.clear(),
            Order::TellWhenSaid(done) => self.waiting_for_said.push(done),
            Order::Press(digit) => {
                let text = self.dialect.dtmf(self.at_ms(), digit);
                self.line.text(text);
            }
            Order::Gap(length) => self.gap_until = Some(Instant::now() + length),
            Order::Lose(count) => self.lose = self.lose.saturating_add(count),
            Order::Swap(pairs) => self.packets.swap(pairs),
            Order::Repeat(count) => self.packets.repeat(count),
            Order::StartAgain(carrier) => self.start_again(carrier),
            Order::SuppressSilence(yes) => self.options.suppress_silence = yes,
            Order::Read(yes) => self.reading = yes,
            Order::Freeze => self.frozen = true,
            Order::Vanish => self.end = Some(PhoneEnd::Vanished),
            Order::HangUp { stop } => self.hang_up(stop),
            Order::EndByCarrier => {
                self.by_carrier = true;
                self.hang_up(true);
            }
            Order::SendText(text) => self.line.text(text),
            Order::SendBinary(bytes) => self.line.post(Message::Binary(bytes)),
            Order::SendOversize(bytes) => {
                // Three bytes are four in base64.
                let message = self.dialect.media(self.at_ms(), &vec![ulaw::SILENCE; bytes / 4 * 3 + 3]);
                self.line.post(message);
            }
        }
    }

    fn start_again(&mut self, carrier: Carrier) {
        self.packets.send_rest(&mut *self.dialect, &mut self.line);
        self.line.text(self.dialect.start(carrier));
        (self.mouth, self.ear) = (Mouth::new(carrier.sends()), Ear::new(carrier.plays()));
    }

    fn hang_up(&mut self, stop: bool) {
        self.packets.send_rest(&mut *self.dialect, &mut self.line);
        if stop && self.options.opening == Opening::Full {
            self.dialect.stop().into_iter().for_each(|text| self.line.text(text));
        }
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        self.line.post(Message::Close(Some(frame)));
        self.reading = true;
        self.closing = Some(Instant::now() + CLOSE_LIMIT);
        self.state.send_modify(|state| state.is_closing = true);
    }

    fn closed(&self, answered: bool) -> PhoneEnd {
        if self.by_carrier { PhoneEnd::EndedByCarrier { answered } } else { PhoneEnd::HungUp { answered } }
    }

    fn violation(&mut self, now: Instant, what: String) {
        self.state.send_modify(|state| state.violation(now, what));
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(120).collect()
}
