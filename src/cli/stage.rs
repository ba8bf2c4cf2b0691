//! A relay with everything it needs, on free ports of this machine: for `demo` and for `call` without a URL.

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use aws_lc_rs::rand;
use secrecy::SecretString;
use serde_json::{Value, json};
use sim::{
    chat::{Chat, ChatOptions},
    deepgram::{Deepgram, DeepgramOptions},
    openai::{OpenAi, OpenAiOptions},
    phone::{Carrier, PhoneOptions},
};
use tokio::sync::broadcast::Receiver;

use super::carrier;
use crate::{
    bridge::News,
    gate::mint::Minter,
    phone::{Agent, Mint, Phone},
    relay::Relay,
    settings::Settings,
};

pub(super) struct Stage {
    pub relay: Relay,
    /// The pretend providers. A leg that names none of them gets the real one where there is a key for it.
    pub openai: OpenAi,
    pub deepgram: Deepgram,
    pub chat: Chat,
    pub pretend: Pretend,
    pub secret: String,
    minter: Arc<Minter>,
}

/// Keys of real providers. Who has none is pretended.
#[derive(Clone, Default)]
pub(super) struct Keys {
    pub openai: Option<String>,
    pub deepgram: Option<String>,
    pub groq: Option<String>,
}

/// Where the pretend providers are, as a leg names them.
pub(super) struct Pretend {
    pub openai: String,
    pub deepgram: String,
    pub chat: String,
}

impl Keys {
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|key: &String| !key.is_empty());
        Self {
            openai: variable("OPENAI_API_KEY"),
            deepgram: variable("DEEPGRAM_API_KEY"),
            groq: variable("GROQ_API_KEY"),
        }
    }

    /// Every part of the demo's cascade can be the real one.
    pub fn have_cascade(&self) -> bool {
        self.deepgram.is_some() && self.groq.is_some()
    }
}

impl Stage {
    /// `port`: for the relay; 0 is any that is free.
    pub async fn set(port: u16, keys: Keys) -> anyhow::Result<Self> {
        Self::with_agents(port, keys, |_| Vec::new()).await
    }

    /// With the browser phone, if there are agents that can be called from it.
    pub async fn with_agents(
        port: u16,
        keys: Keys,
        agents: impl FnOnce(&Pretend) -> Vec<Agent>,
    ) -> anyhow::Result<Self> {
        let secret = new_secret();
        let openai = OpenAi::start(OpenAiOptions::default()).await.context(NO_PORT)?;
        let deepgram = Deepgram::start(DeepgramOptions::default()).await.context(NO_PORT)?;
        let chat = Chat::start(ChatOptions::default()).await.context(NO_PORT)?;
        let pretend =
            Pretend { openai: openai.base_url(), deepgram: deepgram.base_url(), chat: chat.base_url() };
        let agents = agents(&pretend);
        let key = |real: &Option<String>| real.clone().unwrap_or_else(|| PRETEND_KEY.to_owned());
        let mut variables = vec![
            ("RELAY_SECRET", secret.clone()),
            ("PORT", port.to_string()),
            ("OPS_PORT", "0".to_owned()),
            ("BIND", "127.0.0.1".to_owned()),
            ("LOG", "warn".to_owned()),
            // Tools are answered by a pretend main app on this machine.
            ("WEBHOOK_ALLOW_PRIVATE", "true".to_owned()),
            ("OPENAI_API_KEY", key(&keys.openai)),
            ("DEEPGRAM_API_KEY", key(&keys.deepgram)),
            ("GROQ_API_KEY", key(&keys.groq)),
            (
                "UPSTREAM_ALLOW",
                [openai.address, deepgram.address, chat.address].map(|at| at.to_string()).join(","),
            ),
        ];
        let own = [
            ("OPENAI_BASE_URL", &keys.openai, &pretend.openai),
            ("DEEPGRAM_BASE_URL", &keys.deepgram, &pretend.deepgram),
            ("GROQ_BASE_URL", &keys.groq, &pretend.chat),
        ];
        let without_key = own.into_iter().filter(|(_, key, _)| key.is_none());
        variables.extend(without_key.map(|(name, _, url)| (name, url.clone())));
        let settings = Settings::read(variables).context("the stage's own settings do not fit")?;
        crate::log::start(&settings);
        let minter = Arc::new(Minter::new(&SecretString::from(secret.as_str())));
        let for_page = minter.clone();
        let mint: Mint =
            Arc::new(move |agent, call| for_page.seal(&claims(agent, Some(call), TOKEN_SECONDS)));
        let phone = (!agents.is_empty()).then(|| Phone::with(agents, mint));
        let relay = Relay::start_with(&settings, Instant::now(), phone).await?;
        Ok(Self { relay, openai, deepgram, chat, pretend, minter, secret })
    }

    /// A phone that calls this relay with such an agent: a real token on the real route.
    pub fn phone(&self, carrier: Carrier, agent: &Value) -> PhoneOptions {
        let url = carrier::route(&format!("ws://{}", self.relay.address), carrier);
        let options = carrier::phone(&url, carrier, None);
        let claims = claims(agent, Some(&options.ids.call_sid), TOKEN_SECONDS);
        options.token(&carrier::token(&self.minter, carrier, &claims))
    }

    pub fn news(&self) -> Receiver<News> {
        self.relay.exchange.watch()
    }
}

/// From the making of a token to its call is a moment.
const TOKEN_SECONDS: u64 = 60;

const NO_PORT: &str = "no port for a pretend provider";

/// What the pretend providers know our calls by.
pub(super) const PRETEND_KEY: &str = "sk-pretend";

/// An agent's fields with the registered claims around them. What the agent brings itself stays.
pub(super) fn claims(agent: &Value, call: Option<&str>, seconds: u64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut claims = json!({
        "iss": "https://app.example.com", "aud": "patchcord", "v": 1, "iat": now, "exp": now + seconds, "jti": new_name(),
    });
    if let (Some(all), Some(call)) = (claims.as_object_mut(), call) {
        all.insert("sub".to_owned(), call.into());
    }
    if let (Some(all), Some(agent)) = (claims.as_object_mut(), agent.as_object()) {
        all.extend(agent.clone());
    }
    claims
}

fn new_secret() -> String {
    new_name() + &new_name()
}

fn new_name() -> String {
    let mut bits = [0_u8; 16];
    rand::fill(&mut bits).expect("the system gives random bytes");
    bits.iter().map(|byte| format!("{byte:02x}")).collect()
}
