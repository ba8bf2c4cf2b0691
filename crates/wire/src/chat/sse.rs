//! Server-sent events out of a stream of bytes that is cut anywhere, also in the middle of a letter.

use bytes::{Buf, BytesMut};

/// One event's data, and whether the event was named `error`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub data: Vec<u8>,
    pub is_error: bool,
}

#[derive(Debug, Default)]
pub(super) struct Sse {
    bytes: BytesMut,
    /// Up to here there is no end of a line.
    seen: usize,
    data: Option<Vec<u8>>,
    is_error: bool,
}

/// No event is so long: what comes is not a stream of events.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Sse {
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.bytes.len() + self.data.as_ref().map_or(0, Vec::len) + bytes.len() > LONGEST {
            return Err(TooLong);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub fn next(&mut self) -> Option<Event> {
        loop {
            let Some(found) = self.bytes[self.seen..].iter().position(|byte| matches!(byte, b'\n' | b'\r'))
            else {
                self.seen = self.bytes.len();
                return None;
            };
            let end = self.seen + found;
            let both = match (self.bytes[end], self.bytes.get(end + 1)) {
                (b'\r', Some(b'\n')) => 2,
                (b'\r', None) => {
                    self.seen = end; // the other half may still come
                    return None;
                }
                _ => 1,
            };
            let line = self.bytes.split_to(end);
            self.bytes.advance(both);
            self.seen = 0;
            if line.is_empty() {
                let is_error = std::mem::take(&mut self.is_error);
                if let Some(data) = self.data.take() {
                    return Some(Event { data, is_error });
                }
            } else {
                self.line(&line);
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                let data = self.data.get_or_insert_default();
                if !data.is_empty() {
                    data.push(b'\n');
                }
                data.extend_from_slice(value);
            }
            b"event" => self.is_error = value == b"error",
            _ => {} // comments, ids, retry times
        }
    }
}

const LONGEST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<(String, bool)> {
        let mut sse = Sse::default();
        let mut out = Vec::new();
        for piece in pieces {
            sse.push(piece).unwrap();
            while let Some(event) = sse.next() {
                out.push((String::from_utf8(event.data).unwrap(), event.is_error));
            }
        }
        out
    }

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        let text = ": hello\r\n\r\ndata: {\"a\":\"é\"}\r\n\r\nid: 7\ndata:one\ndata: two\n\nevent: error\ndata: no\n\ndata: [DONE]\n\n";
        let whole = events(&[text.as_bytes()]);
        let expected = [("{\"a\":\"é\"}", false), ("one\ntwo", false), ("no", true), ("[DONE]", false)];
        assert_eq!(whole, expected.map(|(data, error)| (data.to_owned(), error)));
        for cut in 1..text.len() {
            let (left, right) = text.as_bytes().split_at(cut);
            assert_eq!(events(&[left, right]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(events(&bytes), whole);
    }

    #[test]
    fn an_endless_line_fills_no_memory() {
        let mut sse = Sse::default();
        let pushed = (0..).take_while(|_| sse.push(&[b'x'; 4_096]).is_ok() && sse.next().is_none()).count();
        assert_eq!(pushed, LONGEST / 4_096);
    }
}
