//! Which client events exist, and which fields do they have? protocols/openai-realtime.md, section 2.
//!
//! The generally available protocol only. Names of the dead beta are unknown here, as they are to the service.

use super::strict::{Field, Refusal, Shape, may, must};
use serde_json::Value;

pub(super) const EVENTS: [&str; 10] = [
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.truncate",
    "conversation.item.delete",
    "conversation.item.retrieve",
    "response.create",
    "response.cancel",
];

/// Checks a whole event; `modern` models know reasoning.
pub(super) fn check(event: &Value, modern: bool) -> Result<(), Refusal> {
    let Some(kind) = event.get("type") else {
        return Err(Refusal::new(
            "missing_required_parameter",
            "Missing required parameter: 'type'.",
            Some("type"),
        ));
    };
    let shape = match kind.as_str().unwrap_or("") {
        "session.update" => &SESSION_UPDATE,
        "input_audio_buffer.append" => &APPEND,
        "input_audio_buffer.commit" | "input_audio_buffer.clear" => &BARE,
        "conversation.item.create" => &ITEM_CREATE,
        "conversation.item.truncate" => &TRUNCATE,
        "conversation.item.delete" | "conversation.item.retrieve" => &ITEM_ID,
        "response.create" => &RESPONSE_CREATE,
        "response.cancel" => &CANCEL,
        _ => {
            let message = format!("Invalid value: {kind}. Supported values are: {}.", EVENTS.join(", "));
            return Err(Refusal::new("invalid_value", message, Some("type")));
        }
    };
    shape.check(event, "")?;
    for (path, part) in [("session", event.get("session")), ("response", event.get("response"))] {
        for field in ["reasoning", "parallel_tool_calls"] {
            if !modern && part.is_some_and(|part| part.get(field).is_some()) {
                let param = format!("{path}.{field}");
                return Err(Refusal::new(
                    "unknown_parameter",
                    format!("Unknown parameter: '{param}'."),
                    Some(&param),
                ));
            }
        }
    }
    Ok(())
}

const ANY: i64 = i64::MAX;
const EVENT_ID: Field = may("event_id", &Shape::ShortText(512));
const TYPE: Field = must("type", &Shape::Text);

static BARE: Shape = Shape::Object(&[TYPE, EVENT_ID]);
static APPEND: Shape = Shape::Object(&[TYPE, EVENT_ID, must("audio", &Shape::Text)]);
static ITEM_ID: Shape = Shape::Object(&[TYPE, EVENT_ID, must("item_id", &Shape::Text)]);
static CANCEL: Shape = Shape::Object(&[TYPE, EVENT_ID, may("response_id", &Shape::Text)]);
static TRUNCATE: Shape = Shape::Object(&[
    TYPE,
    EVENT_ID,
    must("item_id", &Shape::Text),
    must("content_index", &Shape::Whole(0, ANY)),
    must("audio_end_ms", &Shape::Whole(0, ANY)),
]);

static SESSION_UPDATE: Shape = Shape::Object(&[TYPE, EVENT_ID, must("session", &SESSION)]);
static SESSION: Shape = Shape::Object(&[
    must("type", &Shape::OneOf(&["realtime"])),
    may("model", &Shape::Text),
    may("output_modalities", &Shape::List(&MODALITY)),
    may("instructions", &Shape::Text),
    may("audio", &SESSION_AUDIO),
    may("tools", &Shape::List(&TOOL)),
    may("tool_choice", &Shape::Depends(tool_choice)),
    may("parallel_tool_calls", &Shape::Flag),
    may("reasoning", &REASONING),
    may("max_output_tokens", &Shape::Depends(tokens)),
    may("truncation", &Shape::Depends(truncation)),
    may("tracing", &Shape::OrNull(&Shape::Depends(tracing))),
    may("include", &Shape::OrNull(&Shape::List(&Shape::OneOf(&["item.input_audio_transcription.logprobs"])))),
]);
static MODALITY: Shape = Shape::OneOf(&["audio", "text"]);
static SESSION_AUDIO: Shape = Shape::Object(&[may("input", &AUDIO_INPUT), may("output", &AUDIO_OUTPUT)]);
static AUDIO_INPUT: Shape = Shape::Object(&[
    may("format", &Shape::Depends(format)),
    may("noise_reduction", &Shape::OrNull(&NOISE)),
    may("transcription", &Shape::OrNull(&TRANSCRIPTION)),
    may("turn_detection", &Shape::OrNull(&Shape::Depends(turn_detection))),
]);
static AUDIO_OUTPUT: Shape = Shape::Object(&[
    may("format", &Shape::Depends(format)),
    may("voice", &Shape::Depends(voice)),
    may("speed", &Shape::Number(0.25, 1.5)),
]);
static NOISE: Shape = Shape::Object(&[
    must("type", &Shape::OneOf(&["near_field", "far_field"])),
    may("strength", &Shape::Number(0.0, 1.0)),
]);
static TRANSCRIPTION: Shape = Shape::Object(&[
    must("model", &Shape::Text),
    may("language", &Shape::Text),
    may("languages", &Shape::List(&Shape::Text)),
    may("keywords", &Shape::List(&Shape::Text)),
    may("prompt", &Shape::Text),
    may("delay", &Shape::Text),
]);
static REASONING: Shape =
    Shape::Object(&[must("effort", &Shape::OneOf(&["minimal", "low", "medium", "high", "xhigh"]))]);

