//! Tokens that must not be let in, each with the code that says why.
//!
//! A row is a name, a token and its code; where a claim is at fault, also its path. The tokens that need
//! another library to make (public keys as secrets, ECDH-ES without a signature, …) are in `interop`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use patchcord::gate::{Code, Gate, GateSettings, Refusal, mint::Minter};
use serde_json::{Value, json};

use crate::scene::*;

struct Row {
    name: &'static str,
    token: String,
    code: Code,
    path: Option<&'static str>,
}

fn row(name: &'static str, token: String, code: Code) -> Row {
    Row { name, token, code, path: None }
}

/// Good but for these claims.
fn all_keys() -> Value {
    json!({ "openai": "sk-MARKER", "deepgram": "MARKER", "groq": "MARKER", "elevenlabs": "MARKER" })
}

/// A cascade with this voice.
fn spoken(provider: &str, voice: &str) -> Value {
    json!({
        "kind": "cascade",
        "stt": { "provider": "deepgram", "model": "flux-general-en" },
        "llm": { "provider": "groq", "model": "openai/gpt-oss-20b" },
        "tts": { "provider": provider, "voice": voice },
    })
}

fn claim(name: &'static str, changes: Value, code: Code, path: &'static str) -> Row {
    Row { name, token: minter().sign(&with(changes)), code, path: Some(path) }
}

fn check(gate: &Gate, rows: Vec<Row>) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let got = gate.open(&row.token, now()).err();
            let fits = got.as_ref().is_some_and(|got| {
                got.code == row.code && row.path.is_none_or(|path| got.path.as_deref() == Some(path))
            });
            let unsafe_words = got.as_ref().is_some_and(|got| shown(got).contains("MARKER"));
            (!fits || unsafe_words)
                .then(|| format!("{}: wanted {:?} {:?}, got {got:?}", row.name, row.code, row.path))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn shown(refusal: &Refusal) -> String {
    format!("{refusal} {refusal:?}")
}

fn cascade() -> Value {
    json!({
        "kind": "cascade",
        "stt": { "provider": "deepgram", "model": "flux-general-en" },
        "llm": { "provider": "groq", "model": "openai/gpt-oss-20b" },
        "tts": { "provider": "deepgram", "voice": "aura-2-thalia-en" },
    })
}

/// A key of Twilio's with one field otherwise.
fn twilio(field: &str, value: &str) -> Value {
    let mut key = twilio_key();
    key[field] = value.into();
    json!({ "keys": { "twilio": key } })
}

/// Reports signed with this.
fn own_secret(text: &str) -> Value {
    json!({ "report": { "url": "https://app.example.com/", "secret": text } })
}

/// Over that key, this number.
fn dials(number: &str) -> Value {
    let tool = json!({ "kind": "transfer", "targets": { "help": "+15550101", "sales": number } });
    json!({ "keys": { "twilio": twilio_key() }, "tools": [tool] })
}

/// With both keys, and one field of the cascade otherwise.
fn cascade_with(path: &str, value: impl Into<Value>) -> Value {
    let mut cascade = cascade();
    let (parent, name) = path.rsplit_once('/').unwrap();
    cascade.pointer_mut(parent).unwrap()[name] = value.into();
    json!({ "legs": [cascade], "keys": { "deepgram": "dg-key", "groq": "gsk-key" } })
}

/// Signed under another header.
fn under(header: Value) -> String {
    minter().sign_bytes(&header, claims().to_string().as_bytes())
}

/// Sealed under another header, not compressed.
fn sealed_under(header: Value) -> String {
    minter().seal_bytes(&header, claims().to_string().as_bytes())
}

fn dir(extra: Value) -> Value {
    let mut header = json!({ "alg": "dir", "enc": "A256GCM" });
    header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    header
}

/// The text of a token with one of its parts replaced.
fn part(token: &str, index: usize, change: impl Fn(&str) -> String) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts[index] = change(&parts[index]);
    parts.join(".")
}

/// Changes a base64url text in a bit that counts.
fn flip(text: &str) -> String {
    let other = if text.starts_with('A') { "B" } else { "A" };
    format!("{other}{}", &text[1..])
}

/// The same bytes, with three of the tag moved to the ciphertext.
fn cut_elsewhere(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut text = URL_SAFE_NO_PAD.decode(parts[3]).unwrap();
    let tag = URL_SAFE_NO_PAD.decode(parts[4]).unwrap();
    text.extend_from_slice(&tag[..3]);
    let (text, tag) = (URL_SAFE_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(&tag[3..]));
    format!("{}..{}.{text}.{tag}", parts[0], parts[2])
}

