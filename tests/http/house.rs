//! A relay's doors on a free port with a toy switchboard behind them, and a client that writes raw HTTP.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use patchcord::{
    drain::Lifecycle,
    http::{self, Ask, Entrance, Limits, Refused, Slot, Slots, Switchboard},
    metrics::Metrics,
    phone::Phone,
    settings::Settings,
};
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use tokio_util::sync::CancellationToken;

/// Says back what it hears. The token decides what else: see [`Toy::admit`] and [`Toy::connect`].
#[derive(Clone, Debug)]
pub struct Toy {
    pub asks: mpsc::UnboundedSender<Ask>,
    pub admitted: Arc<AtomicUsize>,
    life: Lifecycle,
}

impl Switchboard for Toy {
    type Ticket = String;

    async fn admit(&self, ask: Ask) -> Result<String, Refused> {
        self.admitted.fetch_add(1, Relaxed);
        let token = ask.token.as_ref().map_or(String::new(), |it| it.token.expose_secret().to_owned());
        self.asks.send(ask.clone()).ok();
        if token == "bad" {
            return Err(Refused::new(401.try_into().unwrap(), "token_malformed", "not a token"));
        }
        if let Some(region) = token.strip_prefix("region-") {
            ask.in_region(region)?;
        }
        assert_ne!(token, "panic-early", "as the toy was told");
        Ok(token)
    }

    async fn connect(&self, token: String, mut slot: Slot, mut socket: WebSocketStream<TcpStream>) {
        assert_ne!(token, "panic", "as the toy was told");
        loop {
            tokio::select! {
                () = self.life.stop.cancelled() => break,
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) if text == "confirm" => slot.confirm(),
                    Some(Ok(message @ Message::Text(_))) => {
                        if futures_util::SinkExt::send(&mut socket, message).await.is_err() {
                            break;
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                },
            }
        }
    }
}

pub struct House {
    pub addr: SocketAddr,
    pub ops: SocketAddr,
    pub life: Lifecycle,
    pub metrics: Arc<Metrics>,
    pub slots: Slots,
    pub asks: mpsc::UnboundedReceiver<Ask>,
    pub admitted: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Drop for House {
    fn drop(&mut self) {
        self.life.stop.cancel();
        self.stop.cancel();
    }
}

/// With these variables beside the secret, and the defaults for the rest.
pub async fn open(variables: &[(&str, &str)]) -> House {
    open_with(variables, Duration::from_secs(5), 64).await
}

pub async fn open_with(variables: &[(&str, &str)], head: Duration, connections: usize) -> House {
    let secret = ("RELAY_SECRET", "0123456789abcdef0123456789abcdef");
    let settings = Settings::read([secret].iter().chain(variables).copied()).unwrap();
    let (life, metrics, stop) =
        (Lifecycle::default(), Arc::new(Metrics::default()), CancellationToken::new());
    let (send, asks) = mpsc::unbounded_channel();
    let admitted = Arc::new(AtomicUsize::new(0));
    let slots = Slots::new(settings.max_calls, settings.max_pending);
    let listener = || http::listen(settings.bind, 0).unwrap();
    let (public, ops) = (listener(), listener());
    let port =
        |listener: &TcpListener| SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
    let (addr, ops_addr) = (port(&public), port(&ops));
    let phone = settings.phone_page.then(Phone::default);
    let entrance = Entrance {
        settings: Arc::new(settings),
        lifecycle: life.clone(),
        metrics: metrics.clone(),
        slots: slots.clone(),
        switchboard: Toy { asks: send, admitted: admitted.clone(), life: life.clone() },
        phone,
        reception: None,
        since: Instant::now(),
    };
    let limits = Limits { head, connections };
    tokio::spawn(http::serve(public, http::public(entrance.clone()), limits, metrics.clone(), stop.clone()));
    tokio::spawn(http::serve(ops, http::ops(entrance), limits, metrics.clone(), stop.clone()));
    House { addr, ops: ops_addr, life, metrics, slots, asks, admitted, stop }
}

impl House {
    /// A carrier's upgrade, as Twilio sends it, with headers of the test's own.
    pub async fn upgrade(&self, path: &str, headers: &str) -> Answer {
        ask(self.addr, &upgrade(path, headers)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        ask(self.addr, &format!("GET {path} HTTP/1.1\r\nhost: relay\r\n\r\n")).await
    }

    /// Waits for what is promised to become true, and no longer than a test may take.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let wait = async {
            while !holds(self) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
    }
}

pub fn upgrade(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: relay\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

/// A head, and what came with it; for a 101 the socket is still open.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
    pub socket: TcpStream,
}

pub async fn ask(addr: SocketAddr, request: &str) -> Answer {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    answer(socket).await
}

/// Reads the answer: to the end of the socket, or of the head when that is a 101.
pub async fn answer(mut socket: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let read = async {
        loop {
            let text = String::from_utf8_lossy(&bytes);
            if text.starts_with("HTTP/1.1 101") && text.ends_with("\r\n\r\n") {
                return;
            }
            match socket.read_buf(&mut bytes).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)),
            }
        }
    };
    timeout(Duration::from_secs(10), read).await.expect("an answer");
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned(), socket }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.body))
    }

    /// The refusal's code, in the one shape that refusals have.
    pub fn code(&self) -> String {
        let json = self.json();
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(json["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
        json["error"]["code"].as_str().unwrap().to_owned()
    }

    /// The call behind a 101.
    pub async fn call(self) -> WebSocketStream<TcpStream> {
        assert_eq!(self.status, 101, "{} {}", self.head, self.body);
        let role = tokio_tungstenite::tungstenite::protocol::Role::Client;
        WebSocketStream::from_raw_socket(self.socket, role, None).await
    }
}
