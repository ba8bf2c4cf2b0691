//! What does a phone do all the time? It speaks every 20 ms, listens, and plays.
//!
//! The 20 ms are absolute moments counted from the beginning: a late tick is caught up with, and the clock never
//! drifts. Nothing here waits for the relay; a relay that does not read loses frames, as with Twilio.
//! What the messages look like is the dialect's business, and the sound on the wire that of mouth and ear.

use super::{
    Carrier, Cleared, Opening, PhoneEnd, PhoneEvent, PhoneOptions, PhoneState, Recording, SILENT_FRAME,
    dialect::{self, Dialect, FromRelay},
    edge::{Ear, Heard, Mouth},
    packets::Packets,
    playback::{Passed, Playback},
};
use crate::{line::Line, rates, ulaw};
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

    fn speak(&mut self, now: Instant) {
        if self.options.opening != Opening::Full {
            // The tick still counts, so that waiting tests look again.
            return self.state.send_modify(|_| {});
        }
        let in_gap = self.gap_until.is_some_and(|until| now < until);
        let mut frame = SILENT_FRAME;
        let said = if in_gap { 0 } else { self.next_words(&mut frame) };
        if let Some((probe, call)) = &self.options.probe {
            probe.leaves_phone(*call, self.ticks, &mut frame);
        }
        let withheld = in_gap || self.frozen || (self.options.suppress_silence && said == 0);
        let lost = !withheld && self.lose > 0;
        let congested = !withheld && !lost && self.line.is_congested(now);
        let (goes, at_ms) = (!withheld && !lost && !congested, self.at_ms());
        self.pronounce(&frame, in_gap, goes);
        if lost || congested {
            self.packets.lose();
            self.lose -= u32::from(lost);
        } else if goes {
            self.packets.begin(at_ms);
        }
        self.packets.frame_over(self.ticks, &mut *self.dialect, &mut self.line);
        if self.options.record {
            let sound = if withheld || lost { &SILENT_FRAME } else { &frame };
            lock(&self.recording).caller_said(sound);
        }
        let (began, ended) = (said > 0 && !self.speaking, said == 0 && self.speaking);
        self.speaking = if in_gap { self.speaking } else { said > 0 };
        let to_say = self.left_to_say();
        let (played, queued) = self.position();
        self.state.send_modify(|state| {
            (state.played, state.queued) = (played, queued);
            state.frames_withheld += u64::from(withheld || lost);
            state.frames_congested += u64::from(congested);
            state.frames_sent += u64::from(goes);
            state.to_say = to_say;
            if began {
                state.speech_began = Some(now);
                state.note(now, PhoneEvent::SpeechBegan);
            }
            if ended && !in_gap {
                state.speech_ended = Some(now);
                state.note(now, PhoneEvent::SpeechEnded);
            }
        });
        if self.to_say.is_empty() {
            // Whoever waited may have gone; that is no failure.
            for done in self.waiting_for_said.drain(..) {
                let _ = done.send(());
            }
        }
    }

    /// The moment of the next frame, as timestamps have it.
    fn at_ms(&self) -> u64 {
        self.options.first_timestamp_ms + u64::from(self.ticks) * 20
    }

    /// Brings a frame to the wire, or only past the mouth: the time goes by there too.
    fn pronounce(&mut self, frame: &[u8], in_gap: bool, goes: bool) {
        let next = self.to_say.iter().flatten().copied().take(if in_gap { 0 } else { rates::REACH });
        let ahead: Vec<u8> = next.collect();
        let before = self.packets.audio.len();
        self.mouth.speak(frame, &ahead, &mut self.packets.audio);
        if !goes {
            self.packets.audio.truncate(before);
        }
    }

    /// Fills `frame` with what is next to be said, and says how many bytes that were.
    fn next_words(&mut self, frame: &mut [u8]) -> usize {
        let mut filled = 0;
        while let (Some(words), true) = (self.to_say.front_mut(), filled < frame.len()) {
            let count = words.len().min(frame.len() - filled);
            frame[filled..filled + count].copy_from_slice(&words.split_to(count));
            filled += count;
            if words.is_empty() {
                self.to_say.pop_front();
            }
        }
        filled
    }

    fn left_to_say(&self) -> Duration {
        ulaw::length_of(self.to_say.iter().map(|words| words.len() as u64).sum())
    }

    fn play(&mut self, now: Instant) {
        let Passed { marks, sound, ended } = self.playback.advance(now);
        if !sound.is_empty() {
            let mut recording = lock(&self.recording);
            sound.iter().for_each(|(at, piece)| recording.agent_played(*at, piece));
        }
        if marks.is_empty() && ended.is_none() {
            return;
        }
        self.return_marks(&marks);
        let (played, queued) = self.position();
        self.state.send_modify(|state| {
            (state.played, state.queued) = (played, queued);
            state.marks_returned += marks.len() as u64;
            marks.into_iter().for_each(|name| state.note(now, PhoneEvent::MarkReturned { name }));
            if let Some((bytes, at)) = ended {
                state.playing = false;
                state.quiet_since = Some(at);
                state.note(at, PhoneEvent::PlaybackRanDry { played: ulaw::length_of(bytes) });
            }
        });
    }

    /// Played and still queued.
    fn position(&self) -> (Duration, Duration) {
        (ulaw::length_of(self.playback.played()), ulaw::length_of(self.playback.queued()))
    }

    fn return_marks(&mut self, names: &[String]) {
        if self.closing.is_some() {
            return;
        }
        for name in names {
            self.line.text(self.dialect.mark(name));
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

    fn follow(&mut self, now: Instant, message: FromRelay) {
        match message {
            FromRelay::Media(audio) => self.hear(now, audio),
            FromRelay::Mark(name) => {
                if !self.playback.mark(name.clone()) {
                    self.violation(now, "too many pending marks".to_owned());
                }
                self.state.send_modify(|state| {
                    state.marks_received += 1;
                    state.note(now, PhoneEvent::Mark { name });
                });
                // With nothing queued it is passed already.
                self.play(now);
            }
            FromRelay::Clear => self.clear(now),
            FromRelay::Digit(digit) => self.state.send_modify(|state| state.pressed(&digit)),
        }
    }

    fn hear(&mut self, now: Instant, wire: Vec<u8>) {
        let begins = !self.playback.is_playing();
        if begins {
            self.ear.forget();
        }
        let Heard { amended, audio } = self.ear.hear(wire);
        self.playback.amend(&amended);
        if let Some((probe, _)) = &self.options.probe {
            probe.arrives_at_phone(&audio);
        }
        let bytes = audio.len();
        let lost = self.playback.queue(now, audio);
        if lost > 0 {
            self.ear.forget();
            self.violation(now, self.options.carrier.overflow(lost));
        }
        let (played, queued) = self.position();
        self.state.send_modify(|state| {
            state.media_messages += 1;
            state.media_bytes += bytes as u64;
            state.first_media_at.get_or_insert(now);
            state.last_media_at = Some(now);
            (state.played, state.queued) = (played, queued);
            state.note(now, PhoneEvent::Media { bytes });
            if begins {
                state.playing = true;
                state.playback_began = Some(now);
                state.runs += 1;
                state.note(now, PhoneEvent::PlaybackBegan);
            }
        });
    }

    fn clear(&mut self, now: Instant) {
        let carrier = self.options.carrier;
        if !self.options.clear_returns_marks.unwrap_or(carrier.clear_returns_marks()) {
            self.playback.forget_marks();
        }
        let emptied = self.playback.clear();
        self.ear.forget();
        self.return_marks(&emptied.marks);
        if let (Some(text), None) = (self.dialect.cleared(), self.closing) {
            self.line.text(text);
        }
        let cleared = Cleared {
            at: now,
            played: ulaw::length_of(emptied.played),
            played_in_all: ulaw::length_of(self.playback.played()),
            thrown_away: ulaw::length_of(emptied.thrown_away),
            unheard: emptied.unheard.into(),
            marks_returned: emptied.marks.len(),
        };
        self.state.send_modify(|state| {
            state.note(now, PhoneEvent::Clear);
            state.marks_returned += emptied.marks.len() as u64;
            emptied.marks.into_iter().for_each(|name| state.note(now, PhoneEvent::MarkReturned { name }));
            if state.playing {
                state.playing = false;
                state.quiet_since = Some(now);
            }
            (state.played, state.queued) = (cleared.played_in_all, Duration::ZERO);
            state.cleared(cleared);
        });
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
