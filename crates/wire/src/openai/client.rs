//! What we send to OpenAI.
//!
//! Audio is spliced: fifty frames a second need no serializer, and [`Audio`] has shown that its text is safe
//! between two quotes. Everything else is rare and goes through serde, because ids and words are not ours.

use bytes::{BufMut, Bytes, BytesMut};
use call::{Audio, Turns};
use serde_json::{Value, json};

use super::{
    creates::PURPOSE,
    setup::{Setup, Transcription, Turn},
};

use crate::{Function, protocol::Frame, query::Query};

/// Path and query of the socket, to be appended to a base path such as `/v1`.
pub fn path_and_query(model: &str) -> String {
    Query::of("/realtime").with("model", model).end()
}

/// The first update: everything, and the only one with formats and voice.
pub(super) fn set_up(event_id: &str, setup: &Setup) -> Frame {
    let format = json!({ "type": "audio/pcmu" });
    let mut session = json!({
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": setup.instructions,
        "audio": {
            "input": { "format": format, "turn_detection": turn_detection(setup.turn, setup.turns) },
            "output": { "format": format },
        },
    });
    let input = &mut session["audio"]["input"];
    if let Some(distance) = setup.noise_reduction {
        input["noise_reduction"] = json!({ "type": distance });
    }
    if let Some(asked) = &setup.transcription {
        input["transcription"] = transcription(asked, setup.language.as_deref());
    }
    let output = &mut session["audio"]["output"];
    if let Some(voice) = &setup.voice {
        output["voice"] = json!(voice);
    }
    if let Some(speed) = setup.speed {
        output["speed"] = json!(speed);
    }
    if let Some(tokens) = setup.max_output_tokens {
        session["max_output_tokens"] = json!(tokens);
    }
    if !setup.tools.is_empty() || !setup.servers.is_empty() {
        let functions = setup.tools.iter().map(function);
        session["tools"] = functions.chain(setup.servers.iter().cloned()).collect();
        session["tool_choice"] = json!("auto");
    }
    if let Some(effort) = setup.reasoning_effort {
        session["reasoning"] = json!({ "effort": effort });
    }
    control(&json!({ "type": "session.update", "event_id": event_id, "session": session }))
}

fn function(tool: &Function) -> Value {
    let mut function = tool.describe();
    function.insert("type".into(), "function".into());
    Value::Object(function)
}

/// A later update: never with formats, which would switch to PCM, nor with the voice, which is locked.
pub(super) fn take_turns(event_id: &str, turn: Turn, turns: Turns) -> Frame {
    let session = json!({
        "type": "realtime",
        "audio": { "input": { "turn_detection": turn_detection(turn, turns) } },
    });
    control(&json!({ "type": "session.update", "event_id": event_id, "session": session }))
}

fn turn_detection(turn: Turn, turns: Turns) -> Value {
    let (create, interrupt) = match turns {
        Turns::Held => (false, false),
        Turns::Live => (true, true),
    };
    match turn {
        Turn::ServerVad { threshold, prefix_padding_ms, silence_ms } => json!({
            "type": "server_vad",
            "threshold": threshold,
            "prefix_padding_ms": prefix_padding_ms,
            "silence_duration_ms": silence_ms,
            "create_response": create,
            "interrupt_response": interrupt,
        }),
        Turn::Semantic { eagerness } => json!({
            "type": "semantic_vad",
            "eagerness": eagerness,
            "create_response": create,
            "interrupt_response": interrupt,
        }),
    }
}

/// The newer models take a list of languages, the older ones a single one; both want `de`, not `de-CH`.
fn transcription(asked: &Transcription, language: Option<&str>) -> Value {
    let mut transcription = json!({ "model": asked.model });
    let primary = language.and_then(|tag| tag.split(['-', '_']).next()).filter(|tag| !tag.is_empty());
    if let Some(language) = primary {
        let language = language.to_ascii_lowercase();
        if asked.model.starts_with("gpt-transcribe") || asked.model.starts_with("gpt-live-transcribe") {
            transcription["languages"] = json!([language]);
        } else {
            transcription["language"] = json!(language);
        }
    }
    transcription
}

pub(super) fn say(event_id: &str, text: &str) -> Frame {
    let instructions = format!(
        "Say exactly the words that follow, all of them, as they stand; do not answer, translate or comment \
         on them, and say nothing else:\n\n{text}"
    );
    control(&json!({
        "type": "response.create",
        "event_id": event_id,
        "response": {
            "instructions": instructions,
            "tool_choice": "none",
            "metadata": { "purpose": PURPOSE },
        },
    }))
}

pub(super) fn reply(event_id: &str) -> Frame {
    control(&json!({ "type": "response.create", "event_id": event_id }))
}

/// What came of a tool. Nothing is said about it before the next response.
pub(super) fn tool_result(event_id: &str, call_id: &str, output: &str) -> Frame {
    control(&json!({
        "type": "conversation.item.create",
        "event_id": event_id,
        "item": { "type": "function_call_output", "call_id": call_id, "output": output },
    }))
}

/// Words of the caller's that have no sound.
pub(super) fn tell(event_id: &str, text: &str) -> Frame {
    control(&json!({
        "type": "conversation.item.create",
        "event_id": event_id,
        "item": { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": text }] },
    }))
}

pub(super) fn cancel(event_id: &str, response_id: &str) -> Frame {
    control(&json!({ "type": "response.cancel", "event_id": event_id, "response_id": response_id }))
}

pub(super) fn truncate(event_id: &str, item_id: &str, content_index: u32, audio_end_ms: u64) -> Frame {
    control(&json!({
        "type": "conversation.item.truncate",
        "event_id": event_id,
        "item_id": item_id,
        "content_index": content_index,
        "audio_end_ms": audio_end_ms,
    }))
}

pub(super) fn delete(event_id: &str, item_id: &str) -> Frame {
    control(&json!({ "type": "conversation.item.delete", "event_id": event_id, "item_id": item_id }))
}

pub(super) fn control(message: &Value) -> Frame {
    Frame::Control(Bytes::from(message.to_string()))
}

/// The caller's voice, cut from a buffer that serves many frames.
pub(super) fn hear(buffer: &mut BytesMut, audio: &Audio) -> Frame {
    let needed = HEAR.len() + audio.text_bytes().len() + HEAR_END.len();
    if buffer.capacity() < needed {
        buffer.reserve(needed.max(BUFFER));
    }
    buffer.put_slice(HEAR);
    buffer.put_slice(audio.text_bytes());
    buffer.put_slice(HEAR_END);
    Frame::Audio { text: buffer.split().freeze(), time: audio.duration() }
}

const HEAR: &[u8] = br#"{"type":"input_audio_buffer.append","audio":""#;
const HEAR_END: &[u8] = br#""}"#;

/// Eight frames of 20 ms; a frame that still waits keeps no more than this alive.
const BUFFER: usize = 2048;