#[test]
fn headers_and_signatures() {
    let good = minter().sign(&claims());
    let stranger = Minter::new(&"another-secret-of-at-least-32-bytes!!".into());
    let alg = |alg: &str| under(json!({ "alg": alg }));
    let header = |name: &str, value: Value| {
        let mut header = json!({ "alg": "HS256" });
        header[name] = value;
        under(header)
    };
    check(
        &gate(),
        vec![
            row("empty", String::new(), Code::TokenMissing),
            row("a word", "MARKER".into(), Code::TokenMalformed),
            row("two parts", "MARKER.MARKER".into(), Code::TokenMalformed),
            row("four parts", "a.b.c.d".into(), Code::TokenMalformed),
            row("six parts", "a.b.c.d.e.f".into(), Code::TokenMalformed),
            row("no base64", "ä.ö.ü".into(), Code::TokenMalformed),
            row("padded base64", part(&good, 0, |head| format!("{head}=")), Code::TokenMalformed),
            row("header is no JSON", part(&good, 0, |_| "TUFSS0VS".into()), Code::TokenMalformed),
            row("header of 5 kB", header("x", "x".repeat(5_000).into()), Code::TokenMalformed),
            row(
                "two algs in the header",
                part(&good, 0, |_| "eyJhbGciOiJub25lIiwiYWxnIjoiSFMyNTYifQ".into()),
                Code::TokenMalformed,
            ),
            row("kid is a number", header("kid", json!(7)), Code::TokenMalformed),
            row("kid is null", header("kid", json!(null)), Code::TokenMalformed),
            row("65 kB", format!("{good}{}", "A".repeat(65 * 1024)), Code::TokenTooLarge),
            row("65 kB of dots", ".".repeat(65 * 1024), Code::TokenTooLarge),
            row("alg none, signed nevertheless", alg("none"), Code::TokenAlgorithm),
            row("alg none, no signature", part(&alg("none"), 2, |_| String::new()), Code::TokenAlgorithm),
            row("alg nOnE", alg("nOnE"), Code::TokenAlgorithm),
            row("alg missing", under(json!({})), Code::TokenAlgorithm),
            row("alg is a list", under(json!({ "alg": ["HS256"] })), Code::TokenAlgorithm),
            row("alg HS512", alg("HS512"), Code::TokenAlgorithm),
            row("alg hs256", alg("hs256"), Code::TokenAlgorithm),
            row("alg RS256 without such a key", alg("RS256"), Code::TokenAlgorithm),
            row("unknown kid", header("kid", json!("MARKE")), Code::TokenKeyUnknown),
            row("another secret", stranger.sign(&claims()), Code::TokenSignature),
            row("no signature", part(&good, 2, |_| String::new()), Code::TokenSignature),
            row(
                "half a signature",
                part(&good, 2, |signature| signature[..20].to_owned()),
                Code::TokenSignature,
            ),
            row("changed signature", part(&good, 2, flip), Code::TokenSignature),
            row(
                "changed claims",
                part(&good, 1, |claims| claims.replace("fQ", "fg") + "AAAA"),
                Code::TokenSignature,
            ),
            row("jku", header("jku", json!("https://evil.example/MARKER")), Code::TokenHeader),
            row("jwk", header("jwk", json!({ "kty": "oct", "k": "AAAA" })), Code::TokenHeader),
            row("x5u", header("x5u", json!("https://evil.example/")), Code::TokenHeader),
            row("x5c", header("x5c", json!(["AAAA"])), Code::TokenHeader),
            row("crit", header("crit", json!(["exp"])), Code::TokenHeader),
            row("unencoded payload", header("b64", json!(false)), Code::TokenHeader),
            row("typ of a login", header("typ", json!("at+jwt")), Code::TokenType),
            row("typ is a number", header("typ", json!(1)), Code::TokenType),
        ],
    );
}

#[test]
fn seals() {
    let good = minter().seal(&claims());
    let signed = minter().sign(&claims());
    let stranger = Minter::new(&"another-secret-of-at-least-32-bytes!!".into());
    let nest = |inner: &str| minter().seal_bytes(&dir(json!({ "cty": "JWT" })), inner.as_bytes());
    let pack = |plain: &[u8]| {
        minter().seal_bytes(&dir(json!({ "zip": "DEF" })), &miniz_oxide::deflate::compress_to_vec(plain, 6))
    };
    let bomb = pack(&vec![b' '; 50_000_000]);
    assert!(bomb.len() < 65_536 + 20_000, "{}", bomb.len());
    let bomb = if bomb.len() > 65_536 { pack(&vec![b' '; 20_000_000]) } else { bomb };
    check(
        &gate(),
        vec![
            row("sealed with another secret", stranger.seal(&claims()), Code::TokenSeal),
            row(
                "changed header",
                part(&good, 0, |_| {
                    sealed_under(dir(json!({ "zip": "DEF" }))).split('.').next().unwrap().into()
                }),
                Code::TokenSeal,
            ),
            row("changed iv", part(&good, 2, flip), Code::TokenSeal),
            row("changed ciphertext", part(&good, 3, flip), Code::TokenSeal),
            row("changed tag", part(&good, 4, flip), Code::TokenSeal),
            row("short tag", part(&good, 4, |tag| tag[..16].to_owned()), Code::TokenSeal),
            row("short iv", part(&good, 2, |iv| iv[..8].to_owned()), Code::TokenSeal),
            row("the tag begins in the ciphertext", cut_elsewhere(&good), Code::TokenSeal),
            row("no ciphertext", part(&good, 3, |_| String::new()), Code::TokenSeal),
            row("with a wrapped key", part(&good, 1, |_| "AAAA".into()), Code::TokenMalformed),
            row("alg none", sealed_under(json!({ "alg": "none", "enc": "A256GCM" })), Code::TokenAlgorithm),
            row(
                "alg RSA1_5",
                sealed_under(json!({ "alg": "RSA1_5", "enc": "A256GCM" })),
                Code::TokenAlgorithm,
            ),
            row(
                "alg PBES2",
                sealed_under(json!({ "alg": "PBES2-HS256+A128KW", "enc": "A256GCM", "p2c": 1_000_000 })),
                Code::TokenAlgorithm,
            ),
            row("alg HS256", sealed_under(json!({ "alg": "HS256", "enc": "A256GCM" })), Code::TokenAlgorithm),
            row(
                "alg ECDH-ES without such a key",
                sealed_under(json!({ "alg": "ECDH-ES", "enc": "A256GCM", "cty": "JWT" })),
                Code::TokenAlgorithm,
            ),
            row("enc A128GCM", sealed_under(json!({ "alg": "dir", "enc": "A128GCM" })), Code::TokenAlgorithm),
            row("enc missing", sealed_under(json!({ "alg": "dir" })), Code::TokenAlgorithm),
            row("unknown kid", sealed_under(dir(json!({ "kid": "other" }))), Code::TokenKeyUnknown),
            row("crit", sealed_under(dir(json!({ "crit": ["zip"] }))), Code::TokenHeader),
            row("zip of another kind", sealed_under(dir(json!({ "zip": "GZ" }))), Code::TokenZip),
            row("zip without compression", sealed_under(dir(json!({ "zip": "DEF" }))), Code::TokenZip),
            row("a zip bomb", bomb, Code::TokenInflated),
            row("250,001 bytes unpacked", pack(&vec![b' '; 250_001]), Code::TokenInflated),
            row("250,000 bytes unpacked, of nothing", pack(&vec![b' '; 250_000]), Code::ClaimsMalformed),
            row("cty of another kind", sealed_under(dir(json!({ "cty": "json" }))), Code::TokenNested),
            row("claims where a token should be", nest(&claims().to_string()), Code::TokenNested),
            row("sealed in sealed", nest(&good), Code::TokenNested),
            row(
                "bytes where a token should be",
                minter().seal_bytes(&dir(json!({ "cty": "JWT" })), &[0xff; 40]),
                Code::TokenNested,
            ),
            row("a wrong signature inside", nest(&stranger.sign(&claims())), Code::TokenSignature),
            row("alg none inside", nest(&under(json!({ "alg": "none" }))), Code::TokenAlgorithm),
            row(
                "an expired token inside",
                nest(&minter().sign(&with(json!({ "iat": NOW - 100, "exp": NOW - 10 })))),
                Code::TokenExpired,
            ),
            row(
                "a token where claims should be",
                minter().seal_bytes(&dir(json!({})), signed.as_bytes()),
                Code::ClaimsMalformed,
            ),
        ],
    );
}

