//! A relay of one's own that answers webhooks itself, as Twilio and a browser meet it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use patchcord::{
    agent_file::AgentFile,
    relay::{Relay, StartError},
    settings::Settings,
    standalone::Standalone,
};
use sim::{
    phone::{Phone, PhoneOptions},
    twilio::{
        StreamDocument,
        webhook::{Answered, Webhook, signature},
    },
    voice::speech,
};

pub const SECRET: &str = "canary-secret-0123456789abcdef0123456789abcdef";
pub const AUTH: &str = "canary-auth-token-12345";
pub const ACCOUNT: &str = "AC00112233445566778899aabbccddeeff";
pub const PUBLIC: &str = "https://relay.example.com";

/// Long enough for a busy machine, short enough to notice what hangs.
pub const LIMIT: Duration = Duration::from_secs(20);

pub const ECHO: &str = "[agent]\nid = \"front-desk\"\n\n[[legs]]\nkind = \"echo\"\npause_ms = 300\n";

pub struct Desk {
    pub relay: Relay,
    /// The relay's public address, which is not where it is reached here unless a test says so.
    pub public: String,
}

impl Desk {
    pub async fn open(agent: &str, more: &[(&str, &str)]) -> Self {
        Self::try_open(PUBLIC, "0", agent, more).await.unwrap()
    }

    /// Reached at its public address, as Twilio has to.
    pub async fn open_at_its_address(agent: &str, more: &[(&str, &str)]) -> Self {
        for _ in 0..20 {
            // Somebody else may take the port in between.
            let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            let public = format!("http://127.0.0.1:{free}");
            match Self::try_open(&public, &free.to_string(), agent, more).await {
                Ok(desk) => return desk,
                Err(StartError::Listen { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        panic!("no port stays free");
    }

    async fn try_open(
        public: &str,
        port: &str,
        agent: &str,
        more: &[(&str, &str)],
    ) -> Result<Self, StartError> {
        let usual = [
            ("RELAY_SECRET", SECRET),
            ("PORT", port),
            ("OPS_PORT", "0"),
            ("BIND", "127.0.0.1"),
            ("PUBLIC_URL", public),
            ("TWILIO_AUTH_TOKEN", AUTH),
        ];
        // What is set twice has the later value.
        let all: BTreeMap<&str, &str> = usual.iter().chain(more).copied().collect();
        let settings = Settings::read_for_standalone(all).unwrap();
        let file = AgentFile::parse("agent.toml", agent).unwrap();
        let standalone = Standalone::new(&settings, file).unwrap();
        let relay = Relay::start_standalone(&settings, Instant::now(), standalone).await?;
        Ok(Self { relay, public: public.to_owned() })
    }

    /// What Twilio sends when this call comes in.
    pub fn webhook(&self, call: &str) -> Webhook {
        Webhook::of(&format!("{}/twiml", self.public), AUTH, call, ACCOUNT)
            .field("From", "+15550100")
            .field("To", "+15550111")
            .field("Direction", "inbound")
            .field("CallStatus", "ringing")
            .sent_to(self.relay.address)
    }

    /// A form for `/twilio/call-me`, as a program or a browser sends it.
    pub fn call_me(&self, method: &'static str, fields: &[(&str, &str)]) -> Webhook {
        Webhook {
            url: format!("{}/twilio/call-me", self.public),
            at: Some(self.relay.address.to_string()),
            method,
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            headers: Vec::new(),
            auth_token: None,
        }
    }

    /// Twilio's stream for this call, as the document asks for it.
    pub fn phone(&self, call: &str, document: &StreamDocument) -> PhoneOptions {
        let path = document.url.split_once("//").unwrap().1.split_once('/').unwrap().1;
        let mut options = PhoneOptions::new(format!("ws://{}/{path}", self.relay.address));
        options.ids.call_sid = call.to_owned();
        options.ids.account_sid = ACCOUNT.to_owned();
        options.parameters.clone_from(&document.parameters);
        options.signature(&signature(AUTH, &document.url, &[]))
    }

    /// How often something was refused with this code.
    pub fn refused(&self, code: &str) -> u64 {
        let page = self.relay.exchange.metrics.page();
        let name = format!("patchcord_refusals_total{{code=\"{code}\"}} ");
        page.lines()
            .find_map(|line| line.strip_prefix(name.as_str()))
            .map_or(0, |count| count.parse().unwrap())
    }
}

/// A call's id of one's own.
pub fn call(number: u32) -> String {
    format!("CA{number:032x}")
}

/// The caller speaks, and hears the line test's answer.
pub async fn speaks_and_is_answered(phone: &Phone) {
    phone.say(speech(Duration::from_millis(900), 5));
    phone.until(|phone| phone.played > Duration::from_millis(500), LIMIT).await.unwrap();
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new());
}

/// The code of a refusal in JSON.
pub fn code(answered: &Answered) -> (u16, String) {
    let body: serde_json::Value = serde_json::from_str(&answered.body).unwrap_or_default();
    (answered.status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}
