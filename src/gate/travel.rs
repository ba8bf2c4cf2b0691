//! Where in a request, or in `start`, the token is.
//!
//! The first place that has one wins. Twilio drops query strings and knows no headers of ours, so there it
//! comes in the path or, in pieces, as parameters of `start`; the order of those is not promised, which is
//! why they are numbered and counted.

use std::{borrow::Cow, fmt};

use super::{
    envelope::TOKEN_MAX,
    refusal::{Code, Refusal},
};

/// The places of an upgrade request that can hold a token. Fill in what is there, as it is.
#[derive(Clone, Copy, Default)]
pub struct AtUpgrade<'a> {
    /// The header `Authorization`.
    pub authorization: Option<&'a str>,
    /// The header `x-telnyx-streaming-auth-token`.
    pub telnyx: Option<&'a str>,
    /// The path segment behind the carrier's name.
    pub segment: Option<&'a str>,
    /// The query, without the question mark.
    pub query: Option<&'a str>,
}

/// A token and where it was.
#[derive(Clone, PartialEq, Eq)]
pub struct Carried<'a> {
    pub place: Place,
    pub token: Cow<'a, str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Authorization,
    TelnyxHeader,
    Path,
    Query,
    Start,
}

/// `None` when the token is still to come in `start`.
pub fn at_upgrade<'a>(request: &AtUpgrade<'a>) -> Option<Carried<'a>> {
    let places = [
        (Place::Authorization, request.authorization.and_then(bearer)),
        (Place::TelnyxHeader, request.telnyx.map(str::trim)),
        (Place::Path, request.segment),
        (Place::Query, request.query.and_then(in_query)),
    ];
    let filled =
        places.into_iter().find_map(|(place, token)| Some((place, token.filter(|token| !token.is_empty())?)));
    filled.map(|(place, token)| Carried { place, token: Cow::Borrowed(token) })
}

/// `None` when `start` has no token either.
pub fn in_start(parameters: &[(String, String)]) -> Result<Option<Carried<'_>>, Refusal> {
    let value =
        |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let carried = |token| Carried { place: Place::Start, token };
    if let Some(token) = value("token").filter(|token| !token.is_empty()) {
        return Ok(Some(carried(Cow::Borrowed(token))));
    }
    let chunks: Vec<usize> = parameters.iter().filter_map(|(name, _)| chunk_number(name)).collect();
    let Some(count) = value("tn") else {
        if chunks.is_empty() {
            return Ok(None);
        }
        let text = "chunks of a token came without `tn`, their count: send it beside `t0`, `t1`, …";
        return Err(Refusal::new(Code::TokenChunkCount, text));
    };
    let wrong = |text: String| Refusal::new(Code::TokenChunkCount, text);
    // Not `parse` alone: it takes `+3` as well.
    let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(wrong("`tn` is not a number: it counts the chunks `t0`, `t1`, …".into()));
    }
    let count = count.parse().unwrap_or(usize::MAX);
    if count > CHUNKS_MAX || chunks.len() > CHUNKS_MAX {
        let text = format!(
            "the token comes in more than {CHUNKS_MAX} chunks: make it smaller, or point to the prompt with `config`"
        );
        return Err(Refusal::new(Code::TokenTooManyChunks, text));
    }
    if count == 0 {
        return Err(wrong("`tn` is 0: it counts the chunks `t0`, `t1`, …".into()));
    }
    let mut token = String::new();
    for number in 0..count {
        let Some(chunk) = value(&format!("t{number}")).filter(|chunk| !chunk.is_empty()) else {
            let text = format!(
                "`t{number}` of {count} chunks is missing or empty: was a value too long for the carrier?"
            );
            return Err(Refusal::new(Code::TokenChunkMissing, text));
        };
        if token.len() + chunk.len() > TOKEN_MAX {
            let text = "the chunks are longer than 65536 bytes together: point to the prompt with `config`";
            return Err(Refusal::new(Code::TokenTooLarge, text));
        }
        token.push_str(chunk);
    }
    if chunks.len() != count {
        return Err(wrong(format!("`tn` says {count} chunks, and {} came: count again", chunks.len())));
    }
    Ok(Some(carried(Cow::Owned(token))))
}

/// `t0`, `t1`, … as we write them; `t01` or `tn` is none.
fn chunk_number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix('t')?;
    let plain =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

/// The schemes of others, such as Basic, are not ours to read.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn in_query(query: &str) -> Option<&str> {
    // A token has no character that would be escaped.
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

impl fmt::Debug for Carried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Carried({:?}, {} bytes)", self.place, self.token.len())
    }
}

impl fmt::Debug for AtUpgrade<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = |place: Option<&str>| place.map(|_| "***");
        f.debug_struct("AtUpgrade")
            .field("authorization", &there(self.authorization))
            .field("telnyx", &there(self.telnyx))
            .field("segment", &there(self.segment))
            .field("query", &there(self.query))
            .finish()
    }
}

/// As many parameters as Twilio's own API has names for.
pub const CHUNKS_MAX: usize = 99;
