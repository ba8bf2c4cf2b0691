//! A conversation with an OpenAI leg, from the greeting to the goodbye.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply},
    phone::PhoneEnd,
    voice::speech,
};

use crate::house::{House, LIMIT};

fn greeting_agent(key: &str) -> Value {
    json!({
        "agent": {
            "prompt": "You answer the phone for a bakery.", "greeting": "Hello, this is the bakery.",
            "speed": 1.1, "accent": "Scottish", "manner": "warm and unhurried",
        },
        "legs": [{ "kind": "openai", "model": "gpt-realtime-2.1-mini" }],
        "keys": { "openai": key },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_greets_listens_and_answers() {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    provider.behave(
        "sk-1",
        Behaviour::default()
            .replies([Reply::say("Hello, this is the bakery."), Reply::say("We open at eight.")]),
    );
    let house = House::with(&[("OPENAI_BASE_URL", &provider.base_url())]).await;
    let phone = house.call(greeting_agent("sk-1")).await;
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    phone.say(speech(Duration::from_millis(1_200), 5));
    phone.said(LIMIT).await.unwrap();
    phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
    let leg = provider.connection("sk-1", LIMIT).await.unwrap();
    assert_eq!(leg.look(|ledger| ledger.responses_done()), 2);
    let session = leg.look(|ledger| ledger.session.clone());
    let instructions = session["instructions"].as_str().unwrap();
    assert!(instructions.ends_with("\nAccent: Scottish\nManner: warm and unhurried"), "{instructions}");
    assert_eq!(session["audio"]["output"]["speed"], 1.1);
    phone.hang_up();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    assert_eq!(provider.violations(), Vec::<String>::new());
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new());
}
