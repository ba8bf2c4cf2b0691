//! Whom one can call in the demo, and what the pretend ones among them say.

use clap::ValueEnum;
use serde_json::{Value, json};
use sim::{
    chat, deepgram,
    openai::{self, Reply},
};

use super::{
    agent,
    stage::{Keys, PRETEND_KEY, Stage},
};
use crate::phone::{Agent, Answerer};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    Openai,
    Cascade,
}

/// For the browser phone.
pub(super) fn agents(keys: &Keys) -> Vec<Agent> {
    let cascade = match (&keys.deepgram, &keys.groq) {
        (Some(_), Some(_)) => "a cascade of Deepgram and Groq",
        (None, None) => "a pretend cascade of Deepgram and Groq",
        (Some(_), None) => "a cascade of Deepgram and a pretend Groq",
        (None, Some(_)) => "a cascade of a pretend Deepgram and Groq",
    };
    let openai = if keys.openai.is_some() { "OpenAI Realtime" } else { "a pretend OpenAI Realtime" };
    vec![
        Agent {
            id: "bakery",
            name: "The bakery on Mill Street",
            about: "Asks what it can do for you. A pretend one hears that you speak, not what you say, and answers in \
                    babble: read along, and talk over it.",
            answerers: vec![
                Answerer { id: "openai", name: openai.to_owned(), fields: bakery(Kind::Openai) },
                Answerer { id: "cascade", name: cascade.to_owned(), fields: bakery(Kind::Cascade) },
            ],
        },
        Agent {
            id: "echo",
            name: "Line test",
            about: "Says back what you say. Nobody else is asked.",
            answerers: vec![Answerer {
                id: "echo",
                name: "the relay itself".to_owned(),
                fields: agent::echo(),
            }],
        },
    ]
}

pub(super) fn bakery(kind: Kind) -> Value {
    let leg = match kind {
        Kind::Openai => json!({ "kind": "openai", "model": "gpt-realtime-2.1-mini" }),
        Kind::Cascade => json!({
            "kind": "cascade",
            "stt": { "provider": "deepgram", "model": "flux-general-en", "eager_eot_threshold": 0.4 },
            "llm": { "provider": "groq", "model": "openai/gpt-oss-20b" },
            "tts": { "provider": "deepgram", "voice": "aura-2-thalia-en" },
        }),
    };
    json!({
        "agent": {
            "id": "demo",
            "prompt": "You answer the phone for a bakery. Be brief and kind.",
            "greeting": "Hello, this is the bakery on Mill Street. What can I do for you?",
            "voice": "marin",
        },
        "legs": [leg],
    })
}

/// Tells the pretend providers what callers say and what the bakery answers, the same in each call.
pub(super) fn teach(stage: &Stage) {
    let lines = TALK.map(|(caller, _)| caller);
    if let Some(openai) = &stage.openai {
        let script = openai::Behaviour {
            caller_says: lines.map(str::to_owned).to_vec(),
            replies: TALK.map(|(_, agent)| Reply::say(agent)).to_vec(),
            fallback: Reply::say(AND_ON),
            ..openai::Behaviour::default()
        };
        openai.behave(PRETEND_KEY, script);
    }
    if let Some(deepgram) = &stage.deepgram {
        deepgram.behave(PRETEND_KEY, deepgram::Behaviour::default().hears(lines));
    }
    if let Some(chat) = &stage.chat {
        let script = chat::Behaviour {
            answers: TALK.map(|(caller, agent)| (caller.to_owned(), chat::Answer::say(agent))).to_vec(),
            fallback: chat::Answer::say(AND_ON),
            ..chat::Behaviour::default()
        };
        chat.behave(PRETEND_KEY, script);
    }
}

/// What the caller says, and what the bakery answers.
const TALK: [(&str, &str); 2] = [
    (
        "When are you open, and do you have rye bread?",
        "We open at six on weekdays and at seven on Saturdays, and on Sundays we are closed. Rye bread comes out of the \
         oven at eight, so if you want it warm that is the time to come by.",
    ),
    ("Thanks, that is all I wanted to know.", "You are welcome. See you soon!"),
];

/// To everything after that.
const AND_ON: &str =
    "I only pretend to be a bakery, so this is all I know. With a key of your own I would listen.";
