//! Tokens made by npm `jose`, the library that main apps use. `tests/fixtures/tokens/make.mjs` made them.

use patchcord::gate::{Gate, GateSettings, config::Leg};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::scene::*;

struct Fixtures {
    file: Value,
    gate: Gate,
}

fn fixtures() -> Fixtures {
    let file: Value = serde_json::from_str(include_str!("../fixtures/tokens/tokens.json")).unwrap();
    assert_eq!(file["now"], NOW);
    let secrets = vec![(None, file["secret"].as_str().unwrap().into())];
    let settings = GateSettings { secrets, jwks: Some(file["jwks"].to_string().into()), ..settings() };
    Fixtures { gate: Gate::new(settings).unwrap(), file }
}

#[test]
fn every_form_of_token_that_jose_makes_is_read() {
    let Fixtures { file, gate } = fixtures();
    let tokens = file["tokens"].as_object().unwrap();
    assert_eq!(tokens.len(), 15);
    for (name, token) in tokens {
        let token = token.as_str().unwrap();
        let config = config(&gate, token).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert_eq!(config.agent.prompt.as_deref(), file["claims"]["agent"]["prompt"].as_str(), "{name}");
        assert!(
            matches!(&config.legs[..], [Leg::OpenAi(leg)] if leg.key.expose_secret() == "sk-fixture"),
            "{name}"
        );
        let pass = gate.open(token, now()).unwrap();
        assert_eq!(pass.sealed, name.contains("dir") || name.contains("ECDH"), "{name}");
    }
}

#[test]
fn what_jose_makes_and_the_relay_must_not_take_is_refused() {
    let Fixtures { file, gate } = fixtures();
    for (name, row) in file["refused"].as_object().unwrap() {
        let refusal = gate.open(row["token"].as_str().unwrap(), now()).expect_err(name);
        assert_eq!(refusal.code.name(), row["code"].as_str().unwrap(), "{name}: {refusal}");
    }
}

#[test]
fn every_token_of_jose_expires() {
    let Fixtures { file, gate } = fixtures();
    for (name, token) in file["tokens"].as_object().unwrap() {
        let refusal = gate.open(token.as_str().unwrap(), at(NOW + 95)).expect_err(name);
        assert_eq!(refusal.code.name(), "token_expired", "{name}");
    }
}

#[test]
fn a_single_changed_character_anywhere_in_a_token_is_noticed() {
    let Fixtures { file, gate } = fixtures();
    for name in ["HS256", "EdDSA", "ES256", "RS256", "dir zipped", "ECDH-ES X25519 around EdDSA"] {
        let token = file["tokens"][name].as_str().unwrap();
        for at in 0..token.len() {
            // The highest bit of a base64 digit: never one of the unused bits at the end.
            let changed = if token.as_bytes()[at] < b'a' { "z" } else { "A" };
            let mut other = token.to_owned();
            other.replace_range(at..=at, changed);
            assert!(gate.open(&other, now()).is_err(), "{name} at {at}");
        }
    }
}
