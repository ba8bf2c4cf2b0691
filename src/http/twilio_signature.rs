//! Is this upgrade from Twilio? The header `X-Twilio-Signature` tells.
//!
//! It signs the address that stands in the TwiML, `wss://` included: not what this process sees behind its
//! proxy. So it is computed from the configured public address. It binds neither call nor time: the token
//! does that. See <https://www.twilio.com/docs/usage/security#validating-requests>.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::settings::BaseUrl;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// With the account's auth token; what every account has.
    Sha1,
    /// With a shared key, where an account asked for it.
    Sha256,
}

/// `path` is the request's own, as it came. Compares in constant time.
pub fn is_valid(algorithm: Algorithm, key: &str, public_url: &BaseUrl, path: &str, signature: &[u8]) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    let algorithm = match algorithm {
        Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Algorithm::Sha256 => hmac::HMAC_SHA256,
    };
    let key = hmac::Key::new(algorithm, key.as_bytes());
    let right = |url: String| hmac::verify(&key, url.as_bytes(), &signature).is_ok();
    spellings(public_url, path).any(right)
}

/// Twilio's own libraries differ in whether the port and a last slash are part of the address.
fn spellings(public_url: &BaseUrl, path: &str) -> impl Iterator<Item = String> {
    let authority = public_url.authority();
    let bare = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
        Some(_) | None => authority,
    };
    let hosts = [bare.to_owned(), format!("{bare}:443"), authority.to_owned()];
    let path = format!("{}{path}", public_url.path());
    let other = match path.strip_suffix('/') {
        Some(without) => without.to_owned(),
        None => format!("{path}/"),
    };
    let paths = [path, other];
    hosts.into_iter().flat_map(move |host| paths.clone().map(|path| format!("wss://{host}{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &str = "/v1/twilio";
    const LONG: &str = "/v1/twilio/eyJhbGciOiJIUzI1NiJ9.e30.c2ln";
    const VECTORS: [(Algorithm, &str, &str); 4] = [
        (Algorithm::Sha1, SHORT, "sKEi/PBLZBIYURb0G3zhwV7gHVw="),
        (Algorithm::Sha1, LONG, "1Xd/cXY59J3BEaQS+GHuQsLuZmA="),
        (Algorithm::Sha256, SHORT, "1DolcwK7cSbBOTBabXEgwjiGfXcvR2ASWTBoHeeoXpg="),
        (Algorithm::Sha256, LONG, "8IRdKcTh5iAwnDurKhxnVYjY4+Afe+dZH+LOEAfEw5M="),
    ];

    fn check(algorithm: Algorithm, key: &str, url: &str, path: &str, signature: &str) -> bool {
        is_valid(algorithm, key, &BaseUrl::parse(url).unwrap(), path, signature.as_bytes())
    }

    /// What Twilio would send for this text.
    fn sign(text: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345");
        STANDARD.encode(hmac::sign(&key, text.as_bytes()))
    }

    #[test]
    fn the_known_signatures_are_right_and_hold_for_one_key_path_and_algorithm_only() {
        for (algorithm, path, signature) in VECTORS {
            let url = "https://relay.example.com";
            assert!(check(algorithm, "12345", url, path, signature), "{algorithm:?} {path}");
            assert!(!check(algorithm, "12346", url, path, signature), "{algorithm:?} {path}");
            assert!(!check(algorithm, "12345", "https://other.example.com", path, signature), "{path}");
            assert!(!check(algorithm, "12345", url, "/v1/other", signature), "{path}");
        }
        let (_, path, sha256) = VECTORS[2];
        assert!(!check(Algorithm::Sha1, "12345", "https://relay.example.com", path, sha256));
    }

    #[test]
    fn port_and_last_slash_may_be_written_either_way() {
        let url = "https://relay.example.com:8443/base";
        for signed in [
            "wss://relay.example.com/base/s",
            "wss://relay.example.com:443/base/s",
            "wss://relay.example.com:8443/base/s",
            "wss://relay.example.com:8443/base/s/",
        ] {
            assert!(check(Algorithm::Sha1, "12345", url, "/s", &sign(signed)), "{signed}");
        }
        for signed in [
            "https://relay.example.com/base/s",
            "wss://relay.example.com:80/base/s",
            "wss://relay.example.com/s",
        ] {
            assert!(!check(Algorithm::Sha1, "12345", url, "/s", &sign(signed)), "{signed}");
        }
    }

    #[test]
    fn rubbish_is_wrong_and_harms_nobody() {
        for signature in ["", "=", "not base64!", "c2hvcnQ=", "\u{fffd}"] {
            assert!(!check(Algorithm::Sha1, "12345", "https://relay.example.com", SHORT, signature));
        }
    }
}