#[test]
fn times_and_names() {
    use Code::*;
    let dates = |iat: Value, exp: Value| json!({ "iat": iat, "exp": exp });
    check(
        &gate(),
        vec![
            claim("expired", dates(json!(NOW - 100), json!(NOW - 10)), TokenExpired, "exp"),
            claim("lives too long", dates(json!(NOW), json!(NOW + 901)), TokenLifetime, "exp"),
            claim("ends before it begins", dates(json!(NOW + 10), json!(NOW + 5)), TokenLifetime, "exp"),
            claim(
                "dated into the future to live longer",
                dates(json!(NOW + 3_600), json!(NOW + 4_000)),
                TokenNotYetValid,
                "iat",
            ),
            claim("nbf in the future", json!({ "nbf": NOW + 60 }), TokenNotYetValid, "nbf"),
            claim("no exp", json!({ "exp": null }), ClaimsMissing, "exp"),
            claim("no iat", json!({ "iat": null }), ClaimsMissing, "iat"),
            claim("exp in milliseconds", json!({ "exp": NOW * 1_000 }), ClaimsValue, "exp"),
            claim("exp negative", json!({ "exp": -1 }), ClaimsValue, "exp"),
            claim("exp as text", json!({ "exp": "MARKER" }), ClaimsType, "exp"),
            claim("no aud", json!({ "aud": null }), ClaimsMissing, "aud"),
            claim("aud of another relay", json!({ "aud": "patchcord-staging" }), TokenAudience, "aud"),
            claim("aud list without us", json!({ "aud": ["a", "b"] }), TokenAudience, "aud"),
            claim("aud empty list", json!({ "aud": [] }), TokenAudience, "aud"),
            claim("aud is an object", json!({ "aud": { "patchcord": true } }), ClaimsType, "aud"),
            claim("no iss", json!({ "iss": null }), ClaimsMissing, "iss"),
            claim("iss empty", json!({ "iss": "" }), ClaimsValue, "iss"),
            claim("iss endless", json!({ "iss": "x".repeat(300) }), ClaimsValue, "iss"),
            claim("iss with a line break", json!({ "iss": "a\nb" }), ClaimsValue, "iss"),
            claim("jti endless", json!({ "jti": "x".repeat(300) }), ClaimsValue, "jti"),
            claim("no sub", json!({ "sub": null }), TokenUnbound, "sub"),
            claim("sub empty", json!({ "sub": "" }), ClaimsValue, "sub"),
            claim("another version", json!({ "v": 2 }), ClaimsVersion, "v"),
            claim("version as text", json!({ "v": "1" }), ClaimsType, "v"),
        ],
    );
    let list = minter().sign_bytes(&json!({ "alg": "HS256" }), b"[1]");
    let text = minter().sign_bytes(&json!({ "alg": "HS256" }), b"MARKER");
    let twice = claims().to_string().replacen("\"exp\":", "\"exp\":9999999999,\"exp\":", 1);
    let twice_below = claims().to_string().replacen("\"voice\":", "\"voice\":\"a\",\"voice\":", 1);
    let sign = |json: String| minter().sign_bytes(&json!({ "alg": "HS256" }), json.as_bytes());
    check(
        &gate(),
        vec![
            row("claims are a list", list, ClaimsMalformed),
            row("claims are no JSON", text, ClaimsMalformed),
            Row { path: Some("exp"), ..row("a claim twice", sign(twice), ClaimsDuplicate) },
            Row { path: Some("voice"), ..row("a field twice", sign(twice_below), ClaimsDuplicate) },
        ],
    );
}

