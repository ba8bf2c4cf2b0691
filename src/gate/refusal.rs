//! Why a token is not let in, with one stable code for each reason.
//!
//! The codes are part of the contract: they stand in HTTP bodies, metrics, logs and WebSocket close reasons.
//! A refusal never holds a byte of the token: what it says about the token (issuer, ids, paths, names of
//! fields) is cut to a short, printable form first, because a refused token may have been written by anyone.

use std::fmt;

macro_rules! codes {
    ($($name:ident $text:literal $status:literal $what:literal)*) => {
        /// The reason of a refusal. [`Code::ALL`] is the whole list, for documents and metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $what] $name,)* }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status of a refusal before the upgrade.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// One sentence for people: what it means.
            pub fn what(self) -> &'static str {
                match self { $(Self::$name => $what,)* }
            }
        }
    };
}

codes! {
    TokenMissing "token_missing" 401 "No token came with the request or in `start`."
    TokenTooLarge "token_too_large" 413 "The token is longer than 64 kB."
    TokenMalformed "token_malformed" 401 "Not a compact JWS or JWE, or its header cannot be read."
    TokenHeader "token_header" 401 "The header has `crit`, or brings a key of its own (`jku`, `jwk`, `x5u`, `x5c`)."
    TokenType "token_type" 401 "`typ` is something other than `JWT` or `call+jwt`."
    TokenAlgorithm "token_algorithm" 401 "`alg` or `enc` is not one that the chosen key of this relay takes."
    TokenKeyUnknown "token_key_unknown" 401 "`kid` names no key of this relay."
    TokenSignature "token_signature" 401 "The signature is wrong, or made with another key."
    TokenSeal "token_seal" 401 "The sealed token does not open: another key, or changed on the way."
    TokenZip "token_zip" 401 "`zip` is not `DEF`, or the compressed claims are damaged."
    TokenInflated "token_inflated" 413 "The claims are larger than 250 kB when unpacked."
    TokenNested "token_nested" 401 "What is inside a sealed token is not the signed token that `cty` promises."
    TokenSealUnsigned "token_seal_unsigned" 401 "Sealed to the relay's public key, which anybody can do, without a signed token inside."
    TokenNotSealed "token_not_sealed" 401 "The token carries keys or a secret and must be sealed (`REQUIRE_SEALED`)."
    TokenExpired "token_expired" 401 "`exp` has passed."
    TokenNotYetValid "token_not_yet_valid" 401 "`nbf` or `iat` lies in the future: check both clocks."
    TokenLifetime "token_lifetime" 401 "`exp` is more than 15 minutes after `iat`, or not after it."
    TokenAudience "token_audience" 401 "`aud` does not name this relay (`RELAY_AUDIENCE`)."
    TokenUnbound "token_unbound" 401 "`sub` does not name the call (`REQUIRE_CALL_BINDING`)."
    TokenOtherCall "token_other_call" 401 "`sub` names another call than the one that came."
    TokenOtherAccount "token_other_account" 401 "`acct` names another account than the one that called."
    TokenReplayed "token_replayed" 401 "This machine has already taken a call with this `jti`."
    TokenChunkMissing "token_chunk_missing" 401 "A chunk `t0`…`tN` of the token did not arrive."
    TokenChunkCount "token_chunk_count" 401 "`tn` is missing, is no number, or does not match the chunks that arrived."
    TokenTooManyChunks "token_too_many_chunks" 413 "The token comes in more than 99 chunks."
    ClaimsMalformed "claims_malformed" 401 "The claims are not a JSON object."
    ClaimsDuplicate "claims_duplicate" 401 "A claim stands in the token twice."
    ClaimsUnknownField "claims_unknown_field" 401 "A field that this version does not know; often a typo."
    ClaimsMissing "claims_missing" 401 "A claim that is needed is not there."
    ClaimsType "claims_type" 401 "A claim has the wrong JSON type."
    ClaimsValue "claims_value" 401 "A claim's value is outside its range, or does not go with the others."
    ClaimsVersion "claims_version" 401 "`v` is not 1."
    ClaimsMixed "claims_mixed" 401 "Two forms in one token: flat (`prompt`, `openAIKey`, …), `agent` and `legs`, or `config`."
    ClaimsKeyMissing "claims_key_missing" 401 "Neither the token nor the relay has the provider's key."
    ClaimsNotSupported "claims_not_supported" 401 "A part of the contract that this version cannot do yet, so the call would silently lack it."
    ClaimsUpstream "claims_upstream" 401 "`base_url` is neither the relay's own nor in `UPSTREAM_ALLOW`."
    ClaimsUrl "claims_url" 401 "A URL that the relay does not call: not https, or not a public address."
    ConfigUnreachable "config_unreachable" 502 "The configuration that the token points to could not be fetched."
    ConfigTooLarge "config_too_large" 413 "The configuration that the token points to is larger than 250 kB."
    ConfigHash "config_hash" 401 "What came from `config.url` does not have the hash that the token signed."
}

/// The answer to a token that is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// For a person: what, whose side, what to do.
    pub message: Box<str>,
    /// The claim it is about, such as `legs[0].turn.mode`.
    pub path: Option<Box<str>>,
    /// What the token says of itself. Not to be trusted: the token was refused.
    pub iss: Option<Box<str>>,
    pub jti: Option<Box<str>>,
    pub kid: Option<Box<str>>,
}

impl Refusal {
    pub fn new(code: Code, message: impl Into<Box<str>>) -> Self {
        Self { code, message: message.into(), path: None, iss: None, jti: None, kid: None }
    }

    pub(super) fn at(mut self, path: impl Into<Box<str>>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Notes whose token it was, as far as known. What is noted already stays.
    pub(super) fn of(mut self, iss: Option<&str>, jti: Option<&str>, kid: Option<&str>) -> Self {
        self.iss = self.iss.or_else(|| iss.map(|text| printable(text, 128).into()));
        self.jti = self.jti.or_else(|| jti.map(|text| printable(text, 64).into()));
        self.kid = self.kid.or_else(|| kid.map(|text| printable(text, 64).into()));
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<Code> for call::RefusalCode {
    fn from(code: Code) -> Self {
        Self(code.name())
    }
}

impl From<&Refusal> for call::RefusalCode {
    fn from(refusal: &Refusal) -> Self {
        refusal.code.into()
    }
}

/// Text of unknown origin, made safe to show: short, and without control characters or lookalikes.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let mut shown: String =
        text.chars().take(most).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_its_own_name_and_a_sentence() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.what().ends_with('.'), "{code:?}");
            assert!([401, 413, 502].contains(&code.status()), "{code:?}");
            assert!(code.name().chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{code:?}");
            assert!(code.name().len() <= 100, "fits a WebSocket close reason: {code:?}");
        }
    }

    #[test]
    fn what_a_stranger_wrote_is_shown_short_and_printable() {
        assert_eq!(printable("a\nb\u{202e}c\u{1b}[0m", 40), "a?b?c?[0m");
        assert_eq!(printable("abcdef", 3), "abc…");
    }
}
