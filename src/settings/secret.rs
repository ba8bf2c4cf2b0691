//! Secrets among the settings: they print `***` and are wiped when dropped.

use std::{fmt, ops::Deref};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Problems;

/// A [`SecretString`] whose `Debug` is `***`, so that whole structs of settings can be printed.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(SecretString);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }
}

impl Deref for Secret {
    type Target = SecretString;

    fn deref(&self) -> &SecretString {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// One secret that call tokens may be made with.
#[derive(Clone, Debug)]
pub struct RelaySecret {
    /// With a `kid` only tokens that name it (or none) are tried with this secret.
    pub kid: Option<String>,
    pub secret: Secret,
}

impl RelaySecret {
    /// `kid=secret,…`, or a single secret alone.
    pub(super) fn list(variable: &str, text: &Secret, problems: &mut Problems) -> Vec<Self> {
        let mut list: Vec<Self> = Vec::new();
        for entry in text.expose_secret().split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (kid, secret) = split_kid(entry);
            if secret.len() < SHORTEST {
                problems.add(
                    variable,
                    format!("has a secret shorter than {SHORTEST} bytes"),
                    "use the output of `openssl rand -base64 32`; commas separate several secrets",
                );
            }
            if list.iter().any(|other| other.kid.as_deref() == kid) {
                let fault =
                    if kid.is_some() { "names one kid twice" } else { "has two secrets without a kid" };
                problems.add(variable, fault, "write each as `kid=secret`, every kid once");
            }
            list.push(Self { kid: kid.map(str::to_owned), secret: Secret::new(secret) });
        }
        list
    }
}

/// Base64 ends in `=`, so what follows the first `=` is a secret only if there is something in it.
fn split_kid(entry: &str) -> (Option<&str>, &str) {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    match entry.split_once('=') {
        Some((kid, secret))
            if !kid.is_empty() && kid.bytes().all(plain) && !secret.trim_end_matches('=').is_empty() =>
        {
            (Some(kid), secret)
        }
        _ => (None, entry),
    }
}

/// HS256 is only as strong as its secret: 256 bits (RFC 7518, 3.2).
const SHORTEST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> (Vec<(Option<String>, String)>, String) {
        let mut problems = Problems::default();
        let list = RelaySecret::list("RELAY_SECRET", &Secret::new(text), &mut problems);
        let plain = list.into_iter().map(|s| (s.kid, s.secret.expose_secret().to_owned())).collect();
        (plain, problems.to_string())
    }

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=";
    const B: &str = "bbbb/bbbbbbbbbbb+bbbbbbbbbbbbbbbbbbbbbbbbb==";

    #[test]
    fn several_secrets_are_told_apart_by_their_kid() {
        let (got, problems) = list(&format!("2026-11={A}, old={B}"));
        assert_eq!(got, [(Some("2026-11".into()), A.into()), (Some("old".into()), B.into())]);
        assert_eq!(problems, "");
    }

    #[test]
    fn the_padding_of_base64_is_not_taken_for_a_kid() {
        assert_eq!(list(A).0, [(None, A.to_owned())]);
        assert_eq!(list(B).0, [(None, B.to_owned())]);
    }

    #[test]
    fn short_and_doubled_secrets_are_problems_without_their_text() {
        let (_, problems) = list(&format!("a={A},a={B},hunter2"));
        assert!(problems.contains("shorter than 32") && problems.contains("kid twice"), "{problems}");
        assert!(!problems.contains("hunter2"), "{problems}");
    }

    #[test]
    fn a_secret_prints_as_stars() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }
}
