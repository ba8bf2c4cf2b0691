//! Reads the head of a request, whole, before anybody parses it.
//!
//! hyper could do it, but its clock and its limits are one for everything: here a path may be 64 kB (a token
//! stands in it) while the headers may not, a head that drips in byte by byte has one deadline from its first
//! byte to its last, and every refusal has a body that says why.

use std::{io, time::Duration};

use bytes::BytesMut;
use tokio::{net::TcpStream, time::timeout};

use super::refusal::Refused;

/// Why there is no head.
#[derive(Debug)]
pub(super) enum Fault {
    /// The peer went away, or never came to an end. There is nobody to answer.
    Gone,
    Refused(Refused),
}

/// The head, perhaps with the first bytes behind it.
pub(super) async fn read(tcp: &TcpStream, limit: Duration) -> Result<BytesMut, Fault> {
    timeout(limit, read_all(tcp)).await.unwrap_or(Err(Fault::Gone))
}

async fn read_all(tcp: &TcpStream) -> Result<BytesMut, Fault> {
    let mut bytes = BytesMut::with_capacity(ORDINARY);
    let mut scan = Scan::default();
    loop {
        tcp.readable().await.map_err(|_| Fault::Gone)?;
        match tcp.try_read_buf(&mut bytes) {
            Ok(0) => return Err(Fault::Gone),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return Err(Fault::Gone),
        }
        if scan.is_complete(&bytes).map_err(Fault::Refused)? {
            return Ok(bytes);
        }
        bytes.reserve(ORDINARY);
    }
}

/// Finds the end of the head, looking at each byte once.
#[derive(Default)]
struct Scan {
    seen: usize,
    /// Where the current line began.
    line: usize,
    lines: usize,
    /// Where the request line ended.
    request: Option<usize>,
}

impl Scan {
    fn is_complete(&mut self, bytes: &[u8]) -> Result<bool, Refused> {
        for (offset, byte) in bytes[self.seen..].iter().enumerate() {
            if *byte != b'\n' {
                continue;
            }
            let end = self.seen + offset + 1;
            let line = &bytes[self.line..end];
            let empty = line == b"\n" || line == b"\r\n";
            (self.line, self.lines) = (end, self.lines + 1);
            if self.request.is_none() {
                if empty {
                    return Err(Refused::bad_request("the request begins with an empty line"));
                }
                self.request = Some(end);
            }
            self.within_limits(end)?;
            if empty {
                return Ok(true);
            }
        }
        self.seen = bytes.len();
        self.within_limits(bytes.len())?;
        Ok(false)
    }

    fn within_limits(&self, length: usize) -> Result<(), Refused> {
        match self.request {
            None if length > REQUEST_LINE => Err(Refused::token_too_large()),
            Some(end) if end > REQUEST_LINE => Err(Refused::token_too_large()),
            Some(end) if length - end > HEADERS || self.lines > LINES => Err(Refused::headers_too_large()),
            None | Some(_) => Ok(()),
        }
    }
}

/// What a carrier's upgrade without a token in the path takes.
const ORDINARY: usize = 2048;
/// The longest that a URL can be in the `http` crate is 65 534 bytes: a 64 kB token in the path, less a few.
const REQUEST_LINE: usize = 65_534;
const HEADERS: usize = 16 * 1024;
/// hyper's own limit is 100 headers, which would be answered without a body.
const LINES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(pieces: &[&[u8]]) -> Result<bool, &'static str> {
        let (mut scan, mut bytes) = (Scan::default(), Vec::new());
        for piece in pieces {
            bytes.extend_from_slice(piece);
            match scan.is_complete(&bytes) {
                Ok(false) => {}
                Ok(true) => return Ok(true),
                Err(refused) => return Err(refused.code),
            }
        }
        Ok(false)
    }

    #[test]
    fn a_head_ends_at_its_empty_line_however_it_is_cut() {
        let head = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        assert_eq!(scan(&[head]), Ok(true));
        let bytes: Vec<&[u8]> = head.chunks(1).collect();
        assert_eq!(scan(&bytes), Ok(true));
        assert_eq!(scan(&bytes[..bytes.len() - 1]), Ok(false));
        assert_eq!(scan(&[b"GET / HTTP/1.1\nhost: a\n\n"]), Ok(true));
    }

    #[test]
    fn the_path_may_be_long_and_the_headers_may_not() {
        let path = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(60_000));
        assert_eq!(scan(&[path.as_bytes()]), Ok(true));
        let endless = vec![b'a'; REQUEST_LINE + 1];
        assert_eq!(scan(&[&endless]), Err("token_too_large"));
        let long = format!("GET / HTTP/1.1\r\na: {}", "a".repeat(HEADERS));
        assert_eq!(scan(&[long.as_bytes()]), Err("headers_too_large"));
        let many = format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(LINES));
        assert_eq!(scan(&[many.as_bytes()]), Err("headers_too_large"));
    }

    #[test]
    fn a_request_that_begins_with_nothing_is_refused() {
        assert_eq!(scan(&[b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"]), Err("bad_request"));
    }
}
