//! Is this request from Twilio? The header `X-Twilio-Signature` tells.
//!
//! It signs the address that stands in the TwiML or in Twilio's console, scheme included: not what this process sees
//! behind its proxy. So it is computed from the configured public address. A form's fields are signed with it. It binds
//! neither call nor time: the token does that. See <https://www.twilio.com/docs/usage/security#validating-requests>.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};

use super::spellings::spellings;
use crate::settings::BaseUrl;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// With the account's auth token; what every account has.
    Sha1,
    /// With a shared key, where an account asked for it.
    Sha256,
}

/// Of an upgrade. `path` is the request's own, as it came. Compares in constant time.
pub fn is_valid(algorithm: Algorithm, key: &str, public_url: &BaseUrl, path: &str, signature: &[u8]) -> bool {
    let scheme = if public_url.is_tls() { "wss" } else { "ws" };
    any(algorithm, key, spellings(scheme, public_url, path, None), signature)
}

/// Of a webhook. `query` as it came; `fields` are the form's, unescaped, none for GET.
pub fn is_valid_webhook(
    algorithm: Algorithm,
    key: &str,
    public_url: &BaseUrl,
    (path, query): (&str, Option<&str>),
    fields: &[(String, String)],
    signature: &[u8],
) -> bool {
    let scheme = if public_url.is_tls() { "https" } else { "http" };
    let form = behind_the_address(fields);
    let texts = spellings(scheme, public_url, path, query).map(|url| url + &form);
    any(algorithm, key, texts, signature)
}

fn any(algorithm: Algorithm, key: &str, mut texts: impl Iterator<Item = String>, signature: &[u8]) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    let algorithm = match algorithm {
        Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Algorithm::Sha256 => hmac::HMAC_SHA256,
    };
    let key = hmac::Key::new(algorithm, key.as_bytes());
    texts.any(|text| hmac::verify(&key, text.as_bytes(), &signature).is_ok())
}

/// Names and values without anything between them, by name. A name with several values has them sorted, each once.
fn behind_the_address(fields: &[(String, String)]) -> String {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort();
    fields.dedup();
    fields.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect()
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

    fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn check_webhook(
        url: &str,
        target: (&str, Option<&str>),
        fields: &[(&str, &str)],
        signature: &str,
    ) -> bool {
        let url = BaseUrl::parse(url).unwrap();
        is_valid_webhook(Algorithm::Sha1, "12345", &url, target, &pairs(fields), signature.as_bytes())
    }

    #[test]
    fn a_webhook_s_signature_covers_its_query_and_every_field() {
        let call = format!("CA{}", "0".repeat(32));
        let fields = [("To", "+15550111"), ("CallSid", &call), ("From", "+15550100")];
        let (url, signature) = ("https://app.example.com", "7P554bq47qtDzWwxwXPxIAtiOGs=");
        let target = ("/api/voice/incoming", Some("tenant=7"));
        assert!(check_webhook(url, target, &fields, signature));
        assert!(check_webhook(
            "https://app.example.com/api",
            ("/voice/incoming", Some("tenant=7")),
            &fields,
            signature
        ));
        for (url, target, fields) in [
            (url, ("/api/voice/incoming", None), &fields[..]),
            (url, ("/api/voice/incoming", Some("tenant=8")), &fields),
            (url, ("/api/voice/outgoing", Some("tenant=7")), &fields),
            ("https://other.example.com", target, &fields),
            (url, target, &fields[..2]),
            (url, target, &[fields[0], fields[1], ("From", "+15550101")]),
            (url, target, &[fields[0], fields[1], fields[2], ("X", "")]),
        ] {
            assert!(!check_webhook(url, target, fields, signature), "{target:?} {fields:?}");
        }
    }

    #[test]
    fn a_name_with_several_values_has_them_sorted_and_each_once() {
        let fields = pairs(&[("b", "2"), ("a", "y"), ("b", "1"), ("a", "x"), ("b", "1")]);
        assert_eq!(behind_the_address(&fields), "axayb1b2");
    }

    #[test]
    fn a_local_address_is_signed_as_it_is_written() {
        let url = BaseUrl::parse("http://127.0.0.1:8080").unwrap();
        let signature = sign("ws://127.0.0.1:8080/stream/twilio");
        assert!(is_valid(Algorithm::Sha1, "12345", &url, "/stream/twilio", signature.as_bytes()));
        let signature = sign("http://127.0.0.1:8080/twiml?CallSid=CA1");
        let target = ("/twiml", Some("CallSid=CA1"));
        assert!(is_valid_webhook(Algorithm::Sha1, "12345", &url, target, &[], signature.as_bytes()));
    }
}
