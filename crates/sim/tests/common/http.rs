//! The smallest HTTP/1.1 client that shows what a library hides: each chunk, each byte, and how a body ended.

use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

pub const LIMIT: Duration = Duration::from_secs(10);

pub struct Caller {
    pub tcp: TcpStream,
    early: Vec<u8>,
}

#[derive(Debug)]
pub struct Heard {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// As they were framed; one when the length was known.
    pub chunks: Vec<Vec<u8>>,
    /// The body came to its proper end.
    pub whole: bool,
}

/// One event: its name, if it has one, and its data.
pub type Event = (Option<String>, String);

impl Caller {
    pub async fn open(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Self { tcp, early: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.tcp.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Asks and hears the whole answer.
    pub async fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Heard {
        self.send(bytes).await;
        self.hear().await
    }

    pub async fn hear(&mut self) -> Heard {
        let mut heard = self.head().await;
        if let Some(length) = heard.header("content-length") {
            let length = length.parse().unwrap();
            heard.chunks.push(self.take(length).await.unwrap());
            heard.whole = true;
            return heard;
        }
        assert_eq!(heard.header("transfer-encoding"), Some("chunked"));
        while let Some(chunk) = self.chunk().await {
            if chunk.is_empty() {
                heard.whole = true;
                break;
            }
            heard.chunks.push(chunk);
        }
        heard
    }

    pub async fn head(&mut self) -> Heard {
        let mut lines = Vec::new();
        loop {
            match self.line().await.expect("the connection ended before the head") {
                end if end.is_empty() => break,
                line => lines.push(line),
            }
        }
        let status = lines[0].strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let split = |line: &String| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        };
        Heard { status, headers: lines[1..].iter().map(split).collect(), chunks: Vec::new(), whole: false }
    }

    /// `None` when the connection is over, empty at the end of the body.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(&self.line().await?, 16).unwrap();
        let chunk = self.take(size).await?;
        assert_eq!(self.line().await?, "");
        Some(chunk)
    }

    /// Reads chunks until `text` has been in the body.
    pub async fn chunks_until(&mut self, text: &str) -> String {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk().await.expect("the connection ended");
            assert!(!chunk.is_empty(), "the body ended: {}", String::from_utf8_lossy(&body));
            body.extend(chunk);
            let so_far = String::from_utf8_lossy(&body);
            if so_far.contains(text) {
                return so_far.into_owned();
            }
        }
    }

    /// Nothing more comes, and the connection is closed.
    pub async fn is_closed(&mut self) -> bool {
        !self.more().await && self.early.is_empty()
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.early.windows(2).position(|two| two == b"\r\n") {
                let line = self.take(at + 2).await?;
                return Some(String::from_utf8(line[..at].to_vec()).unwrap());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.early.len() < length {
            if !self.more().await {
                return None;
            }
        }
        let rest = self.early.split_off(length);
        Some(std::mem::replace(&mut self.early, rest))
    }

    async fn more(&mut self) -> bool {
        let read = timeout(LIMIT, self.tcp.read_buf(&mut self.early)).await.expect("nothing came in time");
        read.is_ok_and(|count| count > 0)
    }
}

impl Heard {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn body(&self) -> String {
        String::from_utf8(self.chunks.concat()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body()).unwrap()
    }

    pub fn events(&self) -> Vec<Event> {
        let body = self.body().replace("\r\n", "\n");
        let mut events = Vec::new();
        for block in body.split_terminator("\n\n") {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if let Some(data) = field("data:") {
                events.push((field("event:").map(str::to_owned), data.to_owned()));
            }
        }
        events
    }

    /// The data of every event that is JSON.
    pub fn data(&self) -> Vec<Value> {
        self.events().iter().filter_map(|(_, data)| serde_json::from_str(data).ok()).collect()
    }

    /// All `delta.content`, or `delta.reasoning`, one after the other.
    pub fn said(&self, member: &str) -> String {
        self.data().iter().filter_map(|chunk| chunk["choices"][0]["delta"][member].as_str()).collect()
    }

    pub fn finish_reason(&self) -> Option<String> {
        let data = self.data();
        data.iter().find_map(|chunk| chunk["choices"][0]["finish_reason"].as_str()).map(str::to_owned)
    }

    pub fn is_done(&self) -> bool {
        self.events().last().is_some_and(|(_, data)| data == "[DONE]")
    }
}

/// A body that nobody can object to.
pub fn body(user: &str) -> Value {
    json!({
        "model": "openai/gpt-oss-120b",
        "stream": true,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": user}],
    })
}

pub fn post(key: &str, body: &Value) -> String {
    post_text("/openai/v1/chat/completions", key, &body.to_string())
}

pub fn post_text(path: &str, key: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: pretend\r\nauthorization: Bearer {key}\r\nuser-agent: test/1\r\n\
         content-type: application/json\r\naccept: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub fn get(path: &str, key: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: pretend\r\nauthorization: Bearer {key}\r\nuser-agent: test/1\r\n\r\n"
    )
}
