//! Where a leg may connect to, and with whose key.
//!
//! A token may name another address than the relay's own only when its host is in `UPSTREAM_ALLOW`: a
//! `base_url` gets a key and the caller's voice. The relay's own key goes to the relay's own address only.

use reqwest::Url;
use secrecy::SecretString;

use super::keys::Problem;

/// A provider as the relay's own settings have it.
#[derive(Clone, Debug)]
pub struct Provider {
    pub key: Option<SecretString>,
    /// Such as `https://api.openai.com/v1`.
    pub base_url: String,
}

/// The providers that legs of this version can use.
#[derive(Clone, Debug)]
pub struct Providers {
    pub openai: Provider,
    pub deepgram: Provider,
    pub groq: Provider,
    pub elevenlabs: Provider,
}

/// Hosts that a token may name: `api.example.com`, `api.example.com:8443` or `*.example.com`.
#[derive(Default)]
pub(super) struct Allowed(Vec<String>);

impl Allowed {
    pub fn build(entries: &[String], problems: &mut Vec<Problem>) -> Self {
        let mut hosts = Vec::new();
        for entry in
            entries.iter().map(|entry| entry.trim().to_ascii_lowercase()).filter(|entry| !entry.is_empty())
        {
            let bare = entry.strip_prefix("*.").unwrap_or(&entry);
            let host = Url::parse(&format!("https://{bare}/")).ok();
            // What comes back differently was not just a host, or not as the URL of a leg will have it.
            let plain = !bare.contains('*') && host.is_some_and(|url| authority(&url) == bare);
            if plain && (bare.len() == entry.len() || bare.contains('.')) {
                hosts.push(entry);
            } else {
                let text = format!(
                    "`{}` is not a host name: write `api.example.com`",
                    super::refusal::printable(&entry, 60)
                );
                problems.push(Problem::new("UPSTREAM_ALLOW", text));
            }
        }
        Self(hosts)
    }

    fn has(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or("").to_ascii_lowercase();
        let authority = authority(url);
        self.0.iter().any(|entry| match entry.strip_prefix("*.") {
            Some(parent) => {
                let child = host.strip_suffix(parent).or_else(|| authority.strip_suffix(parent));
                child.is_some_and(|child| child.len() > 1 && child.ends_with('.'))
            }
            None => *entry == host || *entry == authority,
        })
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or("");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The address of a leg.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Upstream {
    pub base_url: String,
    /// It is the relay's own, so the relay's key may go there.
    pub own: bool,
}

/// What a token's `base_url` means, or why it is not taken.
pub(super) fn choose(asked: Option<&str>, own: &str, allowed: &Allowed) -> Result<Upstream, &'static str> {
    let own = own.trim_end_matches('/');
    let Some(asked) = asked else { return Ok(Upstream { base_url: own.to_owned(), own: true }) };
    let url = Url::parse(asked).map_err(|_| "is not a URL: write one such as `https://api.openai.com/v1`")?;
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("has a user, a query or a fragment: a base URL has only host and path");
    }
    let base_url = url.as_str().trim_end_matches('/').to_owned();
    let is_own = Url::parse(own).is_ok_and(|own| own.as_str().trim_end_matches('/') == base_url);
    if is_own {
        return Ok(Upstream { base_url, own: true });
    }
    if !allowed.has(&url) {
        return Err("is neither the relay's own address nor in its UPSTREAM_ALLOW");
    }
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err("is not https");
    }
    Ok(Upstream { base_url, own: false })
}

fn is_loopback(url: &Url) -> bool {
    // An IPv6 host stands in brackets.
    let host = url.host_str().unwrap_or("").trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

pub(super) fn is_azure(base_url: &str) -> bool {
    let host = Url::parse(base_url).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase));
    host.is_some_and(|host| host.ends_with(".openai.azure.com"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://api.openai.com/v1/";

    fn allowed(entries: &[&str]) -> Allowed {
        let mut problems = Vec::new();
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        let allowed = Allowed::build(&entries, &mut problems);
        assert_eq!(problems, []);
        allowed
    }

    #[test]
    fn a_leg_goes_to_the_relays_own_address_or_to_an_allowed_host() {
        let allowed = allowed(&[
            "eu.api.openai.com",
            "*.openai.azure.com",
            "127.0.0.1:9000",
            "localhost",
            "[::1]",
            "x.com:8443",
        ]);
        for (asked, base_url, own) in [
            (None, "https://api.openai.com/v1", true),
            (Some("https://api.openai.com/v1"), "https://api.openai.com/v1", true),
            (Some("https://API.openai.com:443/v1/"), "https://api.openai.com/v1", true),
            (Some("https://eu.api.openai.com/v1"), "https://eu.api.openai.com/v1", false),
            (Some("https://EU.api.openai.com/v1/"), "https://eu.api.openai.com/v1", false),
            (Some("https://a.openai.azure.com/openai/v1"), "https://a.openai.azure.com/openai/v1", false),
            (Some("http://127.0.0.1:9000/v1"), "http://127.0.0.1:9000/v1", false),
            (Some("http://localhost:1/v1"), "http://localhost:1/v1", false),
            (Some("http://[::1]:8080"), "http://[::1]:8080", false),
            (Some("https://x.com:8443/v1"), "https://x.com:8443/v1", false),
        ] {
            let want = Upstream { base_url: base_url.into(), own };
            assert_eq!(choose(asked, OWN, &allowed), Ok(want), "{asked:?}");
        }
        for asked in [
            "https://evil.example/v1",
            "https://api.openai.com/v2",
            "http://api.openai.com/v1",
            "http://eu.api.openai.com/v1",
            "wss://eu.api.openai.com/v1",
            "https://eu.api.openai.com.evil.example/v1",
            "https://eu.api.openai.com@evil.example/v1",
            "https://me:CANARY@eu.api.openai.com/v1",
            "https://eu.api.openai.com/v1?x=1",
            "https://eu.api.openai.com/v1#x",
            "https://openai.azure.com/openai/v1",
            "https://xopenai.azure.com/openai/v1",
            "https://.openai.azure.com/openai/v1",
            "http://127.0.0.1:9001/v1",
            "https://x.com/v1",
            "file:///etc/passwd",
            "not a url",
            "",
        ] {
            assert!(choose(Some(asked), OWN, &allowed).is_err(), "{asked}");
        }
    }

    #[test]
    fn what_is_no_host_name_is_a_problem() {
        let entries = [
            "https://api.example.com",
            "api.example.com/v1",
            "a b",
            "*",
            "*.com",
            "*.*.example.com",
            "me@x.com",
        ];
        let mut problems = Vec::new();
        Allowed::build(&entries.map(str::to_owned), &mut problems);
        assert_eq!(problems.len(), entries.len(), "{problems:?}");
    }

    #[test]
    fn azure_is_known_by_its_host() {
        assert!(is_azure("https://a.openai.azure.com/openai/v1"));
        assert!(!is_azure("https://api.openai.com/v1"));
        assert!(!is_azure("https://a.openai.azure.com.example/v1"));
    }
}
