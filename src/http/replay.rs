//! How Fly's proxy is told to offer a request to another machine: the header `fly-replay`.
//!
//! Only before the upgrade, and only once: a request that was sent on already says so, and sending it on
//! again could go round in circles.

use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};

pub(super) const FLY_REPLAY: HeaderName = HeaderName::from_static("fly-replay");

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Replay {
    /// Any machine but this one.
    Elsewhere,
    /// A machine in this region.
    Region(String),
}

impl Replay {
    pub fn value(&self) -> Option<HeaderValue> {
        match self {
            Self::Elsewhere => Some(HeaderValue::from_static("elsewhere=true")),
            Self::Region(region) if is_region(region) => {
                HeaderValue::try_from(format!("region={region}")).ok()
            }
            Self::Region(_) => None,
        }
    }
}

/// A code such as `iad`, or a group such as `eu`. Anything else could say more in that header than a region.
pub(super) fn is_region(text: &str) -> bool {
    (2..=8).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

pub(super) fn was_replayed(headers: &HeaderMap) -> bool {
    headers.contains_key("fly-replay-src") || headers.contains_key("fly-replay-failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_from_a_token_cannot_say_anything_else() {
        let value = |region: &str| Replay::Region(region.to_owned()).value();
        assert_eq!(value("iad").unwrap(), "region=iad");
        for bad in ["iad;app=other", "", "i", "IAD", "iad\r\nx: y", "\"iad\"", "toolongname"] {
            assert_eq!(value(bad), None, "{bad:?}");
        }
    }
}
