//! A relay of one's own on free ports, and tokens for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use patchcord::{gate::mint::Minter, relay::Relay, settings::Settings};
use secrecy::SecretString;
use serde_json::{Value, json};
use sim::phone::{Phone, PhoneOptions};

pub const SECRET: &str = "canary-secret-0123456789abcdef0123456789abcdef";

/// Long enough for a busy machine, short enough to notice a call that hangs.
pub const LIMIT: Duration = Duration::from_secs(20);

pub struct House {
    pub relay: Relay,
    minter: Minter,
}

impl House {
    pub async fn open() -> Self {
        Self::with(&[]).await
    }

    /// With these variables set beside the ones that every test needs.
    pub async fn with(more: &[(&str, &str)]) -> Self {
        let usual = [("RELAY_SECRET", SECRET), ("PORT", "0"), ("OPS_PORT", "0"), ("BIND", "127.0.0.1")];
        let settings = Settings::read(usual.iter().chain(more).copied()).unwrap();
        if std::env::var_os("SHOW").is_some() {
            let shown =
                Settings::read(usual.iter().chain(&[("LOG", "debug"), ("LOG_FORMAT", "text")]).copied());
            patchcord::log::start(&shown.unwrap());
        }
        let relay = Relay::start(&settings, Instant::now()).await.unwrap();
        Self { relay, minter: Minter::new(&SecretString::from(SECRET)) }
    }

    /// A phone that carries a token for `claims` in its parameters, bound to its call.
    pub fn phone(&self, claims: Value) -> PhoneOptions {
        let options = PhoneOptions::new(format!("ws://{}/stream/twilio", self.relay.address));
        let token = self.token(&options.ids.call_sid.clone(), claims);
        options.token(&token)
    }

    pub fn token(&self, call: &str, claims: Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut all = json!({
            "iss": "https://app.example.com", "aud": "patchcord", "sub": call, "iat": now, "exp": now + 60, "v": 1,
        });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        self.minter.sign(&all)
    }

    pub async fn call(&self, claims: Value) -> Phone {
        Phone::dial(self.phone(claims)).await.unwrap()
    }
}

pub fn echo() -> Value {
    json!({ "agent": {}, "legs": [{ "kind": "echo", "pause_ms": 300 }] })
}
