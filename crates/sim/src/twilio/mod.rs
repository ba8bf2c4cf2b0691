//! A pretend Twilio: its REST API changes calls of the pretend phone and places new ones as the real one does, and notes
//! who asked for what; and it asks main apps for instructions ([`webhook`]).
//!
//! A call that is moved or completed loses its media stream at once, and the answer to the request may come before or
//! after that. What the real one would refuse is refused with its status, code and shape. A violation is what no client
//! should send, and what the real one would let pass to the caller's harm: words that are cut, a number that nobody
//! allowed, a call that is moved twice.

mod answer;
mod document;
mod placing;
mod request;
mod stream;
pub mod webhook;

pub use placing::Placed;
pub use stream::{StreamDocument, stream_document};

use crate::{Waited, accept, http, line::Wire, phone::PhoneLine, waited};
use answer::Answer;
use request::Request;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// A running API. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Twilio {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Secrets by key.
    keys: Mutex<HashMap<String, String>>,
    calls: Mutex<HashMap<String, PhoneLine>>,
    /// Calls that were moved or ended. Their phones say nothing of whether the call itself goes on.
    changed: Mutex<HashSet<String>>,
    troubles: Mutex<VecDeque<Trouble>>,
    /// What may be dialled.
    allowed: Mutex<Vec<String>>,
    /// Who may place calls: the auth token and the numbers of an account.
    accounts: Mutex<HashMap<String, (String, Vec<String>)>>,
    /// Every answer takes so long.
    latency: Mutex<Duration>,
    /// Every key but one with `invalid` in it, and every call: for those who bring a phone of their own.
    easy: bool,
    ledger: watch::Sender<Ledger>,
    stop: CancellationToken,
}

/// Everything that was asked.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub asked: Vec<Asked>,
    /// Calls that somebody wanted to be placed.
    pub placed: Vec<Placed>,
    pub violations: Vec<String>,
}

/// One request, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub call: String,
    pub wish: Option<Wish>,
    /// The status it was answered with; 0: not at all.
    pub status: u16,
    pub at: Instant,
    /// How much the phone had played by then, and how much it still had to play.
    pub played: Duration,
    pub unplayed: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Somebody else is dialled: `Number`, `Sip` or `Client`, and whom.
    Dial(String, String),
    Complete,
}

/// What goes wrong with the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// This error is answered, and nothing is done.
    Status(u16),
    /// The connection is cut without an answer, and nothing is done.
    Cut,
    /// Nothing is done and nothing is answered.
    Silent,
    /// It is done, and answered so much later.
    Late(Duration),
}

impl Twilio {
    /// Listens on a free port of the loopback interface.
    pub async fn start() -> std::io::Result<Self> {
        Self::listen(false).await
    }

    /// Takes any key, and any call that has the right shape.
    pub async fn start_easy() -> std::io::Result<Self> {
        Self::listen(true).await
    }

    async fn listen(easy: bool) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            keys: Mutex::default(),
            calls: Mutex::default(),
            changed: Mutex::default(),
            troubles: Mutex::default(),
            allowed: Mutex::default(),
            accounts: Mutex::default(),
            latency: Mutex::default(),
            easy,
            ledger: watch::Sender::default(),
            stop: CancellationToken::new(),
        });
        let (service, stop) = (shared.clone(), shared.stop.clone());
        tokio::spawn(accept::all(listener, stop, move |tcp| serve(tcp, service.clone())));
        Ok(Self { address, shared })
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn takes_key(&self, key: &str, secret: &str) {
        lock(&self.shared.keys).insert(key.to_owned(), secret.to_owned());
    }

    /// Another number than these is not dialled.
    pub fn may_dial(&self, target: &str) {
        lock(&self.shared.allowed).push(target.to_owned());
    }

    /// An account that can place calls from these numbers. Its auth token is a key, and signs its webhooks.
    pub fn has_account(&self, sid: &str, auth_token: &str, numbers: &[&str]) {
        let numbers = numbers.iter().map(|number| (*number).to_owned()).collect();
        lock(&self.shared.accounts).insert(sid.to_owned(), (auth_token.to_owned(), numbers));
    }

    /// This call goes over the account, and can be changed while it lasts.
    pub fn carries(&self, call: PhoneLine) {
        lock(&self.shared.calls).insert(call.ids.call_sid.clone(), call);
    }

    /// The next requests meet these, one after the other.
    pub fn trouble(&self, troubles: impl IntoIterator<Item = Trouble>) {
        lock(&self.shared.troubles).extend(troubles);
    }

    /// From now on every answer takes so long.
    pub fn answers_after(&self, latency: Duration) {
        *lock(&self.shared.latency) = latency;
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.ledger.borrow().asked.clone()
    }

    pub fn violations(&self) -> Vec<String> {
        self.shared.ledger.borrow().violations.clone()
    }

    pub fn placed(&self) -> Vec<Placed> {
        self.shared.ledger.borrow().placed.clone()
    }

    /// Waits until the answer to a placed call's webhook is there, `before` others being older.
    pub async fn connected(&self, before: usize, limit: Duration) -> Result<Placed, Waited> {
        let ask =
            |ledger: &Ledger| ledger.placed.get(before).filter(|placed| placed.document.is_some()).cloned();
        waited::wait_until(&self.shared.ledger.subscribe(), limit, ask).await
    }

    /// Waits for the request that comes after `before` others.
    pub async fn request(&self, before: usize, limit: Duration) -> Result<Asked, Waited> {
        let ask = |ledger: &Ledger| ledger.asked.get(before).cloned();
        waited::wait_until(&self.shared.ledger.subscribe(), limit, ask).await
    }
}