static SERVER_VAD: Shape = Shape::Object(&[
    TYPE,
    may("threshold", &Shape::Number(0.0, 1.0)),
    may("prefix_padding_ms", &Shape::Whole(0, 10_000)),
    may("silence_duration_ms", &Shape::Whole(0, 10_000)),
    may("create_response", &Shape::Flag),
    may("interrupt_response", &Shape::Flag),
    may("idle_timeout_ms", &Shape::OrNull(&Shape::Whole(5000, 30_000))),
]);
static SEMANTIC_VAD: Shape = Shape::Object(&[
    TYPE,
    may("eagerness", &Shape::OneOf(&["low", "medium", "high", "auto"])),
    may("create_response", &Shape::Flag),
    may("interrupt_response", &Shape::Flag),
]);
static NO_VAD: Shape = Shape::Object(&[must("type", &Shape::OneOf(&["server_vad", "semantic_vad"]))]);

fn turn_detection(value: &Value) -> &'static Shape {
    match value["type"].as_str() {
        Some("server_vad") => &SERVER_VAD,
        Some("semantic_vad") => &SEMANTIC_VAD,
        Some(_) | None => &NO_VAD,
    }
}

static PCM: Shape = Shape::Object(&[TYPE, must("rate", &Shape::Whole(24_000, 24_000))]);
/// No `rate` here: Twilio's own library found it refused.
static G711: Shape = Shape::Object(&[TYPE]);
static NO_FORMAT: Shape =
    Shape::Object(&[must("type", &Shape::OneOf(&["audio/pcm", "audio/pcmu", "audio/pcma"]))]);

fn format(value: &Value) -> &'static Shape {
    match value["type"].as_str() {
        Some("audio/pcm") => &PCM,
        Some("audio/pcmu" | "audio/pcma") => &G711,
        Some(_) | None => &NO_FORMAT,
    }
}

static VOICE: Shape =
    Shape::OneOf(&["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"]);
static CUSTOM_VOICE: Shape = Shape::Object(&[must("id", &Shape::Text)]);

fn voice(value: &Value) -> &'static Shape {
    if value.is_object() { &CUSTOM_VOICE } else { &VOICE }
}

static FUNCTION: Shape = Shape::Object(&[
    TYPE,
    must("name", &Shape::ShortText(64)),
    may("description", &Shape::Text),
    may("parameters", &Shape::AnyObject),
]);
static MCP: Shape = Shape::AnyObject;
static NO_TOOL: Shape = Shape::Object(&[must("type", &Shape::OneOf(&["function", "mcp"]))]);
static TOOL: Shape = Shape::Depends(tool);

fn tool(value: &Value) -> &'static Shape {
    match value["type"].as_str() {
        Some("function") => &FUNCTION,
        Some("mcp") => &MCP,
        Some(_) | None => &NO_TOOL,
    }
}

static CHOICE: Shape = Shape::OneOf(&["auto", "none", "required"]);
static FUNCTION_CHOICE: Shape =
    Shape::Object(&[must("type", &Shape::OneOf(&["function"])), must("name", &Shape::Text)]);

fn tool_choice(value: &Value) -> &'static Shape {
    match value["type"].as_str() {
        Some("mcp") => &MCP,
        Some(_) => &FUNCTION_CHOICE,
        None if value.is_object() => &FUNCTION_CHOICE,
        None => &CHOICE,
    }
}

static TOKENS: Shape = Shape::Whole(1, 4096);
static NO_LIMIT: Shape = Shape::OneOf(&["inf"]);

fn tokens(value: &Value) -> &'static Shape {
    if value.is_string() { &NO_LIMIT } else { &TOKENS }
}

static TRUNCATION: Shape = Shape::OneOf(&["auto", "disabled"]);
static RETENTION: Shape = Shape::Object(&[
    must("type", &Shape::OneOf(&["retention_ratio"])),
    must("retention_ratio", &Shape::Number(0.0, 1.0)),
    may("token_limits", &Shape::Object(&[may("post_instructions", &Shape::Whole(0, ANY))])),
]);

fn truncation(value: &Value) -> &'static Shape {
    if value.is_object() { &RETENTION } else { &TRUNCATION }
}

static TRACING: Shape = Shape::OneOf(&["auto"]);
static TRACING_NAMED: Shape = Shape::Object(&[
    may("workflow_name", &Shape::Text),
    may("group_id", &Shape::Text),
    may("metadata", &Shape::AnyObject),
]);

