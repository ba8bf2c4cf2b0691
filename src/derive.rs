//! Which keys are made of `RELAY_SECRET`? One for each purpose, so that what serves one is of no use for another.
//!
//! HKDF-SHA256 with an empty salt; the purpose is its info, and part of what main apps build on.

use aws_lc_rs::hkdf;
use secrecy::zeroize::Zeroizing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Opens sealed call tokens.
    Tokens,
    /// Signs what is sent to main apps.
    Webhooks,
    /// Seals what must not lie on the disk for everybody to read.
    Spool,
}

impl Purpose {
    fn info(self) -> &'static [u8] {
        match self {
            Self::Tokens => b"patchcord/seal/v1",
            Self::Webhooks => b"patchcord/webhook/v1",
            Self::Spool => b"patchcord/spool/v1",
        }
    }
}

pub fn key_for(purpose: Purpose, secret: &[u8]) -> Zeroizing<[u8; 32]> {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
    let mut key = Zeroizing::new([0; 32]);
    let derived = prk.expand(&[purpose.info()], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key[..]));
    derived.expect("32 bytes are one block of this HKDF");
    key
}
