//! A pretend language model behind the chat-completions protocol, as Groq and OpenAI have it.
//!
//! Answers are scripted and streamed word by word, with all the oddities that real streams have. Everything a
//! client does wrong is counted. A test gives each call its own key and finds the call's requests by that key.

mod behaviour;
mod door;
mod stream;
mod strict;

pub use behaviour::{Answer, Behaviour, ErrorForm, Fault};

use crate::{Headers, Waited, waited};
use serde_json::Value;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

/// Requests remembered; the oldest are forgotten.
const MAX_REMEMBERED: usize = 50_000;

#[derive(Clone, Debug, Default)]
pub struct ChatOptions {
    /// For every request whose key has no behaviour of its own.
    pub behaviour: Behaviour,
}

/// A running service. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Chat {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: ChatOptions,
    by_key: Mutex<HashMap<String, Behaviour>>,
    requests: watch::Sender<Vec<Request>>,
    stop: CancellationToken,
}

/// One question, and what became of it.
#[derive(Clone, Debug)]
pub struct Request {
    key: String,
    /// Which connection it came on, counted from 1.
    pub connection: usize,
    pub headers: Headers,
    pub body: Value,
    /// From the question to the first word, as it was and not as it was told to be.
    pub first_word_after: Option<Duration>,
    /// Pieces of the answer that were sent.
    pub sent: usize,
    /// The answer was sent to its end.
    pub finished: bool,
    /// The client did not want the rest of it.
    pub cancelled: bool,
    pub violations: Vec<String>,
}

impl Request {
    /// Role and content of every message.
    pub fn messages(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let messages = self.body["messages"].as_array();
        messages.into_iter().flatten().map(|one| (text(&one["role"]), text(&one["content"]))).collect()
    }
}

impl Chat {
    /// Listens on a free port of the loopback interface.
    pub async fn start(options: ChatOptions) -> std::io::Result<Self> {
        Self::serve(TcpListener::bind(("127.0.0.1", 0)).await?, options)
    }

    pub fn serve(listener: TcpListener, options: ChatOptions) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            options,
            by_key: Mutex::default(),
            requests: watch::Sender::new(Vec::new()),
            stop: CancellationToken::new(),
        });
        tokio::spawn(door::accept_all(listener, shared.clone()));
        Ok(Self { address, shared })
    }

    /// What to set as `GROQ_BASE_URL`, or as `OPENAI_BASE_URL` for chat alone.
    pub fn base_url(&self) -> String {
        format!("http://{}/openai/v1", self.address)
    }

    /// From now on requests with this key are answered so.
    pub fn behave(&self, key: &str, behaviour: Behaviour) {
        lock(&self.shared.by_key).insert(key.to_owned(), behaviour);
    }

    /// All questions with this key so far, oldest first.
    pub fn requests(&self, key: &str) -> Vec<Request> {
        self.shared.requests.borrow().iter().filter(|one| one.key == key).cloned().collect()
    }

    /// Waits for the question with this key that comes after `before` others.
    pub async fn request(&self, key: &str, before: usize, limit: Duration) -> Result<Request, Waited> {
        self.when(key, limit, |requests| requests.get(before).map(|one| (*one).clone())).await
    }

    /// Waits until `ask` has an answer, looking at all questions with this key.
    pub async fn when<T>(
        &self,
        key: &str,
        limit: Duration,
        ask: impl Fn(&[&Request]) -> Option<T>,
    ) -> Result<T, Waited> {
        let of_key = |all: &Vec<Request>| {
            let of_key: Vec<&Request> = all.iter().filter(|one| one.key == key).collect();
            ask(&of_key)
        };
        waited::wait_until(&self.shared.requests.subscribe(), limit, of_key).await
    }

    /// Every violation of every request.
    pub fn violations(&self) -> Vec<String> {
        self.shared.requests.borrow().iter().flat_map(|one| one.violations.clone()).collect()
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Shared {
    /// The answer to this question. Scripts are used up in order, unless one fits the caller's words.
    fn answer(&self, key: &str, question: &str) -> (Behaviour, Answer) {
        let mut by_key = lock(&self.by_key);
        let behaviour = by_key.entry(key.to_owned()).or_insert_with(|| self.options.behaviour.clone());
        let answer = behaviour.answer(question);
        (behaviour.clone(), answer)
    }

    /// Remembers a question, and says which one it is.
    fn remember(&self, request: Request) -> usize {
        let mut at = 0;
        self.requests.send_modify(|all| {
            if all.len() < MAX_REMEMBERED {
                all.push(request);
            }
            at = all.len() - 1;
        });
        at
    }

    fn update(&self, at: usize, change: impl FnOnce(&mut Request)) {
        self.requests.send_modify(|all| {
            if let Some(request) = all.get_mut(at) {
                change(request);
            }
        });
    }
}

/// A panic elsewhere must not take the service down.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
