//! Feeds arbitrary bytes to everything in the gate that reads what strangers write. For fuzzing and tests.
//!
//! A fuzzer cannot make signatures, so the bytes are also signed and sealed here, as claims and as what is
//! compressed: behind the lock there is as much to break as before it.

use std::{
    sync::LazyLock,
    time::{Duration, UNIX_EPOCH},
};

use serde_json::json;

use super::{
    Gate, GateSettings,
    mint::Minter,
    travel::{self, AtUpgrade},
    upstream::{Provider, Providers},
};

/// Must never panic, whatever the bytes are.
pub fn poke(bytes: &[u8]) {
    let now = UNIX_EPOCH + Duration::from_secs(1_795_178_400);
    let lossy = String::from_utf8_lossy(bytes);
    let _ = GATE.open(&lossy, now);
    let _ = GATE.open(&MINTER.sign_bytes(&json!({ "alg": "HS256" }), bytes), now);
    let _ =
        GATE.open(&MINTER.seal_bytes(&json!({ "alg": "dir", "enc": "A256GCM", "zip": "DEF" }), bytes), now);
    let _ =
        GATE.open(&MINTER.seal_bytes(&json!({ "alg": "dir", "enc": "A256GCM", "cty": "JWT" }), bytes), now);
    let _ = super::referenced(bytes, &GATE.rules, None);
    let text = Some(&*lossy);
    let _ = travel::at_upgrade(&AtUpgrade { authorization: text, telnyx: None, segment: None, query: text });
    let pairs = lossy.split('\n').filter_map(|line| line.split_once('='));
    let parameters: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let _ = travel::in_start(&parameters);
}

const SECRET: &str = "a secret that only fuzzing knows, of 32 bytes or more";

static MINTER: LazyLock<Minter> = LazyLock::new(|| Minter::new(&SECRET.into()));

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let openai = Provider { key: Some("key".into()), base_url: "https://api.openai.com/v1".into() };
    let settings = GateSettings {
        secrets: vec![(None, SECRET.into())],
        jwks: None,
        audience: "patchcord".into(),
        require_call_binding: false,
        require_sealed: false,
        upstream_allow: Vec::new(),
        providers: Providers {
            openai,
            deepgram: Provider { key: None, base_url: "https://api.deepgram.com/v1".into() },
            groq: Provider { key: None, base_url: "https://api.groq.com/openai/v1".into() },
            elevenlabs: Provider { key: None, base_url: "https://api.elevenlabs.io/v1".into() },
        },
        max_call: Duration::from_secs(14_400),
        openai_session: Duration::from_secs(3_600),
        region: None,
        allow_private: false,
    };
    Gate::new(settings).expect("these settings are right")
});
