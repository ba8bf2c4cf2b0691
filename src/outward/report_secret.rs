//! With which secret does a main app want its reports signed, if not with the one that is derived for all?
//!
//! Written as Standard Webhooks write theirs, so that an app hands the same text to its token and to its library.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;

#[derive(Clone, PartialEq, Eq)]
pub struct ReportSecret(Zeroizing<Vec<u8>>);

impl ReportSecret {
    /// `whsec_` and base64; `None` for everything else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.strip_prefix("whsec_")?).ok()?);
        Self::from_bytes(bytes)
    }

    /// From where it was kept.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        BYTES.contains(&bytes.len()).then_some(Self(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

impl fmt::Debug for ReportSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What the specification asks for.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_as_the_specification_says() {
        for length in [24, 32, 64] {
            let text = format!("whsec_{}", STANDARD.encode(vec![7; length]));
            let secret = ReportSecret::parse(&text).unwrap();
            assert_eq!((secret.bytes(), format!("{secret:?}")), (&vec![7; length][..], "***".to_owned()));
        }
        for bad in [
            String::new(),
            "whsec_".into(),
            STANDARD.encode([7; 32]),
            format!("whsk_{}", STANDARD.encode([7; 32])),
            format!("whsec_{}", STANDARD.encode([7; 23])),
            format!("whsec_{}", STANDARD.encode([7; 65])),
            format!("whsec_ {}", STANDARD.encode([7; 32])),
            format!("whsec_{}\n", STANDARD.encode([7; 32])),
            format!("whsec_{}", "_-".repeat(20)),
        ] {
            assert_eq!(ReportSecret::parse(&bad), None, "{bad:?}");
        }
    }
}
