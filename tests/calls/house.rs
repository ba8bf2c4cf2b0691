//! A relay of one's own on free ports, and tokens for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use call::Summary;
use patchcord::{
    bridge::{News, What},
    gate::mint::Minter,
    relay::Relay,
    settings::Settings,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use sim::{
    app::{Answer, App},
    phone::{Carrier, Law, Phone, PhoneOptions, Sound},
};
use tokio::{sync::broadcast, time::timeout};

pub const SECRET: &str = "canary-secret-0123456789abcdef0123456789abcdef";

/// Long enough for a busy machine, short enough to notice a call that hangs.
pub const LIMIT: Duration = Duration::from_secs(20);

pub struct House {
    pub relay: Relay,
    /// Where configurations lie that a carrier's address has no room for.
    configs: App,
}

impl House {
    pub async fn open() -> Self {
        Self::with(&[]).await
    }

    /// With these variables set beside the ones that every test needs.
    pub async fn with(more: &[(&str, &str)]) -> Self {
        Self::changed(more, |_| {}).await
    }

    /// The same, with something that no variable can say.
    pub async fn changed(more: &[(&str, &str)], change: impl FnOnce(&mut Settings)) -> Self {
        let mut usual =
            vec![("RELAY_SECRET", SECRET), ("PORT", "0"), ("OPS_PORT", "0"), ("BIND", "127.0.0.1")];
        if is_short(carrier()) && more.iter().all(|(name, _)| *name != "WEBHOOK_ALLOW_PRIVATE") {
            usual.push(("WEBHOOK_ALLOW_PRIVATE", "true"));
        }
        let mut settings = Settings::read(usual.iter().chain(more).copied()).unwrap();
        change(&mut settings);
        if std::env::var_os("SHOW").is_some() {
            let shown =
                Settings::read(usual.iter().chain(&[("LOG", "debug"), ("LOG_FORMAT", "text")]).copied());
            patchcord::log::start(&shown.unwrap());
        }
        let relay = Relay::start(&settings, Instant::now()).await.unwrap();
        Self { relay, configs: App::start().await.unwrap() }
    }

    /// A phone that carries a token for `claims`, bound to its call.
    pub fn phone(&self, claims: Value) -> PhoneOptions {
        self.phone_over(carrier(), claims)
    }

    /// The same over a carrier of one's choice.
    pub fn phone_over(&self, carrier: Carrier, mut claims: Value) -> PhoneOptions {
        let url = format!("ws://{}/stream/{}", self.relay.address, carrier.route());
        let options = PhoneOptions::new(url).carrier(carrier);
        if let Some(key) = claims.pointer_mut("/keys/twilio") {
            key["account_sid"] = options.ids.account_sid.clone().into();
        }
        if is_short(carrier) {
            claims = self.by_reference(&claims);
        }
        let token = token(&options.ids.call_sid, &claims);
        let options = match carrier.plays() {
            // No message of Telnyx's says what it was told to play, so the main app has to.
            Sound::G711(Law::A) => options.parameter("codec", "PCMA"),
            Sound::G711(Law::Mu) | Sound::Linear { .. } => options,
        };
        options.token(&token)
    }

    /// Claims that say only where the others are.
    fn by_reference(&self, claims: &Value) -> Value {
        let hash = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, claims.to_string().as_bytes()));
        let path = format!("/config/{hash}");
        self.configs.answer(&path, Answer::json(claims));
        json!({ "config": { "url": self.configs.url(&path), "sha256": hash } })
    }

    /// A phone without a token; `path` comes after the usual address.
    pub fn bare_phone(&self, path: &str) -> PhoneOptions {
        PhoneOptions::new(format!("ws://{}/stream/twilio{path}", self.relay.address))
    }

    pub async fn call(&self, claims: Value) -> Phone {
        Phone::dial(self.phone(claims)).await.unwrap()
    }

    /// One number of the relay's, `0` when it has not been counted yet.
    pub fn number(&self, name: &str) -> u64 {
        let page = self.relay.exchange.metrics.page();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |number| number.parse().unwrap())
    }

    /// Waits until no call holds a slot any more: a call's goodbye comes after its last news.
    pub async fn idle(&self) {
        let calls = self.relay.exchange.lifecycle.calls.clone();
        let idle = async {
            while !calls.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        timeout(LIMIT, idle).await.expect("every call ends");
    }

    /// Hears everything that calls have to tell from now on.
    pub fn listen(&self) -> Ear {
        Ear(self.relay.exchange.watch())
    }
}

