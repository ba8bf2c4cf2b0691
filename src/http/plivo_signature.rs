//! Is this upgrade from Plivo? The header `X-Plivo-Signature-V3` tells, together with `X-Plivo-Signature-V3-Nonce`.
//!
//! Signed are the address and the nonce, with a point between them, by HMAC-SHA256 with the account's auth token. Plivo's
//! own library takes the address for one of HTTP, whatever the stream's begins with; both are taken here. The header may
//! hold several signatures, one for each token while an account changes it.

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::spellings::spellings;
use crate::settings::BaseUrl;

/// Compares in constant time. `path` and `query` are the request's own, as they came.
pub fn is_valid(
    key: &str,
    public_url: &BaseUrl,
    (path, query): (&str, Option<&str>),
    nonce: &[u8],
    signatures: &[u8],
) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let given = signatures.split(|byte| *byte == b',').take(MOST);
    let given: Vec<_> = given.filter_map(|one| STANDARD.decode(one.trim_ascii()).ok()).collect();
    let schemes = if public_url.is_tls() { ["https", "wss"] } else { ["http", "ws"] };
    let mut addresses = schemes.into_iter().flat_map(|scheme| spellings(scheme, public_url, path, query));
    addresses.any(|address| {
        let tag = hmac::sign(&key, &[address.as_bytes(), b".", nonce].concat());
        given.iter().any(|signature| constant_time::verify_slices_are_equal(tag.as_ref(), signature).is_ok())
    })
}

/// More tokens than that no account has at a time.
const MOST: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "https://relay.example.com";
    const PATH: &str = "/stream/plivo/eyJhbGciOiJIUzI1NiJ9.e30.c2ln";
    const NONCE: &str = "05429567804466091622";

    fn check(key: &str, url: &str, path: &str, nonce: &str, signatures: &str) -> bool {
        let url = BaseUrl::parse(url).unwrap();
        is_valid(key, &url, (path, None), nonce.as_bytes(), signatures.as_bytes())
    }

    #[test]
    fn a_known_signature_is_right_and_holds_for_one_key_address_and_nonce_only() {
        // printf 'https://relay.example.com<path>.<nonce>' | openssl dgst -sha256 -hmac 12345 -binary | base64
        let signature = "xlwVLD1tIdaI8FqrwVk0QUYm4UZj9bkTf4GdievR1oo=";
        assert!(check("12345", PUBLIC, PATH, NONCE, signature));
        assert!(!check("12346", PUBLIC, PATH, NONCE, signature));
        assert!(!check("12345", "https://other.example.com", PATH, NONCE, signature));
        assert!(!check("12345", PUBLIC, "/stream/plivo/other", NONCE, signature));
        assert!(!check("12345", PUBLIC, PATH, "05429567804466091623", signature));
    }

    fn sign(text: &str) -> String {
        STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"12345"), text.as_bytes()))
    }

    #[test]
    fn the_address_may_be_written_in_either_way_and_one_of_several_signatures_is_enough() {
        for address in ["https://relay.example.com", "wss://relay.example.com", "wss://relay.example.com:443"]
        {
            let signature = sign(&format!("{address}{PATH}.{NONCE}"));
            assert!(check("12345", PUBLIC, PATH, NONCE, &format!("b3RoZXI=, {signature}")), "{address}");
        }
        let plain = sign(&format!("http://relay.example.com{PATH}.{NONCE}"));
        assert!(!check("12345", PUBLIC, PATH, NONCE, &plain), "and not without TLS");
    }

    #[test]
    fn rubbish_is_wrong_and_harms_nobody() {
        for rubbish in ["", ",", "=", "ä", &",".repeat(8_000), &"A".repeat(8_000)] {
            assert!(!check("12345", PUBLIC, PATH, NONCE, rubbish), "{rubbish}");
        }
    }
}
