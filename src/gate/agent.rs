//! Would a token with these fields be taken? Asked about an agent's file, long before there is a call.
//!
//! The very code that checks tokens answers. What only a call can say (whose it is, until when) is filled in, so the
//! file need not have it. Each fault keeps its path: who has the file can tell the line.

use serde_json::{Map, Value, json};

use super::{
    Gate,
    claims::{Body, Registered},
    config::Config,
    pass::Source,
    problems::{Problems, Wrong},
    reader,
    strict::Strict,
};

/// Whether these fields exist and have the right types. Whether the values fit depends on the relay: [`Gate::agent`].
pub fn shape(agent: &Map<String, Value>) -> Result<(), Vec<Wrong>> {
    let mut problems = Problems::default();
    written(agent, &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(problems.into_list()) }
}

impl Gate {
    /// What a token with these fields would ask for; `None` when it only says where that is to be fetched.
    pub fn agent(&self, agent: &Map<String, Value>) -> Result<Option<Config>, Vec<Wrong>> {
        let mut problems = Problems::default();
        let source = written(agent, &mut problems).and_then(|(mut claims, body)| {
            let (source, _) = self.source(&mut claims, body, "", &mut problems);
            source
        });
        match source {
            Some(Source::Here(config)) if problems.is_empty() => Ok(Some(*config)),
            Some(Source::There { .. }) if problems.is_empty() => Ok(None),
            Some(_) | None => Err(problems.into_list()),
        }
    }
}

/// The fields as a token would have them.
fn written(agent: &Map<String, Value>, problems: &mut Problems) -> Option<(Registered, Body)> {
    let mut all = Map::new();
    for (name, value) in
        [("iss", json!("file")), ("aud", json!("file")), ("iat", json!(0)), ("exp", json!(1))]
    {
        all.insert(name.to_owned(), value);
    }
    all.extend(agent.clone());
    let mut claims = Strict::wrap(all);
    let body = claims.split_off(&Body::FIELDS);
    let claims = reader::read(claims.value(), &Body::FIELDS, problems);
    let body = reader::read(body.value(), &[], problems);
    claims.zip(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(agent: Value) -> Vec<String> {
        let wrong = shape(agent.as_object().unwrap()).unwrap_err();
        wrong.into_iter().map(|wrong| wrong.path).collect()
    }

    #[test]
    fn every_field_that_is_wrong_is_told_with_its_path() {
        let agent = json!({
            "agnet": {}, "agent": { "vioce": "marin" }, "legs": [{ "kind": "echo" }, { "kind": "openai", "modle": 1 }],
        });
        assert_eq!(paths(agent), ["agnet", "agent.vioce", "legs[1].modle"]);
        assert_eq!(
            paths(json!({ "temperature": "warm", "agent": { "speed": "fast" } })),
            ["temperature", "agent.speed"]
        );
    }

    #[test]
    fn what_only_a_call_can_say_may_be_left_out() {
        assert!(shape(json!({ "legs": [{ "kind": "echo" }] }).as_object().unwrap()).is_ok());
        assert!(shape(json!({ "prompt": "Be kind.", "openAIKey": "k" }).as_object().unwrap()).is_ok());
    }
}
