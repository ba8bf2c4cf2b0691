//! Makes call tokens, as a main app does: for `patchcord token`, `demo`, `load` and tests.
//!
//! It takes the claims as they are and checks nothing, so that tests can make wrong tokens too.

use std::fmt;

use aws_lc_rs::{
    aead::{Aad, LessSafeKey, NONCE_LEN, Nonce},
    rand,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::keys::sealing_key;

pub struct Minter {
    kid: Option<String>,
    signing: EncodingKey,
    sealing: LessSafeKey,
}

impl Minter {
    pub fn new(secret: &SecretString) -> Self {
        let secret = secret.expose_secret().as_bytes();
        Self { kid: None, signing: EncodingKey::from_secret(secret), sealing: sealing_key(secret) }
    }

    /// Names the secret, for a relay that has several.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// A signed token: everybody on its way can read it.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_bytes(
            &self.header(json!({ "alg": "HS256", "typ": "call+jwt" })),
            claims.to_string().as_bytes(),
        )
    }

    /// A sealed token: only the relay can read it. Compressed as well.
    pub fn seal(&self, claims: &Value) -> String {
        let header = self.header(json!({ "alg": "dir", "enc": "A256GCM", "zip": "DEF", "typ": "call+jwt" }));
        let packed = miniz_oxide::deflate::compress_to_vec(claims.to_string().as_bytes(), DEFLATE_LEVEL);
        self.seal_bytes(&header, &packed)
    }

    /// Signs whatever it is, under whatever header.
    pub fn sign_bytes(&self, header: &Value, payload: &[u8]) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(payload));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.signing, Algorithm::HS256);
        format!("{message}.{}", signature.expect("a secret signs with HS256"))
    }

    /// Seals whatever it is, under whatever header.
    pub fn seal_bytes(&self, header: &Value, plain: &[u8]) -> String {
        let head = encode(header.to_string());
        let mut iv = [0; NONCE_LEN];
        rand::fill(&mut iv).expect("the system gives random bytes");
        let mut data = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key(iv);
        let sealed = self.sealing.seal_in_place_separate_tag(nonce, Aad::from(head.as_bytes()), &mut data);
        let tag = sealed.expect("a token is far below what this cipher can seal");
        format!("{head}..{}.{}.{}", encode(iv), encode(&data), encode(tag))
    }

    fn header(&self, mut header: Value) -> Value {
        if let Some(kid) = &self.kid {
            header["kid"] = kid.as_str().into();
        }
        header
    }
}

impl fmt::Debug for Minter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minter").field("kid", &self.kid).finish_non_exhaustive()
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

const DEFLATE_LEVEL: u8 = 6;
