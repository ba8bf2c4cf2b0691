//! How does the phone reach the relay? With the upgrade request that its carrier sends, and nothing else.
//!
//! No `Origin`, no extensions, and the query string is thrown away where the carrier does so: a relay that expects its
//! token there must fail here too.

use crate::{http, http::Headers, line::Wire, tls};
use rustls::{ClientConfig, pki_types::ServerName};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};

#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("{url}: {problem}; use ws:// or wss:// with a host")]
    Address { url: String, problem: &'static str },
    #[error("{host} cannot be reached: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("{host}: no TLS: {reason}")]
    Tls { host: String, reason: String },
    #[error("the handshake broke: {0}")]
    Handshake(String),
    #[error("refused with {status}: {body}")]
    Refused { status: u16, headers: Headers, body: String },
    #[error("{carrier} would not carry this: {problem}; put the token elsewhere, or make it smaller")]
    NotCarried { carrier: &'static str, problem: String },
    #[error("no answer to the handshake within {0:?}")]
    Timeout(Duration),
}

impl DialError {
    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            DialError::Refused { status, .. } => Some(*status),
            DialError::Address { .. } | DialError::Unreachable { .. } | DialError::Tls { .. } => None,
            DialError::Handshake(_) | DialError::NotCarried { .. } | DialError::Timeout(_) => None,
        }
    }

    /// A header of a refusal.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self {
            DialError::Refused { headers, .. } => headers
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str()),
            DialError::Address { .. } | DialError::Unreachable { .. } | DialError::Tls { .. } => None,
            DialError::Handshake(_) | DialError::NotCarried { .. } | DialError::Timeout(_) => None,
        }
    }
}

#[derive(Debug)]
struct Target<'a> {
    secure: bool,
    /// As in the URL, with the port if it was there.
    authority: &'a str,
    host: &'a str,
    port: u16,
    path: String,
}

/// Dials `url` and upgrades; gives the connection, what was read beyond the handshake, and the answer's headers.
pub(crate) async fn dial(
    url: &str,
    keep_query: bool,
    user_agent: Option<&str>,
    headers: &Headers,
    trust: Option<Arc<ClientConfig>>,
) -> Result<(Wire, Vec<u8>, Headers), DialError> {
    let target = target(url, keep_query)?;
    let unreachable = |error: std::io::Error| DialError::Unreachable {
        host: target.authority.to_owned(),
        reason: error.to_string(),
    };
    let bare_host = target.host.trim_start_matches('[').trim_end_matches(']');
    let tcp = TcpStream::connect((bare_host, target.port)).await.map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    let mut wire: Wire = if target.secure {
        let no_tls = |reason: String| DialError::Tls { host: target.authority.to_owned(), reason };
        let name = ServerName::try_from(bare_host.to_owned()).map_err(|error| no_tls(error.to_string()))?;
        let connector = TlsConnector::from(trust.unwrap_or_else(tls::public_client));
        Box::new(connector.connect(name, tcp).await.map_err(|error| no_tls(error.to_string()))?)
    } else {
        Box::new(tcp)
    };
    let key = generate_key();
    let usual = [
        ("host", Some(target.authority)),
        ("user-agent", user_agent),
        ("connection", Some("Upgrade")),
        ("upgrade", Some("websocket")),
        ("sec-websocket-version", Some("13")),
        ("sec-websocket-key", Some(&*key)),
    ];
    let mut all: Headers =
        usual.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    all.extend(headers.iter().cloned());
    let broken = |error: std::io::Error| DialError::Handshake(error.to_string());
    http::write_head(&mut wire, &format!("GET {} HTTP/1.1", target.path), &all, "").await.map_err(broken)?;
    let head = http::read_head(&mut wire).await.map_err(broken)?;
    let status: u16 = head.second().parse().map_err(|_| DialError::Handshake(format!("{:?}", head.start)))?;
    if status != 101 {
        let body = String::from_utf8_lossy(&http::read_body(&mut wire, &head).await).into_owned();
        return Err(DialError::Refused { status, headers: head.headers, body });
    }
    if head.header("sec-websocket-accept") != Some(&derive_accept_key(key.as_bytes())) {
        return Err(DialError::Handshake("wrong sec-websocket-accept".to_owned()));
    }
    Ok((wire, head.rest, head.headers))
}

fn target(url: &str, keep_query: bool) -> Result<Target<'_>, DialError> {
    let bad = |problem| DialError::Address { url: url.split('?').next().unwrap_or("").to_owned(), problem };
    let (secure, rest) = match url.split_once("://") {
        Some(("ws" | "http", rest)) => (false, rest),
        Some(("wss" | "https", rest)) => (true, rest),
        Some(_) | None => return Err(bad("not a WebSocket address")),
    };
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let path = if keep_query { path } else { path.split('?').next().unwrap_or("") };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    // An IPv6 address is full of colons; its port comes after the bracket.
    let colon =
        authority.rfind(':').filter(|colon| authority.rfind(']').is_none_or(|bracket| bracket < *colon));
    let (host, port) = match colon {
        Some(colon) => (&authority[..colon], authority[colon + 1..].parse().map_err(|_| bad("wrong port"))?),
        None => (authority, if secure { 443 } else { 80 }),
    };
    if host.is_empty() || path.contains(char::is_whitespace) {
        return Err(bad("no host, or blanks in the path"));
    }
    Ok(Target { secure, authority, host, port, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_lose_their_query_string() {
        let table = [
            ("ws://a.example/x?token=1", false, "a.example", 80, "/x"),
            ("wss://a.example", true, "a.example", 443, "/"),
            ("wss://a.example:8443/x/y", true, "a.example", 8443, "/x/y"),
            ("ws://[::1]:8080/x", false, "[::1]", 8080, "/x"),
            ("ws://[::1]/", false, "[::1]", 80, "/"),
            ("ws://a.example?x=1", false, "a.example", 80, "/"),
        ];
        for (url, secure, host, port, path) in table {
            let target = target(url, false).unwrap();
            let found = (target.secure, target.host, target.port, target.path.as_str());
            assert_eq!(found, (secure, host, port, path), "{url}");
        }
        assert_eq!(target("ws://a/x?y=1", true).unwrap().path, "/x?y=1");
    }

    #[test]
    fn an_address_that_cannot_be_dialled_is_refused_by_name() {
        for url in ["http", "ftp://a/", "ws:///x", "ws://a:http/", "ws://a/a b"] {
            assert!(matches!(target(url, false), Err(DialError::Address { .. })), "{url}");
        }
    }
}
