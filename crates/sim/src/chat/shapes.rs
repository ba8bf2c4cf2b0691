//! Which fields does a request have? protocols/llm-chat.md, sections 1, 5.2 and 6.2; null is nowhere allowed.

use crate::openai::strict::{Field, Refusal, Shape, may, must};
use serde_json::Value;

/// The first thing that is wrong with a request for a model of Groq or of OpenAI.
pub(super) fn check(body: &Value, groq: bool) -> Result<(), Refusal> {
    if groq { GROQ.check(body, "") } else { OPENAI.check(body, "") }
}

const ANY: i64 = i64::MAX;

static GROQ: Shape = Shape::Object(&[
    must("model", &Shape::Text),
    must("messages", &Shape::List(&Shape::Depends(groq_message))),
    may("stream", &Shape::Flag),
    may("stream_options", &Shape::Object(&[may("include_usage", &Shape::Flag)])),
    may("max_completion_tokens", &Shape::Whole(1, 65_536)),
    may("max_tokens", &Shape::Whole(1, 65_536)),
    may("temperature", &Shape::Number(0.0, 2.0)),
    may("top_p", &Shape::Number(0.0, 1.0)),
    may("reasoning_effort", &EFFORT),
    may("include_reasoning", &Shape::Flag),
    may("reasoning_format", &Shape::OneOf(&["hidden", "parsed"])),
    may("tools", &Shape::List(&TOOL)),
    may("tool_choice", &Shape::Depends(tool_choice)),
    may("parallel_tool_calls", &Shape::Flag),
    may("disable_tool_validation", &Shape::Flag),
    may("stop", &Shape::Depends(stop)),
    may("seed", &Shape::Whole(0, ANY)),
    may("n", &Shape::Whole(1, 1)),
    may("frequency_penalty", &Shape::Number(-2.0, 2.0)),
    may("presence_penalty", &Shape::Number(-2.0, 2.0)),
    may("response_format", &Shape::AnyObject),
    may("service_tier", &Shape::OneOf(&["on_demand", "auto", "flex", "performance"])),
    may("user", &Shape::Text),
]);

static OPENAI: Shape = Shape::Object(&[
    must("model", &Shape::Text),
    must("messages", &Shape::List(&Shape::Depends(openai_message))),
    may("stream", &Shape::Flag),
    may(
        "stream_options",
        &Shape::Object(&[may("include_usage", &Shape::Flag), may("include_obfuscation", &Shape::Flag)]),
    ),
    may("max_completion_tokens", &Shape::Whole(1, ANY)),
    may("max_tokens", &Shape::Whole(1, ANY)),
    may("temperature", &Shape::Number(0.0, 2.0)),
    may("top_p", &Shape::Number(0.0, 1.0)),
    may("reasoning_effort", &EFFORT),
    may("verbosity", &Shape::OneOf(&["low", "medium", "high"])),
    may("tools", &Shape::List(&TOOL)),
    may("tool_choice", &Shape::Depends(tool_choice)),
    may("parallel_tool_calls", &Shape::Flag),
    may("stop", &Shape::Depends(stop)),
    may("seed", &Shape::Whole(0, ANY)),
    may("n", &Shape::Whole(1, 1)),
    may("frequency_penalty", &Shape::Number(-2.0, 2.0)),
    may("presence_penalty", &Shape::Number(-2.0, 2.0)),
    may("logprobs", &Shape::Flag),
    may("top_logprobs", &Shape::Whole(0, 20)),
    may("logit_bias", &Shape::AnyObject),
    may("response_format", &Shape::AnyObject),
    may("service_tier", &Shape::OneOf(&["auto", "default", "flex", "priority", "fast", "scale"])),
    may("prompt_cache_key", &Shape::Text),
    may("safety_identifier", &Shape::Text),
    may("store", &Shape::Flag),
    may("metadata", &Shape::Metadata),
    may("user", &Shape::Text),
]);

static EFFORT: Shape = Shape::OneOf(&["none", "minimal", "low", "medium", "high", "xhigh", "max"]);

static TOOL: Shape = Shape::Object(&[
    must("type", &FUNCTION),
    must(
        "function",
        &Shape::Object(&[
            must("name", &Shape::ShortText(64)),
            may("description", &Shape::Text),
            may("parameters", &Shape::AnyObject),
            may("strict", &Shape::Flag),
        ]),
    ),
]);

static FUNCTION: Shape = Shape::OneOf(&["function"]);

static CHOICE: Shape = Shape::OneOf(&["none", "auto", "required"]);

static CHOSEN: Shape = Shape::Object(&[
    must("type", &FUNCTION),
    must("function", &Shape::Object(&[must("name", &Shape::Text)])),
]);

fn tool_choice(value: &Value) -> &'static Shape {
    if value.is_object() { &CHOSEN } else { &CHOICE }
}

fn stop(value: &Value) -> &'static Shape {
    if value.is_array() { &Shape::List(&Shape::Text) } else { &Shape::Text }
}

static PARTS: Shape =
    Shape::List(&Shape::Object(&[must("type", &Shape::OneOf(&["text"])), must("text", &Shape::Text)]));

fn content(value: &Value) -> &'static Shape {
    if value.is_array() { &PARTS } else { &Shape::Text }
}

static CONTENT: Shape = Shape::Depends(content);

static CALL: Shape = Shape::Object(&[
    must("id", &Shape::Text),
    must("type", &FUNCTION),
    must("function", &Shape::Object(&[must("name", &Shape::Text), must("arguments", &Shape::Text)])),
    may("extra_content", &Shape::AnyObject),
]);

static SOME_CALLS: Shape = Shape::List(&CALL);
const CALLS: Field = may("tool_calls", &SOME_CALLS);
const WITH_CONTENT: Field = must("content", &CONTENT);
const ROLE: Field = must("role", &Shape::Text);
const NAME: Field = may("name", &Shape::ShortText(64));

static PLAIN: Shape = Shape::Object(&[ROLE, WITH_CONTENT]);
static NAMED: Shape = Shape::Object(&[ROLE, WITH_CONTENT, NAME]);
static ASSISTANT: Shape = Shape::Object(&[ROLE, may("content", &CONTENT), CALLS]);
static NAMED_ASSISTANT: Shape = Shape::Object(&[ROLE, may("content", &CONTENT), CALLS, NAME]);
static RESULT: Shape = Shape::Object(&[ROLE, WITH_CONTENT, must("tool_call_id", &Shape::Text)]);
static NO_ROLE_OF_GROQ: Shape =
    Shape::Object(&[must("role", &Shape::OneOf(&GROQ_ROLES)), may("content", &CONTENT)]);
static NO_ROLE_OF_OPENAI: Shape =
    Shape::Object(&[must("role", &Shape::OneOf(&OPENAI_ROLES)), may("content", &CONTENT)]);

const GROQ_ROLES: [&str; 4] = ["system", "user", "assistant", "tool"];
const OPENAI_ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// Groq has no names and no developers.
fn groq_message(message: &Value) -> &'static Shape {
    match message["role"].as_str() {
        Some("system" | "user") => &PLAIN,
        Some("assistant") => &ASSISTANT,
        Some("tool") => &RESULT,
        _ => &NO_ROLE_OF_GROQ,
    }
}

fn openai_message(message: &Value) -> &'static Shape {
    match message["role"].as_str() {
        Some("system" | "developer" | "user") => &NAMED,
        Some("assistant") => &NAMED_ASSISTANT,
        Some("tool") => &RESULT,
        _ => &NO_ROLE_OF_OPENAI,
    }
}
