//! How does a report's own secret lie on the disk? Under lock and key, for the disk may outlive the machine.
//!
//! The key is made of `RELAY_SECRET`, which is not on that disk. The report's id and address are bound in, so a
//! secret cannot be moved to a report that goes somewhere else.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

use crate::{
    derive::{Purpose, key_for},
    outward::report_secret::ReportSecret,
};

/// One key for each `RELAY_SECRET` in force; the first one locks.
#[derive(Clone)]
pub struct Lock(Arc<Vec<LessSafeKey>>);

impl Lock {
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let key = |secret: &SecretString| {
            let bytes = key_for(Purpose::Spool, secret.expose_secret().as_bytes());
            LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes[..]).expect("32 bytes are a key"))
        };
        Self(Arc::new(secrets.into_iter().map(key).collect()))
    }

    /// `None` when there is no `RELAY_SECRET` to lock with.
    pub(super) fn lock(&self, secret: &ReportSecret, place: &str) -> Option<String> {
        let key = self.0.first()?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).expect("the system gives random bytes");
        let mut data = secret.bytes().to_vec();
        let sealed =
            key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut data);
        sealed.expect("a secret is far below what this cipher can seal");
        Some(STANDARD.encode([&nonce[..], &data[..]].concat()))
    }

    /// `None` when it was locked with another `RELAY_SECRET`, or for another place.
    pub(super) fn open(&self, text: &str, place: &str) -> Option<ReportSecret> {
        let bytes = STANDARD.decode(text).ok()?;
        let (nonce, data) = bytes.split_at_checked(NONCE_LEN)?;
        self.0.iter().find_map(|key| {
            let mut data = Zeroizing::new(data.to_vec());
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let plain = key.open_in_place(nonce, Aad::from(place), &mut data).ok()?;
            ReportSecret::from_bytes(Zeroizing::new(plain.to_vec()))
        })
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("keys", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_locked_opens_with_the_same_key_in_the_same_place_only() {
        let names = ["old-secret-of-thirty-two-bytes-and", "new-secret-of-thirty-two-bytes-and"];
        let [old, new] = names.map(SecretString::from);
        let secret = ReportSecret::from_bytes(Zeroizing::new(vec![7; 32])).unwrap();
        let lock = Lock::new([&old]);
        let text = lock.lock(&secret, "here").unwrap();
        assert_ne!(text, lock.lock(&secret, "here").unwrap(), "no nonce is used twice");
        assert_eq!(lock.open(&text, "here"), Some(secret.clone()));
        assert_eq!(Lock::new([&new, &old]).open(&text, "here"), Some(secret.clone()), "while it is rotated");
        assert_eq!(lock.open(&text, "there"), None);
        assert_eq!(Lock::new([&new]).open(&text, "here"), None);
        for rubbish in ["", "AAAA", "not base64", &text[..text.len() - 4]] {
            assert_eq!(lock.open(rubbish, "here"), None, "{rubbish}");
        }
        assert_eq!(Lock::new([]).lock(&secret, "here"), None);
    }
}
