//! A pretend telephone behind a pretend carrier: dials a relay's media WebSocket and behaves as a call would.
//!
//! It says what it is told to, plays what it gets in real time, returns marks when they are reached, and complains
//! about everything its carrier would complain about. Whatever a carrier has on the wire, words that are said and sound
//! that is heard are µ-law at 8 kHz here. One task per phone; the handle may be shared by reference.
//! Orders to a phone whose call has ended are ignored: its state says that it ended.

mod carrier;
mod dial;
mod dialect;
mod edge;
mod ids;
mod live;
mod news;
mod packets;
mod playback;
mod recording;
mod rest;
mod route;
mod state;

pub use carrier::{Carrier, Law, Sound};
pub use dial::DialError;
pub use dialect::token_parameters;
pub use ids::Ids;
pub use news::News;
pub use recording::Recording;
pub use rest::PhoneLine;
pub use route::TokenWay;
pub use state::{Cleared, PhoneEnd, PhoneEvent, PhoneState};

use crate::{Headers, Waited, line::Line, probe::Probe, ulaw, waited};
use bytes::Bytes;
use live::{Live, Order};
use rustls::ClientConfig;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_tungstenite::tungstenite::protocol::Role;

/// Orders waiting for the phone's task. It takes them at once, so more means that the runtime stands still.
const MAX_ORDERS: usize = 1024;

/// A silent frame, for those who compare.
pub const SILENT_FRAME: [u8; ulaw::FRAME] = [ulaw::SILENCE; ulaw::FRAME];

/// How the next call is placed. Everything has a default but the address.
#[derive(Clone, Debug)]
pub struct PhoneOptions {
    pub url: String,
    pub carrier: Carrier,
    /// Twilio and SignalWire strip the query string; other carriers keep it anyway.
    pub keep_query: bool,
    /// Sent on the upgrade besides the carrier's own.
    pub headers: Headers,
    /// Where [`PhoneOptions::token`] has put the token. A way that the carrier does not have is not dialled.
    pub token_way: Option<TokenWay>,
    pub ids: Ids,
    /// The caller's number and the called one, for the carriers that tell.
    pub from: String,
    pub to: String,
    /// What the carrier passes on in its `start`, under whatever name it has for that.
    pub parameters: Vec<(String, String)>,
    pub opening: Opening,
    /// JSON numbers where the carrier sends strings.
    pub bare_numbers: bool,
    pub odd: Odd,
    /// Whether pending marks come back when playback is cleared; as the carrier's documents have it when `None`.
    pub clear_returns_marks: Option<bool>,
    /// `timestamp` of the first frame. Real calls begin at 102 to 171 ms.
    pub first_timestamp_ms: u64,
    /// Added to each direction: the network between carrier and relay.
    pub delay: Duration,
    /// Keeps both sides for [`Phone::recording`] and the bytes that a `clear` threw away.
    pub record: bool,
    /// Says nothing while nothing is to be said, as muted or silence-suppressing phones do.
    pub suppress_silence: bool,
    /// Marks every frame so that its way can be timed; the number is this call's place in the probe. Only for carriers
    /// that keep every byte: A-law and other rates than 8 kHz are not dialled.
    pub probe: Option<(Arc<Probe>, u32)>,
    /// Where news of the call go, when they were asked for: see [`PhoneOptions::with_news`].
    pub news: Option<mpsc::Sender<News>>,
    /// Whom to trust on `wss`; public CAs when `None`.
    pub trust: Option<Arc<ClientConfig>>,
    /// For the whole way from the first packet to the 101.
    pub handshake_limit: Duration,
}

/// What a carrier should not announce, and perhaps does one day.
#[derive(Clone, Debug, Default)]
pub struct Odd {
    /// Announced as the encoding instead of what is sent.
    pub encoding: Option<String>,
    /// The same for the rate.
    pub rate: Option<u32>,
    /// Announced as the tracks instead of `inbound`; the first is also the audio's.
    pub tracks: Vec<String>,
    /// Vonage's other way to tell of a key press: `dtmf.digit`.
    pub nested_digits: bool,
}

/// How much of the usual beginning is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// `connected` where there is one, `start`, then audio.
    Full,
    /// `connected` where there is one, and then nothing, not even audio.
    OnlyConnected,
    /// Nothing at all: what follows is up to [`Phone::send_text`].
    Nothing,
}

