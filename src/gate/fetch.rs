//! Gets a configuration that a token only points to.
//!
//! The token has signed the JSON's hash, so it does not matter who delivers it, and what was fetched once
//! need not be fetched again. It is kept for each issuer apart: knowing the hash of somebody else's
//! configuration must not be enough to use it.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::{Bytes, BytesMut};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};

use super::{
    claims,
    keys::Problem,
    problems::Problems,
    refusal::{Code, Refusal},
};
use crate::outward::address;

/// Where the configuration is, and what it must be.
pub(super) struct Reference {
    url: Url,
    sha256: [u8; 32],
}

impl Reference {
    /// `None` when a problem was added.
    pub fn check(asked: &claims::Reference, allow_private: bool, problems: &mut Problems) -> Option<Self> {
        let sha256 = hash_of(&asked.sha256);
        if sha256.is_none() {
            let text = "is not a SHA-256: give its 32 bytes in hex or base64url";
            problems.add(Code::ClaimsValue, "config.sha256", text);
        }
        let url = address::check(&asked.url, allow_private);
        let url = url.map_err(|why| problems.add(Code::ClaimsUrl, "config.url", why.to_string())).ok();
        Some(Self { url: url?, sha256: sha256? })
    }
}

fn hash_of(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?.try_into().ok();
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(hash)
}

/// Fetches and remembers. One for the process.
pub struct Fetcher {
    client: Client,
    cache: Mutex<Cache>,
}

impl Fetcher {
    /// `allow_private` is `WEBHOOK_ALLOW_PRIVATE`; `tls` is the process's configuration for HTTP clients.
    pub fn new(allow_private: bool, tls: rustls::ClientConfig) -> Result<Self, Problem> {
        let client = address::client(allow_private, tls);
        let client = client.map_err(|e| Problem::new("TLS", format!("no HTTP client could be made: {e}")))?;
        Ok(Self { client, cache: Mutex::default() })
    }

    pub(super) async fn fetch(
        &self,
        iss: &str,
        wanted: &Reference,
        token: &SecretString,
    ) -> Result<Bytes, Refusal> {
        let name = name(iss, &wanted.sha256);
        if let Some(json) = self.cache().find(&name) {
            return Ok(json);
        }
        let json = tokio::time::timeout(PATIENCE, self.get(wanted, token)).await;
        let json = json.unwrap_or_else(|_| Err(unreachable("it did not answer in 3 s")))?;
        if digest::digest(&digest::SHA256, &json).as_ref() != wanted.sha256 {
            let text = "what came from `config.url` is not what the token signed: hash the very bytes that are served";
            return Err(Refusal::new(Code::ConfigHash, text).at("config.sha256"));
        }
        self.cache().keep(name, json.clone());
        Ok(json)
    }

    async fn get(&self, wanted: &Reference, token: &SecretString) -> Result<Bytes, Refusal> {
        let request = self.client.get(wanted.url.clone()).bearer_auth(token.expose_secret());
        let mut response = request.send().await.map_err(|e| unreachable(why(&e)))?;
        if response.status() != 200 {
            return Err(unreachable(&format!(
                "it answered {}, and only 200 is taken",
                response.status().as_u16()
            )));
        }
        let mut json = BytesMut::new();
        while let Some(piece) = response.chunk().await.map_err(|e| unreachable(why(&e)))? {
            if json.len() + piece.len() > super::INFLATED_MAX {
                let text = "the configuration is larger than 250 kB: no model takes a prompt of that size";
                return Err(Refusal::new(Code::ConfigTooLarge, text).at("config.url"));
            }
            json.extend_from_slice(&piece);
        }
        Ok(json.freeze())
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").finish_non_exhaustive()
    }
}

fn unreachable(why: &str) -> Refusal {
    let text = format!("the main app's `config.url` could not be fetched: {why}");
    Refusal::new(Code::ConfigUnreachable, text).at("config.url")
}

/// Without the URL: it may hold a secret of the main app's.
fn why(e: &reqwest::Error) -> &'static str {
    let mut source = std::error::Error::source(e);
    while let Some(inner) = source {
        if inner.is::<address::Forbidden>() {
            return "its name leads to a private address (WEBHOOK_ALLOW_PRIVATE lifts this)";
        }
        source = inner.source();
    }
    if e.is_connect() { "no connection could be made" } else { "the connection broke" }
}

type Name = [u8; 32];

fn name(iss: &str, sha256: &[u8; 32]) -> Name {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(sha256);
    hash.update(iss.as_bytes());
    let mut name = [0; 32];
    name.copy_from_slice(hash.finish().as_ref());
    name
}

/// The newest last. Few enough to look through.
#[derive(Default)]
struct Cache {
    kept: VecDeque<(Name, Bytes)>,
    bytes: usize,
}

impl Cache {
    fn find(&mut self, name: &Name) -> Option<Bytes> {
        let at = self.kept.iter().position(|(kept, _)| kept == name)?;
        let found = self.kept.remove(at)?;
        let json = found.1.clone();
        self.kept.push_back(found);
        Some(json)
    }

    fn keep(&mut self, name: Name, json: Bytes) {
        if self.find(&name).is_some() {
            return;
        }
        self.bytes += json.len();
        self.kept.push_back((name, json));
        while self.kept.len() > KEPT_MAX || self.bytes > BYTES_MAX {
            let Some((_, oldest)) = self.kept.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }
}

/// Somebody is listening to silence meanwhile.
const PATIENCE: Duration = Duration::from_secs(3);

const KEPT_MAX: usize = 256;

const BYTES_MAX: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_in_hex_and_in_base64url() {
        let hash: [u8; 32] = std::array::from_fn(|n| n as u8 * 7);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [
            hex.clone(),
            hex.to_uppercase(),
            URL_SAFE_NO_PAD.encode(hash),
            URL_SAFE_NO_PAD.encode(hash) + "=",
        ] {
            assert_eq!(hash_of(&text), Some(hash), "{text}");
        }
        for text in ["", "abc", &"g".repeat(64), &"é".repeat(32), &"A".repeat(42), &hex[1..]] {
            assert_eq!(hash_of(text), None, "{text}");
        }
    }

    #[test]
    fn the_cache_keeps_what_was_used_last_and_stays_within_its_limits() {
        let mut cache = Cache::default();
        let keep = |cache: &mut Cache, n: u32, size: usize| {
            cache.keep(name(&n.to_string(), &[0; 32]), vec![0; size].into());
        };
        for n in 0..1_000 {
            keep(&mut cache, n, 10);
            assert!(cache.find(&name("0", &[0; 32])).is_some(), "used each time, so never the oldest");
        }
        assert_eq!((cache.kept.len(), cache.bytes), (KEPT_MAX, KEPT_MAX * 10));
        assert!(cache.find(&name("999", &[0; 32])).is_some() && cache.find(&name("1", &[0; 32])).is_none());
        for n in 0..200 {
            keep(&mut cache, 10_000 + n, 250_000);
            assert!(cache.bytes <= BYTES_MAX);
        }
        assert_eq!(cache.kept.iter().map(|(_, json)| json.len()).sum::<usize>(), cache.bytes);
    }
}
