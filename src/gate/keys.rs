//! Which keys open a token, and which algorithm each of them is for.
//!
//! The algorithm belongs to the key and is fixed when the settings are read. A token's header may choose a
//! key by `kid`; its `alg` must then be the one of that key. So no public key is ever used as an HMAC
//! secret, and `none` fits nothing.

use aws_lc_rs::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    agreement::PrivateKey,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::{ExposeSecret, SecretString};

use super::{
    jwks,
    refusal::{Code, Refusal, printable},
};
use crate::derive::{Purpose, key_for};

/// One thing that is wrong with the settings: which, what and the cure. Never a secret's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub setting: &'static str,
    pub message: String,
}

impl Problem {
    pub(crate) fn new(setting: &'static str, message: impl Into<String>) -> Self {
        Self { setting, message: message.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.setting, self.message)
    }
}

/// A shared secret and the `kid` it goes by, if it has one.
pub type NamedSecret = (Option<String>, SecretString);

/// Splits `RELAY_SECRET`: one secret, or several as `kid=secret` with commas between.
///
/// A bare base64 secret ends in `=`: what has nothing but `=` behind the first one is padding, not a name.
pub fn secrets(setting: &SecretString) -> Vec<NamedSecret> {
    let parts = setting.expose_secret().split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| match part.split_once('=') {
            Some((kid, secret)) if !secret.trim_matches('=').is_empty() => {
                (Some(kid.trim().to_owned()), secret.trim().into())
            }
            Some(_) | None => (None, part.into()),
        })
        .collect()
}

/// Shorter secrets can be guessed from one token.
pub const SECRET_MIN: usize = 32;

/// More than anybody rotates through; a token without `kid` is tried against all.
pub(super) const KEYS_MAX: usize = 16;

/// A key that checks signatures, and the one algorithm it is for.
pub(super) struct Verifier {
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

impl Verifier {
    /// `Ed25519` is the newer name of what most libraries call `EdDSA`.
    fn takes(&self, alg: &str) -> bool {
        match self.algorithm {
            Algorithm::HS256 => alg == "HS256",
            Algorithm::EdDSA => alg == "EdDSA" || alg == "Ed25519",
            Algorithm::ES256 => alg == "ES256",
            Algorithm::RS256 => alg == "RS256",
            _ => false, // no key of ours is for another
        }
    }

    /// `signature` as it stands in the token.
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.key, self.algorithm).unwrap_or(false)
    }
}

pub(super) enum Opener {
    /// The content key itself, from a shared secret.
    Dir(LessSafeKey),
    P256(PrivateKey),
    X25519(PrivateKey),
}

impl Opener {
    fn takes(&self, alg: &str) -> bool {
        match self {
            Self::Dir(_) => alg == "dir",
            Self::P256(_) | Self::X25519(_) => alg == "ECDH-ES",
        }
    }
}

pub(super) struct Named<K> {
    pub kid: Option<String>,
    pub key: K,
}

/// Every key of this relay.
#[derive(Default)]
pub(super) struct Ring {
    pub verifiers: Vec<Named<Verifier>>,
    pub openers: Vec<Named<Opener>>,
}

impl Ring {
    /// All problems are added to `problems`; what is left out with a warning goes to `warnings`.
    pub fn build(
        secrets: &[NamedSecret],
        jwks: Option<&SecretString>,
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<Problem>,
    ) -> Self {
        let mut ring = Self::default();
        for (index, (kid, secret)) in secrets.iter().enumerate() {
            let name = kid
                .as_ref()
                .map_or(format!("secret {}", index + 1), |kid| format!("`{}`", printable(kid, 40)));
            let secret = secret.expose_secret().as_bytes();
            if kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > KID_MAX) {
                let text =
                    format!("the name before `=` of secret {} is empty or longer than {KID_MAX}", index + 1);
                problems.push(Problem::new("RELAY_SECRET", text));
            }
            if secret.len() < SECRET_MIN {
                let text = format!(
                    "{name} has {} bytes and needs at least {SECRET_MIN}: make one with `openssl rand -base64 32`",
                    secret.len()
                );
                problems.push(Problem::new("RELAY_SECRET", text));
                continue;
            }
            let verifier = Verifier { algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) };
            ring.verifiers.push(Named { kid: kid.clone(), key: verifier });
            ring.openers.push(Named { kid: kid.clone(), key: Opener::Dir(sealing_key(secret)) });
        }
        if let Some(jwks) = jwks {
            jwks::add(jwks, &mut ring, problems, warnings);
        }
        ring.check(problems);
        ring
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        let mut seen = std::collections::BTreeSet::new();
        for kid in self.verifiers.iter().filter_map(|named| named.kid.as_deref()) {
            if !seen.insert(kid) {
                let text = format!(
                    "two keys are called `{}`: rename one, in RELAY_JWKS or here",
                    printable(kid, 40)
                );
                problems.push(Problem::new("RELAY_SECRET", text));
            }
        }
        if self.verifiers.len() > KEYS_MAX || self.openers.len() > KEYS_MAX {
            let text =
                format!("more than {KEYS_MAX} keys, with RELAY_JWKS: remove those that no longer sign");
            problems.push(Problem::new("RELAY_SECRET", text));
        }
        if self.verifiers.is_empty() && problems.is_empty() {
            let text = "no key to check tokens with: set it (`openssl rand -base64 32`), or RELAY_JWKS";
            problems.push(Problem::new("RELAY_SECRET", text));
        }
    }

    /// The keys that may have signed with `alg`: those called `kid`, or without one all.
    pub fn verifiers(&self, kid: Option<&str>, alg: &str) -> Result<Vec<&Named<Verifier>>, Refusal> {
        select(&self.verifiers, kid, alg, Verifier::takes)
    }

    /// The keys that may open what was sealed with `alg`.
    pub fn openers(&self, kid: Option<&str>, alg: &str) -> Result<Vec<&Named<Opener>>, Refusal> {
        select(&self.openers, kid, alg, Opener::takes)
    }
}

