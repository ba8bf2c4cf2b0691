//! Who answers a script that is played without any account? Pretend providers, taught what this script wants of them.
//!
//! The ear hears exactly the words that the script's caller says, turn by turn. Tools are answered by a pretend main
//! app, whatever address the agent has for them: a run without accounts touches nobody's systems.

use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};
use sim::{
    app::{Answer as AppAnswer, App},
    chat, deepgram,
    openai::{self, Reply as Spoken},
};

use super::{Action, Script};
use crate::cli::stage::{PRETEND_KEY, Stage};

/// What the pretend providers are to do.
#[derive(Debug, Default, PartialEq)]
pub(in crate::cli::call) struct Pretend {
    /// From the end of the caller's turn to the first of an answer.
    pub thinks: Option<Duration>,
    /// One for each time that the model is asked.
    pub replies: Vec<Reply>,
}

#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli::call) struct Reply {
    pub says: String,
    pub calls: Option<String>,
    pub arguments: Value,
    /// What the tool answers.
    pub result: Option<Value>,
}

/// The agent as it is called when nobody real is to be reached: pretend keys, tools at the pretend main app.
pub(in crate::cli::call) fn stand_in(
    agent: &Value,
    script: Option<&Script>,
    app: &App,
) -> anyhow::Result<Value> {
    let mut agent = agent.clone();
    let leg = &agent["legs"][0];
    for (part, provider) in NOT_PRETENDED {
        if leg[part]["provider"] == provider {
            bail!(
                "there is no pretend {provider} for the `{part}` of a cascade: call a relay with real keys, by its address"
            );
        }
    }
    if let Some(agent) = agent.as_object_mut() {
        // Reports would go to the real app.
        agent.remove("report");
        agent.remove("keys");
    }
    let tools = agent.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten();
    for tool in tools.filter(|tool| tool["url"].is_string()) {
        let name = tool["name"].as_str().unwrap_or_default().to_owned();
        let path = format!("/tools/{name}");
        tool["url"] = app.url(&path).into();
        let replies =
            script.and_then(|script| script.pretend.as_ref()).map_or(&[][..], |pretend| &pretend.replies);
        let mut results = replies.iter().filter(|reply| reply.calls.as_deref() == Some(&name));
        let result = results.find_map(|reply| reply.result.clone());
        let usual =
            if tool["kind"] == "knowledge" { json!({ "passages": [] }) } else { json!({ "status": "done" }) };
        app.answer(&path, AppAnswer::json(&result.unwrap_or(usual)));
    }
    Ok(agent)
}

pub(in crate::cli::call) fn teach(stage: &Stage, script: &Script) {
    let said = script.steps.iter().filter_map(|step| match &step.action {
        Some(Action::Say(speech) | Action::Interrupt { with: speech, .. }) => Some(speech.text.clone()),
        Some(Action::Press(_) | Action::Wait(_) | Action::HangUp) | None => None,
    });
    let said: Vec<String> = said.collect();
    let none = Pretend::default();
    let Pretend { thinks, replies } = script.pretend.as_ref().unwrap_or(&none);
    let mut behaviour = openai::Behaviour { caller_says: said.clone(), ..openai::Behaviour::default() };
    behaviour.replies = replies.iter().enumerate().map(|(at, reply)| spoken(at, reply)).collect();
    behaviour.first_audio_after = thinks.unwrap_or(behaviour.first_audio_after);
    stage.openai.behave(PRETEND_KEY, behaviour);
    let mut behaviour = deepgram::Behaviour::default();
    behaviour.listen.hears = said;
    stage.deepgram.behave(PRETEND_KEY, behaviour);
    let mut behaviour = chat::Behaviour::default();
    behaviour.replies = replies.iter().enumerate().map(|(at, reply)| written(at, reply)).collect();
    behaviour.first = thinks.unwrap_or(behaviour.first);
    stage.chat.behave(PRETEND_KEY, behaviour);
}

fn spoken(at: usize, reply: &Reply) -> Spoken {
    let spoken = if reply.says.is_empty() { Spoken::default() } else { Spoken::say(&reply.says) };
    match &reply.calls {
        Some(tool) => spoken.and_call(tool, &reply.arguments.to_string(), &format!("call_{at}")),
        None => spoken,
    }
}

fn written(at: usize, reply: &Reply) -> chat::Answer {
    let answer = chat::Answer::say(&reply.says);
    match &reply.calls {
        Some(tool) => {
            answer.tool(chat::ToolCall::new(&format!("call_{at}"), tool, &reply.arguments.to_string()))
        }
        None => answer,
    }
}

/// A stage has a pretend OpenAI Realtime, Deepgram and Groq.
const NOT_PRETENDED: [(&str, &str); 3] = [("stt", "elevenlabs"), ("tts", "elevenlabs"), ("llm", "openai")];

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_without_accounts_touches_nobodys_systems() {
        let agent = json!({
            "agent": { "prompt": "x" }, "legs": [{ "kind": "openai", "model": "m" }],
            "keys": { "openai": "sk-real" }, "report": { "url": "https://app.example.com/report" },
            "tools": [{ "name": "lookup", "url": "https://app.example.com/lookup" }, { "kind": "hang_up" }],
        });
        let app = App::start().await.unwrap();
        let there = stand_in(&agent, None, &app).unwrap();
        assert_eq!(there["tools"][0]["url"], app.url("/tools/lookup"));
        assert_eq!((&there["agent"], &there["tools"][1]), (&agent["agent"], &agent["tools"][1]));
        assert!(
            !there.to_string().contains("example.com") && !there.to_string().contains("sk-real"),
            "{there}"
        );
    }

    #[tokio::test]
    async fn who_is_not_pretended_is_named() {
        let agent = json!({ "legs": [{ "kind": "cascade", "tts": { "provider": "elevenlabs" } }] });
        let app = App::start().await.unwrap();
        let told = stand_in(&agent, None, &app).unwrap_err().to_string();
        assert!(told.contains("no pretend elevenlabs for the `tts`"), "{told}");
    }
}
