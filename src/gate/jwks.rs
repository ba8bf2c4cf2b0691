//! Which of the keys in `RELAY_JWKS` this relay can use.
//!
//! Public keys check signatures (Ed25519, P-256, RSA), `oct` keys are shared secrets for HS256, and private
//! keys marked for ECDH-ES open sealed tokens. A key of another type is left out with a warning, because
//! key sets are shared with other software. A broken one is a problem: it was meant for us.

use aws_lc_rs::{
    agreement::{ECDH_P256, PrivateKey, X25519},
    rsa::PublicKeyComponents,
    signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{
    keys::{KEYS_MAX, KID_MAX, Named, Opener, Problem, Ring, SECRET_MIN, Verifier},
    refusal::{Code, printable},
    strict,
};

pub(super) fn add(
    jwks: &SecretString,
    ring: &mut Ring,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let mut problem = |text: String| problems.push(Problem::new("RELAY_JWKS", text));
    let set = match strict::object(jwks.expose_secret().as_bytes(), "the key set", Code::ClaimsMalformed) {
        Ok(set) => set,
        Err(refusal) => return problem(format!("{}: give `{{\"keys\":[…]}}` as JSON", refusal.message)),
    };
    let Some(Value::Array(keys)) = set.find("keys") else {
        return problem("has no list `keys`: give `{\"keys\":[…]}` as JSON".into());
    };
    if keys.len() > 4 * KEYS_MAX {
        return problem(format!("has {} keys: remove those that no longer sign", keys.len()));
    }
    for (index, key) in keys.iter().enumerate() {
        let jwk = Jwk { key };
        let name =
            jwk.text("kid").map_or(format!("keys[{index}]"), |kid| format!("key `{}`", printable(kid, 40)));
        if jwk.text("kid").is_some_and(|kid| kid.is_empty() || kid.len() > KID_MAX) {
            problem(format!("{name}: `kid` is empty or longer than {KID_MAX}"));
        }
        match jwk.read() {
            Ok(Usable::Verifier(key)) => ring.verifiers.push(Named { kid: jwk.kid(), key }),
            Ok(Usable::Opener(key)) => ring.openers.push(Named { kid: jwk.kid(), key }),
            Err(Unusable::Other(why)) => {
                warnings.push(Problem::new("RELAY_JWKS", format!("{name} is left out: {why}")));
            }
            Err(Unusable::Broken(why)) => problem(format!("{name}: {why}")),
        }
    }
}

enum Usable {
    Verifier(Verifier),
    Opener(Opener),
}

enum Unusable {
    Other(String),
    Broken(&'static str),
}

use Unusable::{Broken, Other};

struct Jwk<'a> {
    key: &'a Value,
}

impl Jwk<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.key.get(name)?.as_str()
    }

    fn kid(&self) -> Option<String> {
        self.text("kid").map(str::to_owned)
    }

    fn bytes(&self, name: &str, wrong: &'static str) -> Result<Vec<u8>, Unusable> {
        let text = self.text(name).ok_or(Broken(wrong))?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_| Broken(wrong))
    }

    fn read(&self) -> Result<Usable, Unusable> {
        let (kty, crv) = (self.text("kty").unwrap_or(""), self.text("crv").unwrap_or(""));
        let alg = self.text("alg");
        let sealing = self.text("use") == Some("enc") || alg == Some("ECDH-ES") || crv == "X25519";
        let expect = |wanted: &[&str]| match alg {
            Some(alg) if !wanted.contains(&alg) => Err(Other(format!(
                "its `alg` is `{}`, and {} is taken",
                printable(alg, 20),
                wanted.join(" or ")
            ))),
            Some(_) | None => Ok(()),
        };
        if sealing {
            expect(&["ECDH-ES"])?;
            if self.key.get("d").is_none() {
                return Err(Other(
                    "a public key opens no sealed token, the relay needs the private one".into(),
                ));
            }
        }
        match (kty, crv, sealing) {
            ("OKP", "X25519", true) => self.private(&X25519).map(Opener::X25519).map(Usable::Opener),
            ("EC", "P-256", true) => self.private(&ECDH_P256).map(Opener::P256).map(Usable::Opener),
            ("OKP", "Ed25519", false) => {
                expect(&["EdDSA", "Ed25519"])?;
                let point = self.bytes("x", "`x` is not an Ed25519 public key")?;
                let checked = ParsedPublicKey::new(&ED25519, point);
                checked.map_err(|_| Broken("`x` is not an Ed25519 public key"))?;
                verifier(Algorithm::EdDSA, DecodingKey::from_ed_components(self.text("x").unwrap_or("")))
            }
            ("EC", "P-256", false) => {
                expect(&["ES256"])?;
                let wrong = "`x` and `y` are not a point of P-256";
                let point = [vec![4], self.bytes("x", wrong)?, self.bytes("y", wrong)?].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| Broken(wrong))?;
                let (x, y) = (self.text("x").unwrap_or(""), self.text("y").unwrap_or(""));
                verifier(Algorithm::ES256, DecodingKey::from_ec_components(x, y))
            }
            ("RSA", _, false) => {
                expect(&["RS256"])?;
                let wrong = "`n` and `e` are not an RSA key of 2048 to 8192 bits";
                let parts = PublicKeyComponents { n: self.bytes("n", wrong)?, e: self.bytes("e", wrong)? };
                let checked = parts.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
                if checked.is_err() || !(256..=1024).contains(&parts.n.len()) {
                    return Err(Broken(wrong));
                }
                verifier(Algorithm::RS256, Ok(DecodingKey::from_rsa_raw_components(&parts.n, &parts.e)))
            }
            ("oct", _, false) => {
                expect(&["HS256"])?;
                let secret = self.bytes("k", "`k` is not base64url")?;
                if secret.len() < SECRET_MIN {
                    return Err(Broken("`k` has less than 32 bytes: make a longer one"));
                }
                verifier(Algorithm::HS256, Ok(DecodingKey::from_secret(&secret)))
            }
            _ => Err(Other(format!(
                "its type is not taken (`kty` {}, `crv` {}): Ed25519, P-256, RSA and oct are, and X25519 for sealing",
                printable(kty, 12),
                printable(crv, 12)
            ))),
        }
    }

    fn private(&self, curve: &'static aws_lc_rs::agreement::Algorithm) -> Result<PrivateKey, Unusable> {
        let wrong = "`d` is not a private key of its curve";
        PrivateKey::from_private_key(curve, &self.bytes("d", wrong)?).map_err(|_| Broken(wrong))
    }
}