impl PhoneOptions {
    pub fn new(url: impl Into<String>) -> Self {
        let [from, to] = Carrier::Twilio.numbers().map(str::to_owned);
        Self {
            url: url.into(),
            carrier: Carrier::Twilio,
            keep_query: false,
            headers: Headers::new(),
            token_way: None,
            ids: Ids::fresh(Carrier::Twilio),
            from,
            to,
            parameters: Vec::new(),
            opening: Opening::Full,
            bare_numbers: false,
            odd: Odd::default(),
            clear_returns_marks: None,
            first_timestamp_ms: 134,
            delay: Duration::ZERO,
            record: true,
            suppress_silence: false,
            probe: None,
            news: None,
            trust: None,
            handshake_limit: Duration::from_secs(10),
        }
    }

    /// Calls over this carrier, with ids and numbers as it has them. Comes before [`PhoneOptions::token`], which depends
    /// on it.
    pub fn carrier(mut self, carrier: Carrier) -> Self {
        let [from, to] = carrier.numbers().map(str::to_owned);
        (self.carrier, self.ids, self.from, self.to) = (carrier, Ids::fresh(carrier), from, to);
        self
    }

    /// Carries the token in the carrier's natural way, which at Twilio is in `<Parameter>` chunks.
    pub fn token(self, token: &str) -> Self {
        let way = self.carrier.natural_way();
        self.token_by(way, token)
    }

    /// Carries the token in another way.
    pub fn token_by(mut self, way: TokenWay, token: &str) -> Self {
        route::put(&mut self, token, way);
        self
    }

    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// `X-Twilio-Signature`, computed by the caller.
    pub fn signature(self, signature: &str) -> Self {
        self.header("x-twilio-signature", signature)
    }

    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// A call in progress. Dropping it hangs up.
#[derive(Debug)]
pub struct Phone {
    orders: mpsc::Sender<Order>,
    state: watch::Receiver<PhoneState>,
    recording: Arc<Mutex<Recording>>,
    /// Headers of the relay's 101.
    pub answer: Headers,
}

impl Phone {
    /// Places the call; returns when the relay has accepted the WebSocket.
    pub async fn dial(options: PhoneOptions) -> Result<Self, DialError> {
        let (limit, carrier) = (options.handshake_limit, options.carrier);
        let address = route::address(&options)?;
        let keep_query = options.keep_query || carrier.keeps_query();
        let (agent, trust) = (carrier.user_agent(), options.trust.clone());
        let dialling = dial::dial(&address, keep_query, agent, &options.headers, trust);
        let (wire, early, answer) =
            tokio::time::timeout(limit, dialling).await.map_err(|_| DialError::Timeout(limit))??;
        let line = Line::open(wire, early, Role::Client, options.delay).await;
        let began = Instant::now();
        let (tell, state) = watch::channel(PhoneState::new(began, options.ids.clone(), options.record));
        let (orders, inbox) = mpsc::channel(MAX_ORDERS);
        let recording = Arc::new(Mutex::new(Recording::new(began)));
        tokio::spawn(Live::new(options, line, tell, recording.clone(), began).run(inbox));
        Ok(Self { orders, state, recording, answer })
    }

    /// Says µ-law after what is still to be said.
    pub fn say(&self, audio: impl Into<Bytes>) {
        self.order(Order::Say(audio.into()));
    }

    /// Stops saying what is still to be said.
    pub fn hush(&self) {
        self.order(Order::Hush);
    }

    pub fn press(&self, digit: char) {
        self.order(Order::Press(digit));
    }

    /// Sends no frames for `length`; the timestamps go on, so they jump. What was to be said waits.
    pub fn leave_gap(&self, length: Duration) {
        self.order(Order::Gap(length));
    }

    /// Loses the next frames on the way: what was said in them is gone, and their numbers are used up.
    pub fn lose_frames(&self, count: u32) {
        self.order(Order::Lose(count));
    }

    /// The next `pairs` of media messages leave in reverse order.
    pub fn swap_frames(&self, pairs: u32) {
        self.order(Order::Swap(pairs));
    }

    /// The next `count` media messages leave twice.
    pub fn repeat_frames(&self, count: u32) {
        self.order(Order::Repeat(count));
    }

