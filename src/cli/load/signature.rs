//! What Twilio would sign an upgrade with, for relays that insist on it.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};

/// The account's auth token, if it is in the environment: the relay under load must have the same.
pub fn auth_token() -> Option<SecretString> {
    std::env::var("TWILIO_AUTH_TOKEN").ok().filter(|token| !token.is_empty()).map(SecretString::from)
}

/// `X-Twilio-Signature` for this address. Twilio reaches relays over TLS only, so the signed address says so even where
/// the phone comes by a shorter way.
pub fn signature(auth_token: &SecretString, url: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth_token.expose_secret().as_bytes());
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    STANDARD.encode(hmac::sign(&key, format!("wss://{rest}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_one_that_the_relay_takes() {
        let token = SecretString::from("12345");
        for url in ["wss://relay.example.com/v1/twilio", "ws://relay.example.com/v1/twilio"] {
            assert_eq!(signature(&token, url), "sKEi/PBLZBIYURb0G3zhwV7gHVw=", "{url}");
        }
    }
}
