//! What is sent to the main app, signed so that the app knows who sends it.
//!
//! Standard Webhooks: an id, a time and a signature over both and the body. The key is derived from
//! `RELAY_SECRET`, which signs nothing else; while several secrets are in force, each signs, and the app needs
//! to know one of them. A report that has a secret of its own is signed with that alone.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::{Client, RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};

use super::{address, report_secret::ReportSecret};
use crate::derive::{Purpose, key_for};

pub struct Webhooks {
    client: Client,
    keys: Vec<hmac::Key>,
}

impl Webhooks {
    pub fn new<'a>(
        allow_private: bool,
        tls: rustls::ClientConfig,
        secrets: impl IntoIterator<Item = &'a SecretString>,
    ) -> reqwest::Result<Self> {
        let keys = secrets.into_iter().map(|secret| key(secret.expose_secret().as_bytes())).collect();
        Ok(Self { client: address::client(allow_private, tls)?, keys })
    }

    /// A signed POST of JSON. Whoever gets the same `id` twice has got the same message twice.
    pub fn post(
        &self,
        url: Url,
        id: &str,
        body: Bytes,
        own: Option<&ReportSecret>,
        now: SystemTime,
    ) -> RequestBuilder {
        let time = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        self.client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", time)
            .header("webhook-signature", self.signatures(id, time, &body, own))
            .header("idempotency-key", id)
            .body(body)
    }

    fn signatures(&self, id: &str, time: u64, body: &[u8], own: Option<&ReportSecret>) -> String {
        let sign = |key: &hmac::Key| {
            let mut signer = hmac::Context::with_key(key);
            signer.update(format!("{id}.{time}.").as_bytes());
            signer.update(body);
            format!("v1,{}", STANDARD.encode(signer.sign()))
        };
        match own {
            Some(own) => sign(&own.key()),
            None => self.keys.iter().map(sign).collect::<Vec<_>>().join(" "),
        }
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

fn key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &key_for(Purpose::Webhooks, secret)[..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outward::tls;

    /// Computed with Python's `hmac` and `hashlib`, from the text of the Standard Webhooks specification.
    #[test]
    fn a_signature_is_what_another_implementation_makes_of_it() {
        let secrets: [SecretString; 2] =
            ["0123456789abcdef0123456789abcdef".into(), "another-secret-of-thirty-two-byt".into()];
        let tls = std::sync::Arc::unwrap_or_clone(tls::for_requests(&[]));
        let webhooks = Webhooks::new(false, tls, &secrets).unwrap();
        let signatures = webhooks.signatures("msg_1", 1_795_178_400, br#"{"a":1}"#, None);
        assert_eq!(signatures, EXPECTED);
        let own = ReportSecret::parse("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        let signature = webhooks.signatures("msg_1", 1_795_178_400, br#"{"a":1}"#, Some(&own));
        assert_eq!(signature, "v1,uqpp3jVzyCuqG3mGxlUabS8R2p2N6DlxOCuG6zautdI=");
    }

    const EXPECTED: &str =
        "v1,/6cqQUxx53IUtt+9DlHQ+9qTAqgUgUttxgQbPKy0dqM= v1,aYlKzu2hbsT7aKwbU6Bb6Hj/DUHw7g9fD6rFO0x1RlA=";
}