fn tracing(value: &Value) -> &'static Shape {
    if value.is_object() { &TRACING_NAMED } else { &TRACING }
}

static ITEM_CREATE: Shape = Shape::Object(&[
    TYPE,
    EVENT_ID,
    may("previous_item_id", &Shape::OrNull(&Shape::Text)),
    must("item", &ITEM),
]);
static ITEM: Shape = Shape::Depends(item);
static CALL_OUTPUT: Shape = Shape::Object(&[
    TYPE,
    may("id", &Shape::ShortText(32)),
    may("object", &Shape::Text),
    may("status", &STATUS),
    must("call_id", &Shape::Text),
    must("output", &Shape::Text),
]);
static CALL: Shape = Shape::Object(&[
    TYPE,
    may("id", &Shape::ShortText(32)),
    may("object", &Shape::Text),
    may("status", &STATUS),
    may("call_id", &Shape::Text),
    must("name", &Shape::Text),
    must("arguments", &Shape::Text),
]);
static STATUS: Shape = Shape::OneOf(&["completed", "incomplete", "in_progress"]);
static NO_ITEM: Shape =
    Shape::Object(&[must("type", &Shape::OneOf(&["message", "function_call", "function_call_output"]))]);
static REFERENCE: Shape = Shape::Object(&[TYPE, must("id", &Shape::Text)]);

fn item(value: &Value) -> &'static Shape {
    match (value["type"].as_str(), value["role"].as_str()) {
        (Some("message"), Some("user")) => &USER,
        (Some("message"), Some("system")) => &SYSTEM,
        (Some("message"), Some("assistant")) => &ASSISTANT,
        (Some("message"), _) => &NO_ROLE,
        (Some("function_call_output"), _) => &CALL_OUTPUT,
        (Some("function_call"), _) => &CALL,
        (Some(_) | None, _) => &NO_ITEM,
    }
}

fn input_item(value: &Value) -> &'static Shape {
    if value["type"] == "item_reference" { &REFERENCE } else { item(value) }
}

macro_rules! message {
    ($content:expr) => {
        Shape::Object(&[
            TYPE,
            must("role", &Shape::Text),
            may("id", &Shape::ShortText(32)),
            may("object", &Shape::Text),
            may("status", &STATUS),
            must("content", &Shape::List($content)),
        ])
    };
}
static USER: Shape = message!(&Shape::Depends(user_content));
static SYSTEM: Shape = message!(&INPUT_TEXT);
static ASSISTANT: Shape = message!(&OUTPUT_TEXT);
static NO_ROLE: Shape = Shape::Object(&[
    TYPE,
    must("role", &Shape::OneOf(&["user", "assistant", "system"])),
    may("content", &Shape::List(&Shape::AnyObject)),
]);
static INPUT_TEXT: Shape =
    Shape::Object(&[must("type", &Shape::OneOf(&["input_text"])), must("text", &Shape::Text)]);
static INPUT_AUDIO: Shape =
    Shape::Object(&[TYPE, must("audio", &Shape::Text), may("transcript", &Shape::OrNull(&Shape::Text))]);
static INPUT_IMAGE: Shape = Shape::Object(&[
    TYPE,
    must("image_url", &Shape::Text),
    may("detail", &Shape::OneOf(&["auto", "low", "high"])),
]);
/// Audio of an assistant cannot be inserted: what is missing then is the text.
static OUTPUT_TEXT: Shape =
    Shape::Object(&[must("text", &Shape::Text), must("type", &Shape::OneOf(&["output_text"]))]);

fn user_content(value: &Value) -> &'static Shape {
    match value["type"].as_str() {
        Some("input_audio") => &INPUT_AUDIO,
        Some("input_image") => &INPUT_IMAGE,
        Some(_) | None => &INPUT_TEXT,
    }
}

static RESPONSE_CREATE: Shape = Shape::Object(&[TYPE, EVENT_ID, may("response", &RESPONSE)]);
static RESPONSE: Shape = Shape::Object(&[
    may("instructions", &Shape::Text),
    may("output_modalities", &Shape::List(&MODALITY)),
    may("audio", &Shape::Object(&[may("output", &RESPONSE_OUTPUT)])),
    may("tools", &Shape::List(&TOOL)),
    may("tool_choice", &Shape::Depends(tool_choice)),
    may("parallel_tool_calls", &Shape::Flag),
    may("reasoning", &REASONING),
    may("max_output_tokens", &Shape::Depends(tokens)),
    may("metadata", &Shape::OrNull(&Shape::Metadata)),
    may("conversation", &Shape::OneOf(&["auto", "none"])),
    may("input", &Shape::List(&Shape::Depends(input_item))),
]);
static RESPONSE_OUTPUT: Shape =
    Shape::Object(&[may("format", &Shape::Depends(format)), may("voice", &Shape::Depends(voice))]);
