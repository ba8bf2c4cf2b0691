//! A pretend main app and its storage: it takes what a relay posts and puts, remembers it, and answers as told.

use crate::{Headers, Waited, accept, http, line::Wire, waited};
use serde_json::Value;
use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

/// A running app. Dropping it cuts every connection.
#[derive(Debug)]
pub struct App {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    answers: Mutex<HashMap<String, Answer>>,
    posts: watch::Sender<Vec<Post>>,
    stop: CancellationToken,
}

/// What came.
#[derive(Clone, Debug)]
pub struct Post {
    /// `POST`, `PUT` for a recording, `GET` for a configuration.
    pub method: String,
    pub path: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    /// The client hung up before it had its answer.
    pub abandoned: bool,
}

/// What is answered at a path.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    pub after: Duration,
    /// The connection breaks instead, so many times.
    pub cuts: u32,
    /// These are answered first, one after the other.
    pub first: VecDeque<u16>,
    /// Beside the usual ones.
    pub headers: Headers,
}

impl Answer {
    pub fn json(body: &Value) -> Self {
        Self::status(200, &body.to_string())
    }

    pub fn status(status: u16, body: &str) -> Self {
        let (body, after) = (body.to_owned(), Duration::ZERO);
        Self { status, body, after, cuts: 0, first: VecDeque::new(), headers: Headers::new() }
    }

    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    pub fn first(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.first.extend(statuses);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn cuts(mut self, times: u32) -> Self {
        self.cuts = times;
        self
    }
}

impl Post {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// `null` when it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl App {
    /// Listens on a free port of the loopback interface.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            posts: watch::Sender::default(),
            stop: CancellationToken::new(),
        });
        let (service, stop) = (shared.clone(), shared.stop.clone());
        tokio::spawn(accept::all(listener, stop, move |tcp| serve(tcp, service.clone())));
        Ok(Self { address, shared })
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on this path is answered so. Others are answered with 404.
    pub fn answer(&self, path: &str, answer: Answer) {
        lock(&self.shared.answers).insert(path.to_owned(), answer);
    }

    /// What came to this path so far.
    pub fn posts(&self, path: &str) -> Vec<Post> {
        self.shared.posts.borrow().iter().filter(|post| post.path == path).cloned().collect()
    }

    /// Waits for the one that comes after `before` others, and for it to be so.
    pub async fn post(
        &self,
        path: &str,
        before: usize,
        is_so: impl Fn(&Post) -> bool,
        limit: Duration,
    ) -> Result<Post, Waited> {
        let of_path = |all: &Vec<Post>| {
            all.iter().filter(|post| post.path == path).nth(before).filter(|post| is_so(post)).cloned()
        };
        waited::wait_until(&self.shared.posts.subscribe(), limit, of_path).await
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

/// One request a connection.
async fn serve(tcp: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut wire: Wire = Box::new(tcp);
    let head = http::read_head(&mut wire).await?;
    let method = head.start.split(' ').next().unwrap_or("").to_owned();
    let body = match &*method {
        "GET" => Vec::new(),
        _ => http::read_body_up_to(&mut wire, &head, LARGEST).await,
    };
    let path = head.second().split('?').next().unwrap_or("").to_owned();
    // Chosen before anybody can know that it came: who then changes the answer means the next one.
    let answer = {
        let mut answers = lock(&shared.answers);
        match answers.get_mut(&path) {
            Some(answer) if answer.cuts > 0 => {
                answer.cuts -= 1;
                None
            }
            Some(answer) => {
                let status = answer.first.pop_front().unwrap_or(answer.status);
                Some(Answer { status, ..answer.clone() })
            }
            None => Some(Answer::status(404, "{}")),
        }
    };
    let mut at = 0;
    shared.posts.send_modify(|all| {
        at = all.len();
        all.push(Post { method, path, headers: head.headers.clone(), body, abandoned: false });
    });
    let Some(answer) = answer else { return Ok(()) };
    tokio::select! {
        () = tokio::time::sleep(answer.after) => {}
        () = http::gone(&mut wire) => {
            shared.posts.send_modify(|all| all[at].abandoned = true);
            return Ok(());
        }
    }
    http::answer(&mut wire, answer.status, &answer.headers, &answer.body).await
}

/// An hour of a recording.
const LARGEST: usize = 64 << 20;

/// A panic elsewhere must not take the app down.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