    /// Says `start` once more, with what this carrier sounds like, and sounds so from then on. Of another carrier
    /// nothing but the sound is taken.
    pub fn start_again(&self, carrier: Carrier) {
        self.order(Order::StartAgain(carrier));
    }

    /// From now on frames are (or are not) left out while nothing is to be said.
    pub fn suppress_silence(&self, yes: bool) {
        self.order(Order::SuppressSilence(yes));
    }

    pub fn stop_reading(&self) {
        self.order(Order::Read(false));
    }

    pub fn read_again(&self) {
        self.order(Order::Read(true));
    }

    /// Neither reads nor writes any more, but keeps the connection: a half-dead carrier.
    pub fn freeze(&self) {
        self.order(Order::Freeze);
    }

    /// Drops the TCP connection without a word.
    pub fn vanish(&self) {
        self.order(Order::Vanish);
    }

    /// Ends as a caller does: `stop` where the carrier has one, then close.
    pub fn hang_up(&self) {
        self.order(Order::HangUp { stop: true });
    }

    /// Closes the WebSocket without `stop`.
    pub fn close(&self) {
        self.order(Order::HangUp { stop: false });
    }

    /// For a pretend Twilio that carries this call.
    pub fn line(&self) -> PhoneLine {
        let ids = self.look(|state| state.ids.clone());
        PhoneLine { ids, orders: self.orders.downgrade(), state: self.state.clone() }
    }

    /// Sends any text, right or wrong.
    pub fn send_text(&self, text: impl Into<String>) {
        self.order(Order::SendText(text.into()));
    }

    pub fn send_binary(&self, bytes: impl Into<Bytes>) {
        self.order(Order::SendBinary(bytes.into()));
    }

    /// A well-formed media message of `bytes` bytes: too large for any relay when it is large enough.
    pub fn send_oversize(&self, bytes: usize) {
        self.order(Order::SendOversize(bytes));
    }

    /// Looks at the state as it is now.
    pub fn look<T>(&self, look: impl FnOnce(&PhoneState) -> T) -> T {
        look(&self.state.borrow())
    }

    /// Waits until `is_so`, checked after every change and at every tick of 20 ms.
    pub async fn until(&self, is_so: impl Fn(&PhoneState) -> bool, limit: Duration) -> Result<(), Waited> {
        self.when(|state| is_so(state).then_some(()), limit).await
    }

    /// Waits until `ask` has an answer.
    pub async fn when<T>(
        &self,
        ask: impl FnMut(&PhoneState) -> Option<T>,
        limit: Duration,
    ) -> Result<T, Waited> {
        waited::wait_until(&self.state, limit, ask).await
    }

    /// Waits until everything queued by [`Phone::say`] before this call has been said.
    pub async fn said(&self, limit: Duration) -> Result<(), Waited> {
        let (done, said) = tokio::sync::oneshot::channel();
        self.order(Order::TellWhenSaid(done));
        match tokio::time::timeout(limit, said).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => {
                Err(Waited::new(limit, "can no longer happen", self.look(|state| format!("{state:?}"))))
            }
            Err(_) => Err(Waited::new(limit, "did not happen", self.look(|state| format!("{state:?}")))),
        }
    }

    /// Waits until the agent has spoken after this moment and has then been silent for `quiet`.
    pub async fn agent_finished(&self, quiet: Duration, limit: Duration) -> Result<(), Waited> {
        let (runs, playing) = self.look(|state| (state.runs, state.playing));
        let wanted = if playing { runs } else { runs + 1 };
        let finished = |state: &PhoneState| state.quiet_for().is_some_and(|so_far| so_far >= quiet);
        self.until(|state| state.runs >= wanted && finished(state), limit).await
    }

    /// Waits for the end of the call.
    pub async fn ended(&self, limit: Duration) -> Result<PhoneEnd, Waited> {
        self.when(|state| state.end.clone(), limit).await
    }

    /// Looks at both sides so far, without a copy. The phone waits meanwhile.
    pub fn hear<T>(&self, hear: impl FnOnce(&Recording) -> T) -> T {
        hear(&live::lock(&self.recording))
    }

    /// Both sides so far.
    pub fn recording(&self) -> Recording {
        live::lock(&self.recording).clone()
    }

    fn order(&self, order: Order) {
        // Fails when the call is over, which the state tells.
        let _ = self.orders.try_send(order);
    }
}