#[test]
fn unknown_fields_at_every_level() {
    use Code::ClaimsUnknownField as Unknown;
    let leg = |leg: Value| json!({ "legs": [{ "kind": "echo" }, leg] });
    let tool = |tool: Value| json!({ "tools": [tool] });
    check(
        &gate(),
        vec![
            claim("top", json!({ "promt": "x" }), Unknown, "promt"),
            claim("agent", json!({ "agent": { "promt": "x" } }), Unknown, "agent.promt"),
            claim("leg", leg(json!({ "kind": "openai", "modle": "x" })), Unknown, "legs[1].modle"),
            claim(
                "turn",
                leg(json!({ "kind": "openai", "turn": { "mod": "x" } })),
                Unknown,
                "legs[1].turn.mod",
            ),
            claim(
                "transcription",
                leg(json!({ "kind": "openai", "transcription": { "x": 1 } })),
                Unknown,
                "legs[1].transcription.x",
            ),
            claim(
                "reasoning",
                leg(json!({ "kind": "openai", "reasoning": { "effort": "low", "x": 1 } })),
                Unknown,
                "legs[1].reasoning.x",
            ),
            claim("echo", leg(json!({ "kind": "echo", "pause": 1 })), Unknown, "legs[1].pause"),
            claim(
                "cascade",
                leg(
                    json!({ "kind": "cascade", "stt": { "provider": "deepgram" }, "llm": { "provider": "groq", "model": "b" },
            "tts": { "provider": "deepgram", "voice": "b", "speeed": 1 } }),
                ),
                Unknown,
                "legs[1].tts.speeed",
            ),
            claim("keys", json!({ "keys": { "openAI": "MARKER" } }), Unknown, "keys.openAI"),
            claim(
                "twilio's key",
                json!({ "keys": { "twilio": { "account_sid": "a", "api_key": "b", "api_secret": "MARKER", "x": 1 } } }),
                Unknown,
                "keys.twilio.x",
            ),
            claim("call", json!({ "call": { "maxSeconds": 5 } }), Unknown, "call.maxSeconds"),
            claim(
                "idle",
                json!({ "call": { "idle": { "after_seconds": 1, "x": 1 } } }),
                Unknown,
                "call.idle.x",
            ),
            claim(
                "record",
                json!({ "call": { "record": { "put_url": "a", "x": 1 } } }),
                Unknown,
                "call.record.x",
            ),
            claim("report", json!({ "report": { "url": "a", "event": [] } }), Unknown, "report.event"),
            claim("function", tool(json!({ "name": "a", "url": "b", "x": 1 })), Unknown, "tools[0].x"),
            claim("hang_up", tool(json!({ "kind": "hang_up", "x": 1 })), Unknown, "tools[0].x"),
            claim(
                "transfer",
                tool(json!({ "kind": "transfer", "targets": {}, "x": 1 })),
                Unknown,
                "tools[0].x",
            ),
            claim(
                "config",
                json!({ "agent": null, "legs": null, "keys": null,
            "config": { "url": "https://a.example.com", "sha256": "x", "x": 1 } }),
                Unknown,
                "config.x",
            ),
        ],
    );
}

