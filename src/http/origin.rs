//! Which web page sends this request, and is it one of ours?
//!
//! A browser names the page's origin and forges it for nobody. Whoever is not a browser can write what it likes, and
//! still needs a token.

use hyper::{HeaderMap, header};

use crate::settings::{Settings, is_loopback};

pub(super) fn is_absent(headers: &HeaderMap) -> bool {
    !headers.contains_key(header::ORIGIN)
}

/// It is in `ALLOWED_ORIGINS`.
pub(super) fn is_listed(headers: &HeaderMap, settings: &Settings) -> bool {
    let origin = headers.get(header::ORIGIN).map(|origin| origin.as_bytes()).unwrap_or_default();
    settings.allowed_origins.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(origin))
}

/// It came from the address that it now speaks to, by whatever name.
pub(super) fn is_own(headers: &HeaderMap) -> bool {
    page(headers).is_some_and(|page| host(headers) == Some(page))
}

/// The same, and that is this very machine by a name that cannot be given to another one. Without the last, a page
/// somewhere whose name is made to point here would count as ours.
pub(super) fn is_at_home(headers: &HeaderMap) -> bool {
    let name = |host: &str| {
        host.rsplit_once(':')
            .map_or(host, |(name, port)| match port.parse::<u16>() {
                Ok(_) => name,
                Err(_) => host, // an IPv6 address without a port
            })
            .to_owned()
    };
    is_own(headers) && host(headers).is_some_and(|host| is_loopback(&name(host)))
}

/// Host and port of the page, as the browser names it.
fn page(headers: &HeaderMap) -> Option<&str> {
    let origin = headers.get(header::ORIGIN)?.to_str().ok()?;
    origin.strip_prefix("https://").or(origin.strip_prefix("http://"))
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: &str, host: &str) -> HeaderMap {
        let pairs = [(header::ORIGIN, origin), (header::HOST, host)];
        pairs.into_iter().map(|(name, value)| (name, value.parse().unwrap())).collect()
    }

    #[test]
    fn a_page_is_our_own_when_it_came_from_where_it_calls() {
        for (origin, host, own, at_home) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", true, true),
            ("http://localhost:8080", "localhost:8080", true, true),
            ("http://[::1]:8080", "[::1]:8080", true, true),
            ("http://[::1]", "[::1]", true, true),
            ("https://relay.example.com", "relay.example.com", true, false),
            ("http://localhost.example.com", "localhost.example.com", true, false),
            ("http://localhost:8080", "127.0.0.1:8080", false, false),
            ("http://localhost:3000", "localhost:8080", false, false),
            ("https://evil.example.com", "localhost:8080", false, false),
            ("null", "null", false, false),
            ("", "", false, false),
        ] {
            let headers = headers(origin, host);
            assert_eq!((is_own(&headers), is_at_home(&headers)), (own, at_home), "{origin} {host}");
        }
        assert!(!is_own(&HeaderMap::new()) && is_absent(&HeaderMap::new()));
    }
}