/// The news of a house, one after another.
pub struct Ear(broadcast::Receiver<News>);

impl Ear {
    /// Waits for the first news that `ask` has an answer to; what comes before is skipped.
    pub async fn when<T>(&mut self, mut ask: impl FnMut(&What) -> Option<T>) -> T {
        let heard = async {
            loop {
                let news = self.0.recv().await.expect("a test keeps up with the news");
                if let Some(answer) = ask(&news.what) {
                    return answer;
                }
            }
        };
        timeout(LIMIT, heard).await.expect("the news that the test waits for")
    }

    /// The summary of the next call that ends.
    pub async fn ended(&mut self) -> Summary {
        let ended = |what: &What| match what {
            What::Ended(summary) => Some((**summary).clone()),
            What::Started | What::Note(_) => None,
        };
        self.when(ended).await
    }
}

/// Over which carrier calls are placed whose test does not care. Twilio, unless `CARRIER` names another.
fn carrier() -> Carrier {
    let name = std::env::var("CARRIER").unwrap_or_else(|_| "twilio".into());
    Carrier::parse(&name).expect("CARRIER is one of the pretend phone's")
}

/// Whether its addresses have no room for a whole configuration.
fn is_short(carrier: Carrier) -> bool {
    matches!(carrier, Carrier::Exotel { .. })
}

/// So much of what the caller says travels together. Where no timestamp says when it was said, the relay knows no better.
pub fn at_a_time() -> Duration {
    Duration::from_millis(if is_short(carrier()) { 100 } else { 20 })
}

/// Whether it never says whose call it is.
pub fn names_no_account() -> bool {
    matches!(carrier(), Carrier::Vonage { .. })
}

/// Whether every byte comes through as it went in, each with its time: what is counted byte by byte needs that.
pub fn keeps_every_byte() -> bool {
    carrier().sends() == Sound::G711(Law::Mu) && carrier().plays() == Sound::G711(Law::Mu)
}

/// Whether all of what was sent was played and nothing else. Some carriers take speech in pieces of a certain length only;
/// then there is a little silence at the end of each of a few answers.
pub fn is_whole(played: Duration, sent: Duration) -> bool {
    let piece = match carrier() {
        Carrier::Twilio | Carrier::SignalWire | Carrier::Plivo => 0,
        Carrier::Telnyx { .. } | Carrier::Vonage { .. } => 20,
        Carrier::Exotel { .. } => 200,
    };
    (sent..=sent + Duration::from_millis(3 * piece)).contains(&played)
}

/// The line test, with a short pause.
pub fn echo() -> Value {
    json!({ "agent": {}, "legs": [{ "kind": "echo", "pause_ms": 300 }] })
}

/// An agent of the pretend OpenAI; each test finds its own connection by the key.
pub fn openai(key: &str) -> Value {
    json!({
        "agent": { "prompt": "You answer the phone for a bakery." },
        "legs": [{ "kind": "openai", "model": "gpt-realtime-2.1-mini" }],
        "keys": { "openai": key },
    })
}

/// All that a token has: `claims`, and what every token needs besides.
pub fn whole(call: &str, claims: &Value) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut all = json!({
        "iss": "https://app.example.com", "aud": "patchcord", "sub": call, "iat": now, "exp": now + 60, "v": 1,
    });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    all
}

pub fn minter() -> Minter {
    Minter::new(&SecretString::from(SECRET))
}

pub fn token(call: &str, claims: &Value) -> String {
    minter().sign(&whole(call, claims))
}