#[test]
fn values() {
    use Code::*;
    let leg = |leg: Value| json!({ "legs": [leg] });
    let openai = |extra: Value| {
        let mut leg = json!({ "kind": "openai" });
        leg.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({ "legs": [leg] })
    };
    let turn = |turn: Value| openai(json!({ "turn": turn }));
    let upstream = |url: &str| openai(json!({ "base_url": url }));
    let reference = |url: &str, sha256: &str| json!({ "agent": null, "legs": null, "keys": null, "config": { "url": url, "sha256": sha256 } });
    let hash = "0".repeat(64);
    let function = json!([{ "name": "lookup", "url": "https://app.example.com/x" }]);
    let tool = |field: &str, value: Value| {
        let mut tool = function[0].clone();
        tool[field] = value;
        json!({ "tools": [tool] })
    };
    check(
        &gate(),
        vec![
            claim("no legs", json!({ "legs": null }), ClaimsMissing, "legs"),
            claim("empty legs", json!({ "legs": [] }), ClaimsMissing, "legs"),
            claim(
                "too many legs",
                json!({ "legs": vec![json!({ "kind": "echo" }); 9] }),
                ClaimsValue,
                "legs",
            ),
            claim("legs is an object", json!({ "legs": { "kind": "echo" } }), ClaimsType, "legs"),
            claim("a leg is a list", leg(json!([])), ClaimsType, "legs[0]"),
            claim("kind missing", leg(json!({ "model": "MARKER" })), ClaimsMissing, "legs[0].kind"),
            claim("kind unknown", leg(json!({ "kind": "MARKER" })), ClaimsValue, "legs[0].kind"),
            claim("kind is a number", leg(json!({ "kind": 7 })), ClaimsType, "legs[0].kind"),
            claim(
                "a cascade without a key",
                json!({ "legs": [cascade()], "keys": { "groq": "MARKER" } }),
                ClaimsKeyMissing,
                "keys.deepgram",
            ),
            claim(
                "a cascade with the other key",
                json!({ "legs": [cascade()], "keys": { "deepgram": "MARKER", "openai": "MARKER" } }),
                ClaimsKeyMissing,
                "keys.groq",
            ),
            claim(
                "an unknown ear",
                cascade_with("/stt/provider", "MARKER"),
                ClaimsValue,
                "legs[0].stt.provider",
            ),
            claim(
                "another ear without its key",
                cascade_with("/stt", json!({ "provider": "elevenlabs" })),
                ClaimsKeyMissing,
                "keys.elevenlabs",
            ),
            claim(
                "another provider's ear",
                cascade_with("/stt", json!({ "provider": "elevenlabs", "model": "nova-3" })),
                ClaimsValue,
                "legs[0].stt.model",
            ),
            claim(
                "a keyterm too long for this ear",
                cascade_with("/stt", json!({ "provider": "elevenlabs", "keyterms": ["x".repeat(21)] })),
                ClaimsValue,
                "legs[0].stt.keyterms[0]",
            ),
            claim(
                "Flux's field at Scribe",
                cascade_with("/stt", json!({ "provider": "elevenlabs", "eot_threshold": 0.7 })),
                ClaimsValue,
                "legs[0].stt.eot_threshold",
            ),
            claim(
                "a voice without its key",
                cascade_with("/tts", json!({ "provider": "elevenlabs", "voice": "v" })),
                ClaimsKeyMissing,
                "keys.elevenlabs",
            ),
            claim(
                "another family's model",
                cascade_with(
                    "/tts",
                    json!({ "provider": "elevenlabs", "voice": "v", "model": "eleven_v4_turbo" }),
                ),
                ClaimsNotSupported,
                "legs[0].tts.model",
            ),
            claim("a model at Deepgram", cascade_with("/tts/model", "x"), ClaimsValue, "legs[0].tts.model"),
            claim("an empty model", cascade_with("/llm/model", ""), ClaimsValue, "legs[0].llm.model"),
            claim(
                "a mind elsewhere",
                cascade_with("/llm/base_url", "https://evil.example/v1"),
                ClaimsUpstream,
                "legs[0].llm.base_url",
            ),
            claim(
                "an ear elsewhere",
                cascade_with("/stt/base_url", "https://evil.example/v1"),
                ClaimsUpstream,
                "legs[0].stt.base_url",
            ),
            claim(
                "surer than sure",
                cascade_with("/stt/eot_threshold", 1.5),
                ClaimsValue,
                "legs[0].stt.eot_threshold",
            ),
            claim(
                "eager above sure",
                cascade_with("/stt/eager_eot_threshold", 0.8),
                ClaimsValue,
                "legs[0].stt.eager_eot_threshold",
            ),
            claim(
                "Nova's field at Flux",
                cascade_with("/stt/silence_ms", 300),
                ClaimsValue,
                "legs[0].stt.silence_ms",
            ),
            claim(
                "too many keyterms",
                cascade_with("/stt/keyterms", vec!["x"; 101]),
                ClaimsValue,
                "legs[0].stt.keyterms",
            ),
            claim(
                "an empty keyterm",
                cascade_with("/stt/keyterms", json!(["x", ""])),
                ClaimsValue,
                "legs[0].stt.keyterms[1]",
            ),
            claim(
                "our own field",
                cascade_with("/llm/extra", json!({ "messages": [] })),
                ClaimsValue,
                "legs[0].llm.extra.messages",
            ),
            claim("an odd detector", cascade_with("/vad", "MARKER"), ClaimsValue, "legs[0].vad"),
            claim(
                "half a cascade",
                leg(json!({ "kind": "cascade", "stt": { "provider": "deepgram" } })),
                ClaimsMissing,
                "legs[0].llm",
            ),
            claim("agent is a text", json!({ "agent": "MARKER" }), ClaimsType, "agent"),
            claim("prompt is a number", json!({ "agent": { "prompt": 7 } }), ClaimsType, "agent.prompt"),
            claim(
                "greeting too long",
                json!({ "agent": { "greeting": "x".repeat(2_001) } }),
                ClaimsValue,
                "agent.greeting",
            ),
            claim(
                "voice too long",
                json!({ "agent": { "voice": "x".repeat(65) } }),
                ClaimsValue,
                "agent.voice",
            ),
            claim("voice empty", json!({ "agent": { "voice": "" } }), ClaimsValue, "agent.voice"),
            claim(
                "language is a sentence",
                json!({ "agent": { "language": "some English" } }),
                ClaimsValue,
                "agent.language",
            ),
            claim("too fast", json!({ "agent": { "speed": 1.6 } }), ClaimsValue, "agent.speed"),
            claim("too slow", json!({ "agent": { "speed": 0.2 } }), ClaimsValue, "agent.speed"),
            claim(
                "too fast for ElevenLabs",
                json!({ "agent": { "speed": 1.3 }, "legs": [{ "kind": "echo" }, spoken("elevenlabs", "MARKER")], "keys": all_keys() }),
                ClaimsValue,
                "agent.speed",
            ),
            claim(
                "too slow for Aura",
                json!({ "agent": { "speed": 0.6 }, "legs": [spoken("deepgram", "aura-2-thalia-en")], "keys": all_keys() }),
                ClaimsValue,
                "agent.speed",
            ),
            claim(
                "an accent for a voice that has its own",
                json!({ "agent": { "accent": "Scottish" }, "legs": [spoken("deepgram", "aura-2-thalia-en")], "keys": all_keys() }),
                ClaimsNotSupported,
                "agent.accent",
            ),
            claim(
                "a manner for a voice that has its own",
                json!({ "agent": { "manner": "warm" }, "legs": [{ "kind": "openai" }, spoken("elevenlabs", "MARKER")], "keys": all_keys() }),
                ClaimsNotSupported,
                "agent.manner",
            ),
            claim(
                "a manner of two lines",
                json!({ "agent": { "manner": "warm\nMARKER" } }),
                ClaimsValue,
                "agent.manner",
            ),
            claim("too hot", json!({ "agent": { "temperature": 2.1 } }), ClaimsValue, "agent.temperature"),
            claim(
                "temperature as text",
                json!({ "agent": { "temperature": "0.7" } }),
                ClaimsType,
                "agent.temperature",
            ),
            claim("no time at all", json!({ "call": { "max_seconds": 0 } }), ClaimsValue, "call.max_seconds"),
            claim("negative time", json!({ "call": { "max_seconds": -5 } }), ClaimsValue, "call.max_seconds"),
            claim(
                "interruptible as text",
                json!({ "call": { "interruptible": "no" } }),
                ClaimsType,
                "call.interruptible",
            ),
            claim(
                "warning too long",
                json!({ "call": { "warning_message": "x".repeat(2_001) } }),
                ClaimsValue,
                "call.warning_message",
            ),
            claim(
                "context of 20 kB",
                json!({ "context": { "x": "x".repeat(20_000) } }),
                ClaimsValue,
                "context",
            ),
            claim("turn mode unknown", turn(json!({ "mode": "MARKER" })), ClaimsValue, "legs[0].turn.mode"),
            claim(
                "threshold above 1",
                turn(json!({ "threshold": 1.1 })),
                ClaimsValue,
                "legs[0].turn.threshold",
            ),
            claim(
                "silence of an hour",
                turn(json!({ "silence_ms": 3_600_000 })),
                ClaimsValue,
                "legs[0].turn.silence_ms",
            ),
            claim(
                "silence in parts",
                turn(json!({ "silence_ms": 0.5 })),
                ClaimsType,
                "legs[0].turn.silence_ms",
            ),
            claim(
                "eagerness of server_vad",
                turn(json!({ "eagerness": "low" })),
                ClaimsValue,
                "legs[0].turn.eagerness",
            ),
            claim(
                "silence of semantic_vad",
                turn(json!({ "mode": "semantic_vad", "silence_ms": 500 })),
                ClaimsValue,
                "legs[0].turn.silence_ms",
            ),
            claim(
                "noise reduction unknown",
                openai(json!({ "noise_reduction": "MARKER" })),
                ClaimsValue,
                "legs[0].noise_reduction",
            ),
            claim(
                "transcription is a text",
                openai(json!({ "transcription": "MARKER" })),
                ClaimsType,
                "legs[0].transcription",
            ),
            claim("auth unknown", openai(json!({ "auth": "basic" })), ClaimsValue, "legs[0].auth"),
            claim(
                "effort missing",
                openai(json!({ "reasoning": {} })),
                ClaimsMissing,
                "legs[0].reasoning.effort",
            ),
            claim(
                "no output",
                openai(json!({ "max_output_tokens": 0 })),
                ClaimsValue,
                "legs[0].max_output_tokens",
            ),
            claim("model empty", openai(json!({ "model": " " })), ClaimsValue, "legs[0].model"),
            claim(
                "pause of an echo",
                leg(json!({ "kind": "echo", "pause_ms": 99 })),
                ClaimsValue,
                "legs[0].pause_ms",
            ),
            claim(
                "upstream elsewhere",
                upstream("https://evil.example/v1"),
                ClaimsUpstream,
                "legs[0].base_url",
            ),
            claim(
                "upstream metadata",
                upstream("http://169.254.169.254/v1"),
                ClaimsUpstream,
                "legs[0].base_url",
            ),
            claim(
                "upstream not encrypted",
                upstream("http://eu.api.openai.com/v1"),
                ClaimsUpstream,
                "legs[0].base_url",
            ),
            claim("key missing", json!({ "keys": { "openai": null } }), ClaimsKeyMissing, "keys.openai"),
            claim("key empty", json!({ "keys": { "openai": "" } }), ClaimsValue, "keys.openai"),
            claim(
                "key with a line break",
                json!({ "keys": { "openai": "sk-MARKER\r\nx: y" } }),
                ClaimsValue,
                "keys.openai",
            ),
            claim(
                "key is an object",
                json!({ "keys": { "openai": { "MARKER": 1 } } }),
                ClaimsType,
                "keys.openai",
            ),
            claim(
                "a server that no leg can talk to",
                json!({ "tools": [{ "kind": "mcp", "server_label": "x", "server_url": "https://mcp.example.com/" }],
                        "legs": [{ "kind": "echo" }] }),
                ClaimsNotSupported,
                "tools[0].kind",
            ),
            claim(
                "a server in the house",
                json!({ "tools": [{ "kind": "mcp", "server_label": "x", "server_url": "https://10.0.0.1/MARKER" }] }),
                ClaimsUrl,
                "tools[0].server_url",
            ),
            claim(
                "a server that asks before",
                json!({ "tools": [{ "kind": "mcp", "server_label": "x", "server_url": "https://mcp.example.com/",
                                    "require_approval": "always" }] }),
                ClaimsUnknownField,
                "tools[0].require_approval",
            ),
            claim(
                "a transfer that nobody hears of",
                json!({ "tools": [{ "kind": "transfer", "targets": { "sales": "+15550100" } }] }),
                ClaimsMissing,
                "report",
            ),
            claim(
                "an account that is none",
                twilio("account_sid", "AC../../Messages"),
                ClaimsValue,
                "keys.twilio.account_sid",
            ),
            claim(
                "another account than the call's",
                twilio("account_sid", "AC00000000000000000000000000000000"),
                ClaimsValue,
                "keys.twilio.account_sid",
            ),
            claim("a key without a shape", twilio("api_key", "MARKER"), ClaimsValue, "keys.twilio.api_key"),
            claim("no secret", twilio("api_secret", ""), ClaimsValue, "keys.twilio.api_secret"),
            claim(
                "a secret with a line break",
                twilio("api_secret", "MARKER\r\nx: y"),
                ClaimsValue,
                "keys.twilio.api_secret",
            ),
            claim(
                "a secret too long",
                twilio("api_secret", &"x".repeat(257)),
                ClaimsValue,
                "keys.twilio.api_secret",
            ),
            claim(
                "a target that cannot be dialled",
                dials("5550100 MARKER"),
                ClaimsValue,
                "tools[0].targets.sales",
            ),
            claim(
                "a target with an instruction",
                dials("+15550100</Number><Hangup/>"),
                ClaimsValue,
                "tools[0].targets.sales",
            ),
            claim(
                "a transfer to nobody",
                json!({ "tools": [{ "kind": "transfer", "targets": {} }], "report": { "url": "https://app.example.com/" } }),
                ClaimsValue,
                "tools[0].targets",
            ),
            claim("a tool within", tool("url", json!("https://10.0.0.1/x")), ClaimsUrl, "tools[0].url"),
            claim("a tool unsafe", tool("url", json!("http://app.example.com/x")), ClaimsUrl, "tools[0].url"),
            claim("a tool without a name", tool("name", json!("")), ClaimsValue, "tools[0].name"),
            claim("a tool with spaces", tool("name", json!("MARKER x")), ClaimsValue, "tools[0].name"),
            claim("an impatient tool", tool("timeout_ms", json!(50)), ClaimsValue, "tools[0].timeout_ms"),
            claim(
                "a tool with too much to say",
                tool("say", json!("x".repeat(501))),
                ClaimsValue,
                "tools[0].say",
            ),
            claim(
                "a tool with a schema too long",
                tool("parameters", json!({ "x": "x".repeat(20_000) })),
                ClaimsValue,
                "tools[0].parameters",
            ),
            claim(
                "two tools of one name",
                json!({ "tools": [function[0], function[0]] }),
                ClaimsValue,
                "tools[1].name",
            ),
            claim("too many tools", json!({ "tools": vec![function[0].clone(); 65] }), ClaimsValue, "tools"),
            claim(
                "tool of unknown kind",
                json!({ "tools": [{ "kind": "MARKER" }] }),
                ClaimsValue,
                "tools[0].kind",
            ),
            claim("a report's secret in another form", own_secret("MARKER"), ClaimsValue, "report.secret"),
            claim(
                "a report's secret that is short",
                own_secret("whsec_TUFSS0VS"),
                ClaimsValue,
                "report.secret",
            ),
            claim("a report's secret that is none", own_secret(""), ClaimsValue, "report.secret"),
            claim(
                "a report to a neighbour",
                json!({ "report": { "url": "https://169.254.169.254/" } }),
                ClaimsUrl,
                "report.url",
            ),
            claim(
                "report of unknown event",
                json!({ "report": { "url": "x", "events": ["MARKER"] } }),
                ClaimsValue,
                "report.events[0]",
            ),
            claim(
                "an impatient agent",
                json!({ "call": { "idle": { "after_seconds": 1 } } }),
                ClaimsValue,
                "call.idle.after_seconds",
            ),
            claim(
                "an agent that asks for nothing",
                json!({ "call": { "idle": { "after_seconds": 8, "say": ["Hello?", " "] } } }),
                ClaimsValue,
                "call.idle.say[1]",
            ),
            claim(
                "an agent that never stops asking",
                json!({ "call": { "idle": { "after_seconds": 8, "say": vec!["Hello?"; 11] } } }),
                ClaimsValue,
                "call.idle.say",
            ),
            claim(
                "an unknown end of patience",
                json!({ "call": { "idle": { "after_seconds": 8, "then": "MARKER" } } }),
                ClaimsValue,
                "call.idle.then",
            ),
            claim(
                "a recording that is not encrypted on its way",
                json!({ "call": { "record": { "put_url": "http://storage.example.com/MARKER" } } }),
                ClaimsUrl,
                "call.record.put_url",
            ),
            claim(
                "a recording for the private network",
                json!({ "call": { "record": { "put_url": "https://10.0.0.1/MARKER" } } }),
                ClaimsUrl,
                "call.record.put_url",
            ),
            claim(
                "a recording without a place",
                json!({ "call": { "record": { "say": "MARKER" } } }),
                ClaimsMissing,
                "call.record.put_url",
            ),
            claim(
                "a sentence before a recording that is none",
                json!({ "call": { "record": { "put_url": "https://storage.example.com/", "say": "MARKER".repeat(400) } } }),
                ClaimsValue,
                "call.record.say",
            ),
            claim("flat beside long", json!({ "prompt": "x" }), ClaimsMixed, "prompt"),
            claim(
                "config beside agent",
                json!({ "config": { "url": "https://a.example.com/", "sha256": hash } }),
                ClaimsMixed,
                "agent",
            ),
            claim("config not encrypted", reference("http://a.example.com/", &hash), ClaimsUrl, "config.url"),
            claim(
                "config in the private network",
                reference("https://10.0.0.1/", &hash),
                ClaimsUrl,
                "config.url",
            ),
            claim("config on this machine", reference("https://localhost/", &hash), ClaimsUrl, "config.url"),
            claim(
                "config without a hash",
                reference("https://a.example.com/", "MARKER"),
                ClaimsValue,
                "config.sha256",
            ),
        ],
    );
}

