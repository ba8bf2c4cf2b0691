//! Whom one can call in the demo, and what the pretend ones among them say.

use clap::ValueEnum;
use serde_json::{Value, json};
use sim::{
    chat, deepgram,
    openai::{self, Reply},
};

use super::{
    agent,
    stage::{Keys, PRETEND_KEY, Pretend, Stage},
};
use crate::phone::{Agent, Answerer};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    Openai,
    Cascade,
}

/// For the browser phone: the real ones for which there is a key first, the pretend ones always.
pub(super) fn agents(keys: &Keys, pretend: &Pretend) -> Vec<Agent> {
    let answerer = |id, name: &str, fields| Answerer { id, name: name.to_owned(), fields };
    let real = [
        (keys.openai.is_some(), answerer("real-openai", "OpenAI Realtime", bakery(Kind::Openai, None))),
        (
            keys.have_cascade(),
            answerer("real-cascade", "a cascade of Deepgram and Groq", bakery(Kind::Cascade, None)),
        ),
    ];
    let pretend = [
        answerer("openai", "a pretend OpenAI Realtime", bakery(Kind::Openai, Some(pretend))),
        answerer("cascade", "a pretend cascade of Deepgram and Groq", bakery(Kind::Cascade, Some(pretend))),
    ];
    vec![
        Agent {
            id: "bakery",
            name: "The bakery on Mill Street",
            about: "Ask when it is open, and talk over the answer. A pretend one hears that you speak, not what you \
                    say: it always says the same.",
            answerers: real.into_iter().filter_map(|(set, one)| set.then_some(one)).chain(pretend).collect(),
        },
        Agent {
            id: "echo",
            name: "Line test",
            about: "Says back what you say. Nobody else is asked.",
            answerers: vec![answerer("echo", "the relay itself", agent::echo())],
        },
    ]
}

/// The bakery, answered by those who pretend or else by the real ones.
pub(super) fn bakery(kind: Kind, pretend: Option<&Pretend>) -> Value {
    let mut leg = match kind {
        Kind::Openai => json!({ "kind": "openai", "model": "gpt-realtime-2.1-mini" }),
        Kind::Cascade => json!({
            "kind": "cascade",
            "stt": { "provider": "deepgram", "model": "flux-general-en", "eager_eot_threshold": 0.4 },
            "llm": { "provider": "groq", "model": "openai/gpt-oss-20b" },
            "tts": { "provider": "deepgram", "voice": "aura-2-thalia-en" },
        }),
    };
    let mut keys = json!({});
    if let Some(Pretend { openai, deepgram, chat }) = pretend {
        keys = json!({ "openai": PRETEND_KEY, "deepgram": PRETEND_KEY, "groq": PRETEND_KEY });
        match kind {
            Kind::Openai => leg["base_url"] = json!(openai),
            Kind::Cascade => {
                leg["stt"]["base_url"] = json!(deepgram);
                leg["llm"]["base_url"] = json!(chat);
                leg["tts"]["base_url"] = json!(deepgram);
            }
        }
    }
    json!({
        "agent": {
            "id": "demo",
            "prompt": "You answer the phone for a bakery. Be brief and kind.",
            "greeting": "Hello, this is the bakery on Mill Street. What can I do for you?",
            "voice": "marin",
        },
        "legs": [leg],
        "keys": keys,
    })
}

/// Tells the pretend providers what callers say and what the bakery answers, the same in each call.
pub(super) fn teach(stage: &Stage) {
    let lines = TALK.map(|(caller, _)| caller);
    let script = openai::Behaviour {
        caller_says: lines.map(str::to_owned).to_vec(),
        replies: TALK.map(|(_, agent)| Reply::say(agent)).to_vec(),
        fallback: Reply::say(AND_ON),
        ..openai::Behaviour::default()
    };
    stage.openai.behave(PRETEND_KEY, script);
    stage.deepgram.behave(PRETEND_KEY, deepgram::Behaviour::default().hears(lines));
    let script = chat::Behaviour {
        answers: TALK.map(|(caller, agent)| (caller.to_owned(), chat::Answer::say(agent))).to_vec(),
        fallback: chat::Answer::say(AND_ON),
        ..chat::Behaviour::default()
    };
    stage.chat.behave(PRETEND_KEY, script);
}

/// What the caller says, and what the bakery answers. There is a clip of each sentence.
pub(super) const TALK: [(&str, &str); 2] = [
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

#[cfg(test)]
mod tests {
    use sim::clips;

    use super::*;

    fn pretend() -> Pretend {
        let [openai, deepgram, chat] = ["o", "d", "c"].map(|name| format!("http://127.0.0.1:1/{name}"));
        Pretend { openai, deepgram, chat }
    }

    #[test]
    fn real_ones_stand_beside_the_pretend_ones_and_only_these_have_their_address() {
        let some = || Some("key".to_owned());
        let keys = Keys { openai: some(), deepgram: some(), groq: None };
        for (keys, wanted) in [
            (Keys::default(), &["openai", "cascade"][..]),
            (keys.clone(), &["real-openai", "openai", "cascade"]),
            (Keys { groq: some(), ..keys }, &["real-openai", "real-cascade", "openai", "cascade"]),
        ] {
            let bakery = agents(&keys, &pretend()).swap_remove(0);
            assert_eq!(bakery.answerers.iter().map(|one| one.id).collect::<Vec<_>>(), wanted);
            for one in bakery.answerers {
                assert_ne!(one.fields.to_string().contains("127.0.0.1"), one.id.starts_with("real"));
            }
        }
    }

    #[test]
    fn there_is_a_clip_of_everything_that_is_said() {
        let greeting = bakery(Kind::Openai, None)["agent"]["greeting"].as_str().unwrap().to_owned();
        for text in TALK.iter().flat_map(|(caller, agent)| [*caller, *agent]).chain([AND_ON, &greeting]) {
            assert!(clips::spoken(text).is_some(), "{text}");
        }
    }
}
