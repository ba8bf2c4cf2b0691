//! Opens a sealed token: compact JWE, A256GCM only, with a shared secret (`dir`) or our private key (ECDH-ES).
//!
//! With a shared secret the seal itself proves who made it. With ECDH-ES it proves nothing, since anybody
//! can seal to a public key: only a signed token inside counts then.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey, X25519},
    digest,
};
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};
use secrecy::zeroize::Zeroizing;

use super::{
    envelope::{Header, Plain, base64},
    keys::{Opener, Ring},
    refusal::{Code, Refusal, printable},
};

pub(super) struct Content {
    pub bytes: Plain,
    pub kid: Option<String>,
    /// It is a signed token rather than the claims.
    pub nested: bool,
}

pub(super) fn open(token: &str, ring: &Ring) -> Result<Content, Refusal> {
    let parts: Vec<&str> = token.splitn(6, '.').collect();
    let [head, wrapped, iv, text, tag] = parts[..] else {
        return Err(Refusal::new(Code::TokenMalformed, "the token is not a compact JWE"));
    };
    let header = Header::read(head)?;
    let sealed = Sealed { head, wrapped, iv, text, tag };
    sealed.open(&header, ring).map_err(|refusal| refusal.of(None, None, header.text("kid")))
}

struct Sealed<'a> {
    head: &'a str,
    wrapped: &'a str,
    iv: &'a str,
    text: &'a str,
    tag: &'a str,
}

impl Sealed<'_> {
    fn open(&self, header: &Header, ring: &Ring) -> Result<Content, Refusal> {
        let alg = header.text("alg").unwrap_or("");
        let enc = header.text("enc").unwrap_or("");
        let openers = ring.openers(header.kid()?, alg)?;
        if enc != "A256GCM" {
            let text = format!("`enc` is `{}`, and only A256GCM is taken", printable(enc, 24));
            return Err(Refusal::new(Code::TokenAlgorithm, text));
        }
        if !self.wrapped.is_empty() {
            return Err(Refusal::new(
                Code::TokenMalformed,
                "a sealed token with this `alg` has an empty second part",
            ));
        }
        let zipped = match (header.has("zip"), header.text("zip")) {
            (false, _) => false,
            (true, Some("DEF")) => true,
            (true, _) => return Err(Refusal::new(Code::TokenZip, "`zip` is not `DEF`")),
        };
        let nested = match (header.has("cty"), header.text("cty")) {
            (false, _) => false,
            (true, Some(cty)) if cty.eq_ignore_ascii_case("JWT") => true,
            (true, _) => {
                let text = "`cty` is not `JWT`: write `JWT` for a signed token inside, or leave it out";
                return Err(Refusal::new(Code::TokenNested, text));
            }
        };
        if alg == "ECDH-ES" && !nested {
            let text =
                "anybody can seal to a public key: sign the token first and seal that, with `cty` `JWT`";
            return Err(Refusal::new(Code::TokenSealUnsigned, text));
        }
        let nonce: [u8; 12] = base64(self.iv)?[..].try_into().map_err(|_| not_opened())?;
        let tag = base64(self.tag)?;
        // Tag and text are put together below: without this, one token could be written in several ways.
        if tag.len() != 16 {
            return Err(not_opened());
        }
        let ciphertext = base64(self.text)?;
        let opened = openers.iter().find_map(|named| {
            let mut data = Zeroizing::new([&ciphertext[..], &tag[..]].concat());
            let nonce = Nonce::assume_unique_for_key(nonce);
            let aad = Aad::from(self.head.as_bytes());
            let len = match &named.key {
                Opener::Dir(key) => key.open_in_place(nonce, aad, &mut data).ok()?.len(),
                Opener::P256(key) => agreed(key, header)?.open_in_place(nonce, aad, &mut data).ok()?.len(),
                Opener::X25519(key) => agreed(key, header)?.open_in_place(nonce, aad, &mut data).ok()?.len(),
            };
            data.truncate(len);
            Some(data)
        });
        let bytes = opened.ok_or_else(not_opened)?;
        let bytes = if zipped { inflate(&bytes)? } else { bytes };
        Ok(Content { bytes, kid: header.kid()?.map(str::to_owned), nested })
    }
}

fn not_opened() -> Refusal {
    let text = "the sealed token does not open: seal with the relay's secret or public key, and change nothing afterwards";
    Refusal::new(Code::TokenSeal, text)
}

fn inflate(bytes: &[u8]) -> Result<Plain, Refusal> {
    decompress_to_vec_with_limit(bytes, INFLATED_MAX).map(Zeroizing::new).map_err(|e| {
        if e.status == TINFLStatus::HasMoreOutput {
            return Refusal::new(Code::TokenInflated, "the claims are larger than 250 kB when unpacked");
        }
        Refusal::new(
            Code::TokenZip,
            "the compressed claims are damaged: `DEF` is deflate without a zlib header",
        )
    })
}

/// The content key that both sides arrive at. `None` when the header's ephemeral key is not one of our curve.
fn agreed(own: &PrivateKey, header: &Header) -> Option<LessSafeKey> {
    let epk = header.value("epk")?;
    let part = |name| base64(epk.get(name)?.as_str()?).ok();
    let (curve, point) = match epk.get("crv")?.as_str()? {
        "P-256" => (&ECDH_P256, [&[4][..], &part("x")?, &part("y")?].concat()),
        "X25519" => (&X25519, part("x")?.to_vec()),
        _ => return None,
    };
    let party =
        |name| if header.has(name) { base64(header.text(name)?).ok() } else { Some(Plain::default()) };
    let (apu, apv) = (party("apu")?, party("apv")?);
    // A point of another curve than our own key's is refused by `agree`.
    // Concat KDF of RFC 7518, 4.6.2: one block is enough for 256 bits.
    let key = agreement::agree(own, UnparsedPublicKey::new(curve, point), (), |shared| {
        let mut block = digest::Context::new(&digest::SHA256);
        block.update(&1u32.to_be_bytes());
        block.update(shared);
        for part in [b"A256GCM", &apu[..], &apv[..]] {
            block.update(&u32::try_from(part.len()).map_err(|_| ())?.to_be_bytes());
            block.update(part);
        }
        block.update(&256u32.to_be_bytes());
        UnboundKey::new(&AES_256_GCM, block.finish().as_ref()).map_err(|_| ())
    });
    key.ok().map(LessSafeKey::new)
}

/// A prompt of 250 kB is longer than any model takes; more is a bomb.
pub const INFLATED_MAX: usize = 250_000;
