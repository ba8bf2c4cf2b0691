//! A gate with its own clock, and the claims of an ordinary call to start from.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use patchcord::gate::{Gate, GateSettings, Provider, Providers, Refusal, config::Config, mint::Minter};
use serde_json::{Value, json};

pub const SECRET: &str = "MARKER-secret-0123456789-0123456789-0123456789";
pub const NOW: u64 = 1_795_178_400;
pub const CALL: &str = "CA0123456789abcdef0123456789abcdef";
pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

pub fn now() -> SystemTime {
    at(NOW)
}

pub fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub fn settings() -> GateSettings {
    let openai = Provider { key: None, base_url: "https://api.openai.com/v1".into() };
    GateSettings {
        secrets: vec![(None, SECRET.into())],
        jwks: None,
        audience: "patchcord".into(),
        require_call_binding: true,
        require_sealed: false,
        upstream_allow: vec!["*.openai.azure.com".into(), "eu.api.openai.com".into()],
        providers: Providers {
            openai,
            deepgram: Provider { key: None, base_url: "https://api.deepgram.com/v1".into() },
            groq: Provider { key: None, base_url: "https://api.groq.com/openai/v1".into() },
            elevenlabs: Provider { key: None, base_url: "https://api.elevenlabs.io/v1".into() },
        },
        max_call: Duration::from_secs(3_600),
        openai_session: Duration::from_secs(3_600),
        region: Some("iad".into()),
        allow_private: false,
    }
}

pub fn gate() -> Gate {
    Gate::new(settings()).expect("these settings are right")
}

pub fn minter() -> Minter {
    Minter::new(&SECRET.into())
}

/// A good token's claims.
pub fn claims() -> Value {
    json!({
        "iss": "https://app.example.com", "aud": "patchcord", "sub": CALL, "acct": ACCOUNT,
        "iat": NOW - 1, "exp": NOW + 89, "jti": "token-1", "v": 1,
        "agent": { "id": "agent_42", "prompt": "MARKER-prompt", "greeting": "MARKER-greeting", "voice": "marin" },
        "legs": [{ "kind": "openai" }],
        "keys": { "openai": "sk-MARKER-key" },
    })
}

/// A key for the account of that call.
pub fn twilio_key() -> Value {
    json!({ "account_sid": ACCOUNT, "api_key": "SK0123456789abcdef0123456789abcdef", "api_secret": "MARKER-twilio" })
}

/// The good claims with something changed: `null` takes a claim out.
pub fn with(changes: Value) -> Value {
    let mut claims = claims();
    merge(&mut claims, changes);
    claims
}

fn merge(into: &mut Value, changes: Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (name, change) in changes {
                if change.is_null() {
                    into.remove(&name);
                } else {
                    merge(into.entry(name).or_insert(Value::Null), change);
                }
            }
        }
        (into, change) => *into = change,
    }
}

/// The configuration a token gives, which must not have to be fetched.
pub fn config(gate: &Gate, token: &str) -> Result<Config, Refusal> {
    let mut pass = gate.open(token, now())?;
    assert!(!pass.is_by_reference());
    let fetcher = fetcher();
    let mut config = Box::pin(pass.take_config(&fetcher));
    let waker = std::task::Waker::noop();
    match config.as_mut().poll(&mut std::task::Context::from_waker(waker)) {
        std::task::Poll::Ready(config) => config,
        std::task::Poll::Pending => panic!("a configuration in the token needs no waiting"),
    }
}

pub fn fetcher() -> patchcord::gate::fetch::Fetcher {
    patchcord::gate::fetch::Fetcher::new(false, tls()).expect("a client")
}

pub fn tls() -> rustls::ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    versions.expect("TLS 1.2 and 1.3").with_root_certificates(roots).with_no_client_auth()
}
