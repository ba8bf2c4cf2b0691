//! Addresses in the settings: a provider's base URL, our own public one, origins and host names.
//!
//! Plain `http` and `ws` are for loopback only: keys travel in the headers.

use std::{fmt, net::IpAddr};

use hyper::Uri;

/// A provider's API, such as `https://api.openai.com/v1`. Never ends in `/`, has no query and no user.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    tls: bool,
    /// Host and port as written.
    authority: String,
    /// Empty, or begins with `/`.
    path: String,
}

impl BaseUrl {
    /// The error says what is wrong without repeating the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url: Uri = text.parse().map_err(|_| "is not a URL")?;
        let tls = match url.scheme_str() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            _ => return Err("does not begin with https://"),
        };
        let authority = url.authority().ok_or("has no host")?;
        if authority.host().is_empty() {
            return Err("has no host");
        }
        if authority.as_str().contains('@') {
            return Err("has a user or password in it");
        }
        if url.query().is_some() || text.contains('#') {
            return Err("has a query or a fragment");
        }
        if authority.as_str().len() > authority.host().len() && authority.port_u16().is_none() {
            return Err("has a wrong port");
        }
        if !tls && !is_loopback(authority.host()) {
            return Err("sends keys over plain http to another machine");
        }
        let path = url.path().trim_end_matches('/').to_owned();
        Ok(Self { tls, authority: authority.as_str().to_ascii_lowercase(), path })
    }

    /// `https://api.openai.com/v1` + `/chat` for requests.
    pub fn http(&self, path: &str) -> String {
        self.with_scheme(if self.tls { "https" } else { "http" }, path)
    }

    /// The same as a WebSocket's address: `wss://…`.
    pub fn websocket(&self, path: &str) -> String {
        self.with_scheme(if self.tls { "wss" } else { "ws" }, path)
    }

    /// Only addresses of this machine itself go without.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// As a browser names a page from there.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }

    /// Host and, when it was written, port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Empty, or begins with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn with_scheme(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{}{path}", self.authority, self.path)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.http(""))
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `localhost` and the addresses of the machine itself.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A browser's `Origin`: scheme, host and perhaps a port, nothing behind them.
pub(super) fn origin(text: &str) -> Option<String> {
    let url: Uri = text.parse().ok()?;
    let (scheme, authority) = (url.scheme_str()?, url.authority()?);
    let plain = format!("{scheme}://{authority}").to_ascii_lowercase();
    (matches!(scheme, "http" | "https") && text.to_ascii_lowercase() == plain && !plain.contains('@'))
        .then_some(plain)
}

/// A host name without scheme or path; `*.` before it and a port behind it are the gate's to judge.
pub(super) fn host_name(text: &str) -> Option<String> {
    let bare = text.strip_prefix("*.").unwrap_or(text);
    let (name, port) = bare.split_once(':').unwrap_or((bare, "443"));
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.');
    let fits = name.len() <= 253
        && name.bytes().all(allowed)
        && name.split('.').all(|label| !label.is_empty())
        && port.parse::<u16>().is_ok();
    fits.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_address_derive_from_one_base() {
        let base = BaseUrl::parse("https://api.openai.com/v1/").unwrap();
        assert_eq!(base.websocket("/realtime"), "wss://api.openai.com/v1/realtime");
        assert_eq!(base.http("/models"), "https://api.openai.com/v1/models");
        let base = BaseUrl::parse("ws://[::1]:9000").unwrap();
        assert_eq!(
            (base.websocket("/x"), base.http("")),
            ("ws://[::1]:9000/x".into(), "http://[::1]:9000".into())
        );
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in ["http://127.0.0.1:1", "http://localhost/v1", "ws://[::1]:2", "https://relay.example.com"]
        {
            assert!(BaseUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.openai.com/v1",
            "ws://10.0.0.1",
            "ftp://127.0.0.1",
            "api.openai.com",
            "https://",
            "https://user:pw@example.com",
            "https://example.com/v1?key=1",
            "https://example.com/v1#x",
            "https://example.com:99999",
            "http://localhost.example.com",
            "",
        ] {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_has_no_path_and_a_host_no_scheme() {
        assert_eq!(origin("https://App.example.com:8443").as_deref(), Some("https://app.example.com:8443"));
        for bad in ["*", "null", "https://app.example.com/", "app.example.com", "ftp://x", "https://a@b"] {
            assert_eq!(origin(bad), None, "{bad}");
        }
        assert_eq!(host_name("My.openai.azure.com").as_deref(), Some("my.openai.azure.com"));
        for bad in ["https://x", "x:https", "x/y", "", "a..b", "a*.azure.com"] {
            assert_eq!(host_name(bad), None, "{bad}");
        }
    }
}