#[test]
fn the_relays_own_key_goes_to_no_other_address() {
    let mut settings = settings();
    settings.providers.openai.key = Some("sk-MARKER-relay".into());
    let gate = Gate::new(settings).unwrap();
    let leg = json!([{ "kind": "openai", "base_url": "https://me.openai.azure.com/openai/v1" }]);
    check(
        &gate,
        vec![claim(
            "relay's key to Azure",
            json!({ "keys": null, "legs": leg }),
            Code::ClaimsKeyMissing,
            "keys.openai",
        )],
    );
}

#[test]
fn problems_of_the_flat_form_are_told_in_its_own_names() {
    let flat = |extra: Value| {
        let mut claims = with(json!({ "agent": null, "legs": null, "keys": null }));
        claims.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        minter().sign(&claims)
    };
    let row = |name, extra, code, path| Row { name, token: flat(extra), code, path: Some(path) };
    check(
        &gate(),
        vec![
            row("key", json!({ "prompt": "x" }), Code::ClaimsKeyMissing, "openAIKey"),
            row("voice", json!({ "voice": "", "openAIKey": "sk-MARKER" }), Code::ClaimsValue, "voice"),
            row("id", json!({ "agentId": "", "openAIKey": "sk-MARKER" }), Code::ClaimsValue, "agentId"),
        ],
    );
}