impl Drop for Twilio {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

/// One request a connection.
async fn serve(tcp: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut wire: Wire = Box::new(tcp);
    let head = http::read_head(&mut wire).await?;
    let body = http::read_body(&mut wire, &head).await;
    let trouble = lock(&shared.troubles).pop_front();
    let request = request::read(&head, &body);
    if let Ok(request) = &request
        && request.call.is_empty()
    {
        return shared.place(wire, request, trouble).await;
    }
    let position = request.as_ref().ok().and_then(|request| shared.position(request));
    let answer = match trouble {
        Some(Trouble::Status(status)) => Some(Answer::status(status)),
        Some(Trouble::Cut | Trouble::Silent) => None,
        Some(Trouble::Late(_)) | None => Some(match &request {
            Ok(request) => shared.change(request, position),
            Err(answer) => shared.refuse(answer),
        }),
    };
    shared.note(request.ok().as_ref(), answer.as_ref(), position.unwrap_or_default());
    let latency = *lock(&shared.latency);
    tokio::time::sleep(latency).await;
    match trouble {
        Some(Trouble::Late(after)) => tokio::time::sleep(after).await,
        Some(Trouble::Silent) => http::gone(&mut wire).await,
        Some(Trouble::Status(_) | Trouble::Cut) | None => {}
    }
    let Some(answer) = answer else { return Ok(()) };
    let headers = vec![("twilio-concurrent-requests".to_owned(), "1".to_owned())];
    http::answer(&mut wire, answer.status, &headers, &answer.body).await
}

impl Shared {
    fn refuse(&self, answer: &Answer) -> Answer {
        self.violation(format!("not a request to change a call: {}", answer.body));
        answer.clone()
    }

    /// How much the phone of this call has played, and how much it still has to play.
    fn position(&self, request: &Request) -> Option<(Duration, Duration)> {
        lock(&self.calls).get(&request.call).map(PhoneLine::position)
    }

    fn change(&self, request: &Request, position: Option<(Duration, Duration)>) -> Answer {
        if !self.takes(request) {
            return Answer::status(401);
        }
        let wish = match request.wish() {
            Ok(wish) => wish,
            Err((code, message)) => {
                self.violation(message.clone());
                return Answer::error(400, code, &message);
            }
        };
        if self.easy {
            return Answer::call(request);
        }
        if let Wish::Dial(_, target) = &wish
            && !lock(&self.allowed).contains(target)
        {
            self.violation("a number is dialled that nobody allowed".to_owned());
        }
        let call = lock(&self.calls).get(&request.call).cloned();
        let call = call.filter(|call| call.ids.account_sid == request.account);
        let again = lock(&self.changed).contains(&request.call);
        let Some(call) = call.filter(|call| again || call.is_live()) else { return not_found(request) };
        if again {
            self.violation("a call is changed twice".to_owned());
            return Answer::call(request);
        }
        if let Some((_, unplayed)) = position.filter(|(_, unplayed)| !unplayed.is_zero()) {
            self.violation(format!("a call is taken away with {unplayed:?} of speech still to be heard"));
        }
        lock(&self.changed).insert(request.call.clone());
        call.end_by_carrier();
        Answer::call(request)
    }

    fn takes(&self, request: &Request) -> bool {
        match lock(&self.keys).get(&request.key) {
            Some(secret) => *secret == request.secret,
            None => self.easy && !request.key.contains("invalid"),
        }
    }

    fn note(&self, request: Option<&Request>, answer: Option<&Answer>, position: (Duration, Duration)) {
        let call = request.map(|request| request.call.clone()).unwrap_or_default();
        let wish = request.and_then(|request| request.wish().ok());
        let (status, (played, unplayed)) = (answer.map_or(0, |answer| answer.status), position);
        let asked = Asked { call, wish, status, at: Instant::now(), played, unplayed };
        self.ledger.send_modify(|ledger| {
            if ledger.asked.len() < MOST {
                ledger.asked.push(asked);
            }
        });
    }

    fn violation(&self, what: String) {
        self.ledger.send_modify(|ledger| {
            if ledger.violations.len() < MOST {
                ledger.violations.push(what);
            }
        });
    }
}

fn not_found(request: &Request) -> Answer {
    let path = format!("/2010-04-01/Accounts/{}/Calls/{}.json", request.account, request.call);
    Answer::error(404, 20404, &format!("The requested resource {path} was not found"))
}

/// A panic elsewhere must not take the API down.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Requests and violations kept.
const MOST: usize = 1_024;
