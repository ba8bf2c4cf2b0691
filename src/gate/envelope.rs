//! From the text of a token to claims that are known to be genuine.
//!
//! Nothing is decoded before its size is known, and nothing of the header is believed but which of our own
//! keys to try. Keys that a header brings along are refused rather than ignored: whoever sends one expects
//! it to be used.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::zeroize::Zeroizing;
use serde_json::Value;

use super::{
    keys::Ring,
    refusal::{Code, Refusal, printable},
    sealed,
    strict::{self, Strict},
};

/// Claims whose origin is proven.
pub(super) struct Opened {
    pub claims: Strict,
    pub kid: Option<String>,
    pub sealed: bool,
}

pub(super) fn open(token: &str, ring: &Ring) -> Result<Opened, Refusal> {
    if token.is_empty() {
        return Err(Refusal::new(
            Code::TokenMissing,
            "the token is empty: the main app sends one with each call",
        ));
    }
    if token.len() > TOKEN_MAX {
        let text = format!(
            "the token has {} bytes, and 65536 are taken: point to the prompt with `config`",
            token.len()
        );
        return Err(Refusal::new(Code::TokenTooLarge, text));
    }
    match token.bytes().filter(|byte| *byte == b'.').count() {
        2 => {
            let (json, kid) = signed(token, ring)?;
            let claims = claims(&json).map_err(|refusal| refusal.of(None, None, kid.as_deref()))?;
            Ok(Opened { claims, kid, sealed: false })
        }
        4 => {
            let sealed::Content { bytes, kid, nested } = sealed::open(token, ring)?;
            let (json, kid) = if nested { inner(&bytes, ring)? } else { (bytes, kid) };
            let claims = claims(&json).map_err(|refusal| refusal.of(None, None, kid.as_deref()))?;
            Ok(Opened { claims, kid, sealed: true })
        }
        dots => {
            let text =
                format!("a token has three parts (signed) or five (sealed), and this has {}", dots + 1);
            Err(Refusal::new(Code::TokenMalformed, text))
        }
    }
}

fn claims(json: &[u8]) -> Result<Strict, Refusal> {
    strict::object(json, "the claims", Code::ClaimsMalformed)
}

fn inner(bytes: &[u8], ring: &Ring) -> Result<(Plain, Option<String>), Refusal> {
    let is_signed = |text: &&str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        text.bytes().all(known) && text.bytes().filter(|byte| *byte == b'.').count() == 2
    };
    let token = std::str::from_utf8(bytes).ok().filter(is_signed);
    let Some(token) = token else {
        let text = "`cty` says that a signed token is inside, and there is none: sign first, then seal, or leave `cty` out";
        return Err(Refusal::new(Code::TokenNested, text));
    };
    signed(token, ring)
}

pub(super) type Plain = Zeroizing<Vec<u8>>;

fn signed(token: &str, ring: &Ring) -> Result<(Plain, Option<String>), Refusal> {
    let malformed = || Refusal::new(Code::TokenMalformed, "the token is not a compact JWS");
    let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
    let (head, payload) = message.split_once('.').ok_or_else(malformed)?;
    let header = Header::read(head)?;
    let named = |refusal: Refusal| refusal.of(None, None, header.text("kid"));
    let check = || {
        let keys = ring.verifiers(header.kid()?, header.text("alg").unwrap_or(""))?;
        base64(signature)?;
        if !keys.iter().any(|named| named.key.verifies(message.as_bytes(), signature)) {
            let text = "the signature does not fit: main app and relay need the same secret, or the key set its public key";
            return Err(Refusal::new(Code::TokenSignature, text));
        }
        Ok((base64(payload)?, header.kid()?.map(str::to_owned)))
    };
    check().map_err(named)
}

/// A token's header, read but not believed.
pub(super) struct Header(Strict);

impl Header {
    pub fn read(head: &str) -> Result<Self, Refusal> {
        if head.len() > HEADER_MAX {
            return Err(Refusal::new(Code::TokenMalformed, "the token's header is longer than 4 kB"));
        }
        let header = Self(strict::object(&base64(head)?, "the token's header", Code::TokenMalformed)?);
        if let Some(name) = ["crit", "jku", "jwk", "x5u", "x5c", "b64"].iter().find(|name| header.has(name)) {
            let text =
                format!("the token's header has `{name}`, which this relay does not take: leave it out");
            return Err(Refusal::new(Code::TokenHeader, text));
        }
        match header.value("typ") {
            None => {}
            Some(Value::String(typ))
                if ["jwt", "call+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known)) => {}
            Some(typ) => {
                let typ = printable(typ.as_str().unwrap_or("no string"), 32);
                let text = format!(
                    "`typ` is `{typ}`, and call tokens are `call+jwt` or `JWT`: is this another token?"
                );
                return Err(Refusal::new(Code::TokenType, text));
            }
        }
        Ok(header)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str()
    }

    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.find(name)
    }

    /// A `kid` that is no string must not mean the same as none.
    pub fn kid(&self) -> Result<Option<&str>, Refusal> {
        match self.value("kid") {
            None => Ok(None),
            Some(Value::String(kid)) => Ok(Some(kid)),
            Some(_) => Err(Refusal::new(Code::TokenMalformed, "`kid` in the token's header is not a string")),
        }
    }
}

pub(super) fn base64(text: &str) -> Result<Plain, Refusal> {
    let malformed = |_| {
        Refusal::new(Code::TokenMalformed, "a part of the token is not base64url: was it cut or changed?")
    };
    URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new).map_err(malformed)
}

/// The longest path that any hop on the way takes.
pub const TOKEN_MAX: usize = 64 * 1024;

/// An ephemeral key and a few names are 400 bytes.
const HEADER_MAX: usize = 4 * 1024;