/// The key has been checked, so the library takes it; should it not, the key is of no use.
fn verifier(
    algorithm: Algorithm,
    key: Result<DecodingKey, jsonwebtoken::errors::Error>,
) -> Result<Usable, Unusable> {
    let key = key.map_err(|_| Broken("it is not a key of its type"))?;
    Ok(Usable::Verifier(Verifier { algorithm, key }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_all(jwks: &str) -> (Ring, Vec<Problem>, Vec<Problem>) {
        let (mut ring, mut problems, mut warnings) = (Ring::default(), Vec::new(), Vec::new());
        add(&jwks.into(), &mut ring, &mut problems, &mut warnings);
        (ring, problems, warnings)
    }

    #[test]
    fn keys_for_other_software_are_left_out_with_a_warning() {
        let jwks = r#"{"keys":[{"kty":"OKP","crv":"Ed448","x":"AA","kid":"a"},{"kty":"AKP","alg":"ML-DSA-44"},
            {"kty":"EC","crv":"P-521"},{"kty":"RSA","alg":"PS256"},{"kty":"oct","alg":"A256GCM","k":"AA"},
            {"kty":"EC","crv":"P-256","use":"enc","x":"AA"},17]}"#;
        let (ring, problems, warnings) = add_all(jwks);
        assert!(ring.verifiers.is_empty() && ring.openers.is_empty());
        assert_eq!((problems.len(), warnings.len()), (0, 7), "{problems:?} {warnings:?}");
    }

    #[test]
    fn broken_keys_are_problems_and_all_are_told() {
        let short = URL_SAFE_NO_PAD.encode([1; 31]);
        let off_curve = URL_SAFE_NO_PAD.encode([7; 32]);
        let small = URL_SAFE_NO_PAD.encode([0xff; 128]);
        let jwks = format!(
            r#"{{"keys":[{{"kty":"oct","k":"{short}"}},{{"kty":"EC","crv":"P-256","x":"{off_curve}","y":"{off_curve}"}},
            {{"kty":"OKP","crv":"Ed25519","x":"AAAA"}},{{"kty":"RSA","n":"{small}","e":"AQAB"}},
            {{"kty":"OKP","crv":"X25519","d":"AAAA"}},{{"kty":"OKP","crv":"Ed25519"}}]}}"#
        );
        let (ring, problems, warnings) = add_all(&jwks);
        assert!(ring.verifiers.is_empty() && ring.openers.is_empty());
        assert_eq!((problems.len(), warnings.len()), (6, 0), "{problems:?} {warnings:?}");
    }

    #[test]
    fn what_is_no_key_set_is_a_problem() {
        for jwks in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            let (_, problems, _) = add_all(jwks);
            assert_eq!(problems.len(), 1, "{jwks}");
        }
    }
}