#[test]
fn keys_must_be_sealed_when_the_relay_asks_for_it() {
    let gate = Gate::new(GateSettings { require_sealed: true, ..settings() }).unwrap();
    check(&gate, vec![row("signed with a key", minter().sign(&claims()), Code::TokenNotSealed)]);
    assert!(gate.open(&minter().seal(&claims()), now()).is_ok());
    let without = with(json!({ "keys": null, "legs": [{ "kind": "echo" }] }));
    assert!(gate.open(&minter().sign(&without), now()).is_ok(), "nothing in it to hide");
}

#[test]
fn several_problems_are_told_together_and_the_first_gives_the_code() {
    let changes = json!({ "agent": { "promt": "x", "speed": 9 }, "call": { "max_seconds": 0 }, "legs": [{ "kind": "openai", "model": "" }] });
    let refusal = gate().open(&minter().sign(&with(changes)), now()).unwrap_err();
    assert_eq!((refusal.code, refusal.path.as_deref()), (Code::ClaimsUnknownField, Some("agent.promt")));
    for part in ["did you mean `prompt`?", "agent.speed", "call.max_seconds", "legs[0].model"] {
        assert!(refusal.message.contains(part), "{part} in {refusal}");
    }
    let many: Value =
        (0..5_000).map(|n| (format!("field{n}"), json!(1))).collect::<serde_json::Map<_, _>>().into();
    let refusal = gate().open(&minter().seal(&with(many)), now()).unwrap_err();
    assert!(refusal.message.len() < 6_000 && refusal.message.contains("more"), "{}", refusal.message.len());
}

