//! How does a WebSocket begin on the wire? With one HTTP/1.1 request and one answer, read and written here by hand.
//!
//! A library would hide what tests must see: the refusal's status, headers and whole body, and every header sent.

use crate::line::Wire;
use std::io::{Error, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// In the order of arrival, names in lower case.
pub type Headers = Vec<(String, String)>;

/// A path can carry a whole token; 64 kB of it and the other headers fit.
const MAX_HEAD: usize = 128 * 1024;
const MAX_BODY: usize = 64 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The request line or the status line.
    pub start: String,
    pub headers: Headers,
    /// What came in the same read after the empty line.
    pub rest: Vec<u8>,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The second word: a request's target, an answer's status.
    pub fn second(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or("")
    }
}

pub(crate) async fn read_head(wire: &mut Wire) -> Result<Head, Error> {
    read_head_after(wire, Vec::with_capacity(1024)).await
}

/// `bytes` were read before, behind the message that came first on this connection.
pub(crate) async fn read_head_after(wire: &mut Wire, mut bytes: Vec<u8>) -> Result<Head, Error> {
    let mut from = 0;
    loop {
        if let Some(at) = bytes[from..].windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(from + at + 4);
            return parse(&bytes, rest);
        }
        if bytes.len() > MAX_HEAD {
            return Err(Error::new(ErrorKind::InvalidData, "the HTTP head is too large"));
        }
        from = bytes.len().saturating_sub(3);
        if wire.read_buf(&mut bytes).await? == 0 {
            return Err(Error::new(
                ErrorKind::UnexpectedEof,
                "the connection ended before the HTTP head did",
            ));
        }
    }
}

/// Reads the rest of a body whose beginning came with the head; a cut body is returned as far as it came.
pub(crate) async fn read_body(wire: &mut Wire, head: &Head) -> Vec<u8> {
    read_body_up_to(wire, head, MAX_BODY).await
}

pub(crate) async fn read_body_up_to(wire: &mut Wire, head: &Head, most: usize) -> Vec<u8> {
    let mut body = head.rest.clone();
    let length = head.header("content-length").and_then(|text| text.parse::<usize>().ok());
    let wanted = length.unwrap_or(most).min(most);
    while body.len() < wanted {
        match wire.read_buf(&mut body).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    body.truncate(wanted);
    body
}

pub(crate) async fn write_head(
    wire: &mut Wire,
    start: &str,
    headers: &Headers,
    body: &str,
) -> Result<(), Error> {
    let mut text = String::with_capacity(512 + start.len());
    text.push_str(start);
    text.push_str("\r\n");
    for (name, value) in headers {
        if [name, value].iter().any(|part| part.contains(['\r', '\n'])) {
            return Err(Error::new(ErrorKind::InvalidInput, format!("header {name} contains a line break")));
        }
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    wire.write_all(text.as_bytes()).await?;
    wire.flush().await
}

/// An ordinary answer with a JSON body, after which the connection is closed.
pub(crate) async fn answer(wire: &mut Wire, status: u16, extra: &Headers, body: &str) -> Result<(), Error> {
    let mut headers: Headers = vec![
        ("content-type".into(), "application/json".into()),
        ("content-length".into(), body.len().to_string()),
        ("connection".into(), "close".into()),
    ];
    headers.extend(extra.iter().cloned());
    write_head(wire, &format!("HTTP/1.1 {status} {}", phrase(status)), &headers, body).await?;
    wire.shutdown().await
}

pub(crate) fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Refused",
    }
}

fn parse(bytes: &[u8], rest: Vec<u8>) -> Result<Head, Error> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or("").to_owned();
    let mut headers = Headers::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else {
            return Err(Error::new(ErrorKind::InvalidData, format!("not an HTTP header: {line:?}")));
        };
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Head { start, headers, rest })
}

/// `%20` and its like as what they stand for.
pub(crate) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let mut ahead = rest.clone();
        match (byte, hex(ahead.next()), hex(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Names and values of a query, in order.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (k.to_owned(), unescaped(v)))
        .collect()
}

/// Until the other side has closed, whatever else it says.
pub(crate) async fn gone(wire: &mut Wire) {
    let mut rest = [0; 256];
    while wire.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}
