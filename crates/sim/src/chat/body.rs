//! What did the client send behind the head? A body of a known length or in chunks, at most 1 MB of it.

use super::client::Client;
use crate::http::Head;
use std::io::Error;

pub(super) const MAX_BODY: usize = 1 << 20;
/// A chunk's size, or a trailer.
const MAX_LINE: usize = 1024;

#[derive(Debug, PartialEq)]
pub(super) enum Body {
    Whole(Vec<u8>),
    /// It was not read to its end.
    TooLarge,
    /// Not HTTP.
    Broken(&'static str),
}

/// An error is a connection that ended before the body did.
pub(super) async fn read(client: &mut Client, head: &Head) -> Result<Body, Error> {
    match (head.header("transfer-encoding"), head.header("content-length")) {
        (Some(_), Some(_)) => Ok(Body::Broken("transfer-encoding and content-length at once")),
        (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => chunked(client).await,
        (Some(_), None) => Ok(Body::Broken("a transfer-encoding that is not chunked")),
        (None, Some(text)) => match text.parse::<usize>() {
            Ok(length) if length > MAX_BODY => Ok(Body::TooLarge),
            Ok(length) => Ok(Body::Whole(take(client, length).await?)),
            Err(_) => Ok(Body::Broken("a content-length that is no number")),
        },
        (None, None) => Ok(Body::Whole(Vec::new())),
    }
}

async fn chunked(client: &mut Client) -> Result<Body, Error> {
    let mut body = Vec::new();
    loop {
        let Some(line) = line(client).await? else { return Ok(Body::Broken("a chunk's size is too long")) };
        let digits = line.split(';').next().unwrap_or("").trim();
        let Ok(size) = usize::from_str_radix(digits, 16) else {
            return Ok(Body::Broken("a chunk's size is no number"));
        };
        if size > MAX_BODY - body.len() {
            return Ok(Body::TooLarge);
        }
        if size == 0 {
            return trailers(client).await.map(|end| end.unwrap_or(Body::Whole(body)));
        }
        body.append(&mut take(client, size).await?);
        if line_is_not_empty(client).await? {
            return Ok(Body::Broken("a chunk is longer than its size"));
        }
    }
}

/// Up to the empty line; `None` when all is well.
async fn trailers(client: &mut Client) -> Result<Option<Body>, Error> {
    for _ in 0..64 {
        match line(client).await? {
            Some(line) if line.is_empty() => return Ok(None),
            Some(_) => {}
            None => break,
        }
    }
    Ok(Some(Body::Broken("too much behind the last chunk")))
}

async fn line_is_not_empty(client: &mut Client) -> Result<bool, Error> {
    Ok(line(client).await?.is_none_or(|line| !line.is_empty()))
}

async fn line(client: &mut Client) -> Result<Option<String>, Error> {
    loop {
        if let Some(at) = client.early.windows(2).position(|two| two == b"\r\n") {
            let rest = client.early.split_off(at + 2);
            let line = std::mem::replace(&mut client.early, rest);
            return Ok(Some(String::from_utf8_lossy(&line[..at]).into_owned()));
        }
        if client.early.len() > MAX_LINE {
            return Ok(None);
        }
        more(client).await?;
    }
}

async fn take(client: &mut Client, length: usize) -> Result<Vec<u8>, Error> {
    while client.early.len() < length {
        more(client).await?;
    }
    let rest = client.early.split_off(length);
    Ok(std::mem::replace(&mut client.early, rest))
}

async fn more(client: &mut Client) -> Result<(), Error> {
    match client.fill().await? {
        true => Ok(()),
        false => Err(Error::new(std::io::ErrorKind::UnexpectedEof, "the connection ended in a body")),
    }
}
