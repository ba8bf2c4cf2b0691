//! A call whose agent announces a transfer and then asks for it, with a pretend Twilio that carries it.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply},
    phone::{Phone, PhoneEnd},
    twilio::{Twilio, Wish},
    voice::speech,
};

use crate::house::{Ear, House, openai};

pub const ANNOUNCED: Duration = Duration::from_millis(1_800);
pub const SECRET: &str = "a-secret-of-Twilio's";
pub const KEY: &str = "SK00112233445566778899aabbccddeeff";

/// The phone's account is filled in when it dials.
pub fn key() -> Value {
    json!({ "account_sid": "", "api_key": KEY, "api_secret": SECRET })
}

pub fn transfer() -> Value {
    json!([{ "kind": "transfer", "targets": { "sales": "+15550100", "help": "sip:o'neil@example.com" } }])
}

pub async fn twilio() -> Twilio {
    let twilio = Twilio::start().await.unwrap();
    prepare(&twilio);
    twilio
}

pub fn prepare(twilio: &Twilio) {
    twilio.takes_key(KEY, SECRET);
    twilio.may_dial("+15550100");
    twilio.may_dial("sip:o'neil@example.com");
}

pub fn sales() -> Option<Wish> {
    Some(Wish::Dial("Number".into(), "+15550100".into()))
}

/// The carrier ended it, or we did: both close at the same time.
pub fn is_closed(end: &PhoneEnd) -> bool {
    matches!(end, PhoneEnd::EndedByCarrier { answered: true } | PhoneEnd::Closed { code: Some(1000), .. })
}

/// A call over OpenAI whose agent announces something and then calls this tool; what it says next, when it is told
/// that this came to nothing, is said for 700 ms.
pub struct Desk {
    pub twilio: Twilio,
    pub provider: OpenAi,
    pub house: House,
    pub phone: Phone,
    pub news: Ear,
}

impl Desk {
    pub async fn open(tool: &str, arguments: &Value, claims: Value) -> Self {
        let twilio = twilio().await;
        let url = twilio.base_url();
        Self::open_at(&url, twilio, tool, arguments, claims).await
    }

    pub async fn open_at(url: &str, twilio: Twilio, tool: &str, arguments: &Value, more: Value) -> Self {
        let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
        let says = Reply::say_for("One moment, I connect you with sales.", ANNOUNCED);
        let says = says.and_call(tool, &arguments.to_string(), "call_1");
        let sorry = Reply::say_for("I am sorry, nobody is there.", Duration::from_millis(700));
        provider.behave("sk", Behaviour::default().replies([says, sorry]));
        let openai_url = provider.base_url();
        let variables = [
            ("OPENAI_BASE_URL", openai_url.as_str()),
            ("TWILIO_BASE_URL", url),
            ("WEBHOOK_ALLOW_PRIVATE", "true"),
        ];
        let house = House::with(&variables).await;
        let news = house.listen();
        let mut claims = openai("sk");
        claims["keys"]["twilio"] = key();
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let phone = house.call(claims).await;
        twilio.carries(phone.line());
        phone.say(speech(Duration::from_millis(1_200), 5));
        Self { twilio, provider, house, phone, news }
    }

    pub async fn with_transfer(more: Value) -> Self {
        let mut claims = json!({ "tools": transfer() });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Self::open("transfer", &json!({ "target": "sales" }), claims).await
    }

    pub async fn is_clean(&self) {
        assert_eq!(self.provider.violations(), Vec::<String>::new());
        assert_eq!(self.twilio.violations(), Vec::<String>::new());
        assert_eq!(self.phone.look(|phone| phone.violations.clone()), Vec::<String>::new());
        self.house.idle().await;
    }
}
