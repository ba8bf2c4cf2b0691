//! What is the session's configuration right now? The service's defaults, and updates merged into them.
//!
//! An update holds entirely or not at all. The default is 24 kHz PCM: until an update changed it, µ-law would be heard
//! as static, so whoever appends earlier makes a mistake that no error event reports.

use super::strict::Refusal;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Session {
    value: Value,
    model: String,
    is_ulaw: bool,
    /// The voice may not change any more.
    pub has_spoken: bool,
}

/// How turns are found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TurnDetection {
    pub prefix: Duration,
    pub silence: Duration,
    pub create_response: bool,
    pub interrupt_response: bool,
    pub idle_timeout: Option<Duration>,
}

impl Session {
    pub fn new(model: &str, id: &str) -> Self {
        let expires_at = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() + 3600);
        let value = json!({
            "type": "realtime", "object": "realtime.session", "id": id, "model": model,
            "output_modalities": ["audio"], "instructions": "You are a helpful, witty and friendly AI.",
            "tools": [], "tool_choice": "auto", "max_output_tokens": "inf", "tracing": null, "prompt": null,
            "truncation": "auto", "expires_at": expires_at,
            "audio": {
                "input": {"format": {"type": "audio/pcm", "rate": 24000}, "transcription": null,
                          "noise_reduction": null, "turn_detection": server_vad()},
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.0},
            },
            "include": null,
        });
        Self { value, model: model.to_owned(), is_ulaw: false, has_spoken: false }
    }

    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Applies the `session` of an update whose shape was checked before.
    pub fn update(&mut self, change: &Value) -> Result<(), Refusal> {
        if change.get("model").is_some_and(|model| *model != self.model.as_str()) {
            return Err(Refusal::new("invalid_value", "The model cannot be changed.", Some("session.model")));
        }
        if change["output_modalities"].as_array().is_some_and(|list| list.len() != 1) {
            let message = "Invalid modalities: exactly one of 'audio' and 'text' is supported.";
            return Err(Refusal::new("invalid_value", message, Some("session.output_modalities")));
        }
        let voice = &change["audio"]["output"]["voice"];
        if self.has_spoken && !voice.is_null() && *voice != self.value["audio"]["output"]["voice"] {
            let message = "Cannot update a conversation's voice if assistant audio is present.";
            return Err(Refusal::new("cannot_update_voice", message, Some("session.audio.output.voice")));
        }
        merge(&mut self.value, change, "");
        self.is_ulaw = ["input", "output"]
            .iter()
            .all(|side| self.value["audio"][side]["format"]["type"] == "audio/pcmu");
        Ok(())
    }

    /// Both ways; asked for every frame.
    pub fn is_ulaw(&self) -> bool {
        self.is_ulaw
    }

    pub fn transcribes(&self) -> bool {
        self.value["audio"]["input"]["transcription"].is_object()
    }

    pub fn turn_detection(&self) -> Option<TurnDetection> {
        let set = &self.value["audio"]["input"]["turn_detection"];
        let ms = |name: &str| set[name].as_u64().map(Duration::from_millis);
        let silence = match (set["type"].as_str()?, set["eagerness"].as_str()) {
            ("server_vad", _) => ms("silence_duration_ms").unwrap_or(Duration::from_millis(200)),
            (_, Some("low")) => Duration::from_millis(1500),
            (_, Some("high")) => Duration::from_millis(400),
            (_, _) => Duration::from_millis(800),
        };
        Some(TurnDetection {
            prefix: ms("prefix_padding_ms").unwrap_or(Duration::from_millis(300)),
            silence,
            create_response: set["create_response"].as_bool().unwrap_or(true),
            interrupt_response: set["interrupt_response"].as_bool().unwrap_or(true),
            idle_timeout: ms("idle_timeout_ms"),
        })
    }
}

fn server_vad() -> Value {
    json!({"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200,
           "idle_timeout_ms": null, "create_response": true, "interrupt_response": true})
}

fn semantic_vad() -> Value {
    json!({"type": "semantic_vad", "eagerness": "auto", "create_response": true, "interrupt_response": true})
}

/// Objects merge; what is one choice (a format, a tool list) is replaced.
fn merge(into: &mut Value, change: &Value, name: &str) {
    if name == "turn_detection" && change.is_object() && into["type"] != change["type"] {
        *into = if change["type"] == "server_vad" { server_vad() } else { semantic_vad() };
    }
    let replaced = ["format", "tool_choice", "truncation", "tracing", "voice"].contains(&name);
    match (into, change) {
        (Value::Object(into), Value::Object(change)) if !replaced => {
            for (name, value) in change {
                merge(into.entry(name.clone()).or_insert(Value::Null), value, name);
            }
        }
        (into, change) => *into = change.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_changes_what_it_names_and_nothing_else() {
        let mut session = Session::new("gpt-realtime-2.1", "sess_1");
        assert!(!session.is_ulaw());
        let ulaw = json!({"type": "audio/pcmu"});
        let turn = json!({"type": "server_vad", "silence_duration_ms": 500});
        let change = json!({"type": "realtime", "audio": {
            "input": {"format": ulaw, "turn_detection": turn}, "output": {"format": ulaw}}});
        session.update(&change).unwrap();
        assert!(session.is_ulaw());
        assert_eq!(session.value()["audio"]["input"]["format"], ulaw, "no rate is left over");
        let turn = session.turn_detection().unwrap();
        assert_eq!((turn.silence.as_millis(), turn.prefix.as_millis()), (500, 300));
        assert_eq!(session.value()["audio"]["output"]["voice"], "alloy");
        session.update(&json!({"audio": {"input": {"turn_detection": null}}})).unwrap();
        assert_eq!(session.turn_detection(), None);
    }

    #[test]
    fn the_voice_is_locked_once_it_was_heard() {
        let mut session = Session::new("gpt-realtime-2.1", "sess_1");
        let voice = |name: &str| json!({"audio": {"output": {"voice": name}}});
        session.update(&voice("marin")).unwrap();
        session.has_spoken = true;
        session.update(&voice("marin")).unwrap();
        assert_eq!(session.update(&voice("cedar")).unwrap_err().code, Some("cannot_update_voice"));
    }
}
