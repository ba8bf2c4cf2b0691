//! Which addresses a URL from a token may reach: https on the public internet, and nothing else.
//!
//! Whoever can mint tokens could otherwise make the relay ask its own neighbours: metadata services, the
//! private network, itself. A name is checked by what it resolves to, at the moment of connecting and not
//! before: [`Guarded`] hands the connection only addresses that it has looked at, so a name that changes
//! its mind in between gains nothing. Redirects are off for the same reason.

use std::{
    fmt,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

/// Why a URL is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("is not a URL")]
    NotAUrl,
    #[error("is not https")]
    NotHttps,
    #[error("has a user or a password in it")]
    Credentials,
    #[error("has a port that is not for the web")]
    Port,
    #[error("does not lead to the public internet (WEBHOOK_ALLOW_PRIVATE lifts this)")]
    NotPublic,
}

/// Checks all that can be known before a name is resolved. With `allow_private`, plain http and any host
/// are fine: for development, and for apps in the relay's own network.
pub fn check(url: &str, allow_private: bool) -> Result<Url, Forbidden> {
    let url = Url::parse(url).map_err(|_| Forbidden::NotAUrl)?;
    let plain_http = allow_private && url.scheme() == "http";
    if url.scheme() != "https" && !plain_http {
        return Err(Forbidden::NotHttps);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Forbidden::Credentials);
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Forbidden::NotAUrl)?;
    if url.port() == Some(0) {
        return Err(Forbidden::Port);
    }
    if !allow_private {
        // Parsing has already turned `0x7f.1`, `2130706433` and full-width digits into dotted numbers.
        let public = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => is_public(ip),
            Err(_) => is_public_name(host),
        };
        if !public {
            return Err(Forbidden::NotPublic);
        }
        if url.port().is_some_and(|port| port < 1024) {
            return Err(Forbidden::Port);
        }
    }
    Ok(url)
}

/// Names that only mean something inside a network. The others are judged by their addresses.
fn is_public_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let inside = [
        "localhost",
        "internal",
        "flycast",
        "local",
        "localdomain",
        "lan",
        "home",
        "corp",
        "intranet",
        "arpa",
        "onion",
    ];
    match host.rsplit_once('.') {
        Some((_, last)) => !inside.contains(&last) && !host.split('.').any(str::is_empty),
        None => false,
    }
}

/// Whether an address is somebody's on the public internet. What is reserved for anything else is not.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let reserved = match a {
        0 | 10 | 127 | 224..=255 => true,
        100 => (64..128).contains(&b), // shared by carriers, and some clouds' metadata
        169 => b == 254,               // link-local, where most clouds have their metadata
        172 => (16..32).contains(&b),
        192 => matches!((b, c), (168, _) | (0, 0 | 2) | (88, 99)),
        198 => matches!((b, c), (18 | 19, _) | (51, 100)),
        203 => (b, c) == (0, 113),
        _ => ip == AZURE_WIRE_SERVER,
    };
    !reserved
}

/// Public by its number, and yet Azure's own host agent.
const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let embedded = |high: u16, low: u16| {
        let ([w, x], [y, z]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(w, x, y, z))
    };
    match (a, b) {
        // IPv4 in IPv6: mapped, and as a network without IPv4 translates it.
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0xffff) => embedded(g, h),
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => embedded(g, h),
        (0x2001, 0..=0x1ff | 0xdb8) => false, // protocols (Teredo among them) and documentation
        (0x2002, _) => false,                 // 6to4: any IPv4 address in disguise
        (0x3fff, 0..=0xfff) => false,         // documentation
        // All that has been given out. `fdaa::/16`, link-local, loopback and multicast are elsewhere.
        _ => a & 0xe000 == 0x2000,
    }
}

/// Who knows which addresses a name has.
pub trait Names: Send + Sync {
    fn addresses(&self, name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
}

/// The machine's own resolver.
#[derive(Debug)]
pub struct System;

impl Names for System {
    fn addresses(&self, name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.take(ADDRESSES_MAX).collect()) })
    }
}

/// Resolves names to addresses that may be reached. One other among them and the name is not reached at all:
/// such an answer is an attempt, not an accident.
#[derive(Clone)]
pub struct Guarded {
    names: Arc<dyn Names>,
    may: fn(IpAddr) -> bool,
}

impl Guarded {
    pub fn new(names: Arc<dyn Names>, may: fn(IpAddr) -> bool) -> Self {
        Self { names, may }
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { names, may } = self.clone();
        Box::pin(async move {
            let found = names.addresses(name.as_str().to_owned()).await?;
            if !found.iter().all(|address| may(address.ip())) {
                return Err(Forbidden::NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// A client that reaches nothing but what [`check`] and [`Guarded`] let through. Give it only checked URLs:
/// an address written as a number is never resolved, so the guard does not see it.
pub fn client(allow_private: bool, tls: rustls::ClientConfig) -> reqwest::Result<Client> {
    let may = if allow_private { |_| true } else { is_public };
    client_with(Guarded::new(Arc::new(System), may), tls)
}

/// The same with names and rules of one's own. The guard is asked once for each connection, and its answer is
/// where the connection goes: nobody asks again in between.
pub fn client_with(guard: Guarded, tls: rustls::ClientConfig) -> reqwest::Result<Client> {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(guard))
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .build()
}

/// More of a name's addresses are not tried.
const ADDRESSES_MAX: usize = 32;