fn select<'a, K>(
    keys: &'a [Named<K>],
    kid: Option<&str>,
    alg: &str,
    takes: impl Fn(&K, &str) -> bool,
) -> Result<Vec<&'a Named<K>>, Refusal> {
    let named: Vec<_> = keys.iter().filter(|key| kid.is_none() || key.kid.as_deref() == kid).collect();
    if let (Some(kid), true) = (kid, named.is_empty()) {
        let text = format!(
            "no key of this relay is called `{}`: give it as `kid=secret` in RELAY_SECRET, or in RELAY_JWKS",
            printable(kid, 64)
        );
        return Err(Refusal::new(Code::TokenKeyUnknown, text));
    }
    let fitting: Vec<_> = named.into_iter().filter(|named| takes(&named.key, alg)).collect();
    if fitting.is_empty() {
        let text = format!(
            "`alg` is `{}`, which no key that the token could mean is for: sign with the algorithm of the key",
            printable(alg, 16)
        );
        return Err(Refusal::new(Code::TokenAlgorithm, text));
    }
    Ok(fitting)
}

/// The content key of tokens sealed with a shared secret: signing and sealing never use the same bytes.
pub(super) fn sealing_key(secret: &[u8]) -> LessSafeKey {
    let key = key_for(Purpose::Tokens, secret);
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key[..]).expect("32 bytes are a key"))
}

pub(super) const KID_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn split(setting: &str) -> Vec<(Option<String>, String)> {
        let split = secrets(&setting.into());
        split.into_iter().map(|(kid, secret)| (kid, secret.expose_secret().to_owned())).collect()
    }

    #[test]
    fn several_secrets_stand_side_by_side_with_their_names() {
        let named = |kid: &str, secret: &str| (Some(kid.to_owned()), secret.to_owned());
        assert_eq!(split("old=abc , new=d=e==,"), [named("old", "abc"), named("new", "d=e==")]);
    }

    #[test]
    fn the_padding_of_a_base64_secret_is_not_taken_for_a_name() {
        for secret in ["c2VjcmV0", "c2VjcmV0cw==", "c2VjcmV0c3M="] {
            assert_eq!(split(secret), [(None, secret.to_owned())]);
        }
    }

    #[test]
    fn every_problem_is_told_at_once_and_no_secret_is_shown() {
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        let secrets = secrets(&"a=CANARY,b=CANARY2,a=0123456789012345678901234567890CANARY,a=0123456789012345678901234567890CANARY".into());
        Ring::build(&secrets, Some(&"{CANARY".into()), &mut problems, &mut warnings);
        let told = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
        assert_eq!(problems.len(), 4, "{told}");
        assert!(told.contains("`a` has 6 bytes") && told.contains("`b` has 7 bytes"), "{told}");
        assert!(told.contains("two keys are called `a`") && told.contains("RELAY_JWKS: "), "{told}");
        assert!(!told.contains("CANARY"), "{told}");
    }

    #[test]
    fn without_any_key_nothing_starts() {
        let mut problems = Vec::new();
        Ring::build(&[], None, &mut problems, &mut Vec::new());
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].setting, "RELAY_SECRET");
    }
}