#[test]
fn a_refusal_says_whose_token_it_was() {
    let refusal = gate().open(&minter().with_kid("x").sign(&claims()), now()).unwrap_err();
    assert_eq!(
        (refusal.kid.as_deref(), refusal.iss.as_deref()),
        (Some("x"), None),
        "not proven, so not read"
    );
    let refusal = gate().open(&minter().sign(&with(json!({ "aud": "x" }))), now()).unwrap_err();
    assert_eq!(
        (refusal.iss.as_deref(), refusal.jti.as_deref()),
        (Some("https://app.example.com"), Some("token-1"))
    );
    assert_eq!(refusal.code.status(), 401);
    assert_eq!(call::RefusalCode::from(&refusal), call::RefusalCode("token_audience"));
}

#[test]
fn a_token_is_good_for_its_call_and_account_only() {
    let pass = gate().open(&minter().sign(&claims()), now()).unwrap();
    let refused = |call: &str, account: Option<&str>| {
        let account_id = account.map(str::to_owned);
        let started = call::Started { call_id: call.into(), account_id, ..Default::default() };
        pass.bound_to(&started).err().map(|refusal| refusal.code)
    };
    assert_eq!(refused(CALL, Some(ACCOUNT)), None);
    assert_eq!(refused("CA-other", Some(ACCOUNT)), Some(Code::TokenOtherCall));
    assert_eq!(refused("", Some(ACCOUNT)), Some(Code::TokenOtherCall));
    assert_eq!(refused(CALL, Some("AC-other")), Some(Code::TokenOtherAccount));
    assert_eq!(refused(CALL, None), Some(Code::TokenOtherAccount));
}

#[test]
fn a_carrier_that_names_no_call_leaves_that_to_the_token_but_not_the_account() {
    let pass = gate().open(&minter().sign(&claims()), now()).unwrap();
    let unnamed = |account: Option<&str>| {
        let account_id = account.map(str::to_owned);
        pass.bound_to(&call::Started { unnamed: true, account_id, ..Default::default() })
    };
    assert!(unnamed(Some(ACCOUNT)).is_ok());
    assert_eq!(unnamed(None).unwrap_err().code, Code::TokenOtherAccount);
}

#[test]
fn without_call_binding_any_call_fits_a_token_that_names_none() {
    let gate = Gate::new(GateSettings { require_call_binding: false, ..settings() }).unwrap();
    let pass = gate.open(&minter().sign(&with(json!({ "sub": null, "acct": null }))), now()).unwrap();
    assert!(pass.bound_to(&call::Started { call_id: "CA-any".into(), ..Default::default() }).is_ok());
    let pass = gate.open(&minter().sign(&claims()), now()).unwrap();
    let other = call::Started { call_id: "CA-any".into(), ..Default::default() };
    assert_eq!(
        pass.bound_to(&other).unwrap_err().code,
        Code::TokenOtherCall,
        "one that names a call is still bound"
    );
}

#[test]
fn a_token_is_taken_once_on_a_machine_while_it_lives() {
    let gate = gate();
    let open = |changes: Value, seconds: u64| gate.open(&minter().sign(&with(changes)), at(seconds)).unwrap();
    let first = open(json!({}), NOW);
    assert!(gate.open(&minter().sign(&claims()), now()).is_ok(), "opening does not use it up");
    assert!(gate.admit(&first, now()).is_ok());
    let refusal = gate.admit(&open(json!({}), NOW + 90), at(NOW + 90)).unwrap_err();
    assert_eq!((refusal.code, refusal.jti.as_deref()), (Code::TokenReplayed, Some("token-1")));
    assert!(gate.admit(&open(json!({ "jti": "token-2" }), NOW), now()).is_ok());
    assert!(
        gate.admit(&open(json!({ "iss": "https://other.example.com" }), NOW), now()).is_ok(),
        "another app's token-1"
    );
    for _ in 0..2 {
        assert!(gate.admit(&open(json!({ "jti": null }), NOW), now()).is_ok(), "nothing to tell it by");
    }
}

#[test]
fn the_memory_for_used_tokens_is_bounded_and_forgets_what_has_expired() {
    let gate = gate();
    let pass = |n: u64, exp: u64| {
        let claims = with(json!({ "jti": format!("n{n}"), "exp": NOW + exp }));
        gate.open(&minter().sign(&claims), now()).unwrap()
    };
    let seen = patchcord::gate::replay::Seen::new(3);
    for n in 0..4 {
        assert!(seen.admit(&pass(n, 60 + n), now()).is_ok());
    }
    assert!(seen.admit(&pass(0, 60), now()).is_ok(), "the first to expire was forgotten for the fourth");
    assert_eq!(seen.admit(&pass(3, 63), now()).unwrap_err().code, Code::TokenReplayed);
    assert!(seen.admit(&pass(3, 63), at(NOW + 63 + 5)).is_ok(), "once expired, `open` refuses it anyway");
}
