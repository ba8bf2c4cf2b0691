//! Does a request make sense as a whole? What the services refuse is refused; what is only unwise is counted.

use super::{MODELS, chunks::is_groq, route::Refused, shapes};
use crate::openai::strict::Refusal;
use serde_json::Value;

const MAX_TOOLS: usize = 128;

/// What is counted, and why the request is refused if it is.
pub(super) fn check(body: &Value) -> (Vec<String>, Option<Refused>) {
    let refused = refusal(body).err();
    let counted = if refused.is_none() { unwise(body) } else { Vec::new() };
    (counted, refused)
}

fn refusal(body: &Value) -> Result<(), Refused> {
    if !body.is_object() {
        return Err(Refused::new(400, None, "We could not parse the JSON body of your request.", None));
    }
    let Some(model) = body["model"].as_str() else {
        return bad("missing_required_parameter", "you must provide a model parameter", "model");
    };
    if !MODELS.contains(&model) {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        return Err(Refused::new(404, Some("model_not_found"), message, None));
    }
    let groq = is_groq(model);
    shapes::check(body, groq).map_err(wrong_shape)?;
    if body["stream"] != true {
        return bad(
            "unsupported_value",
            "'stream' must be true: this pretend service only streams.",
            "stream",
        );
    }
    if list(&body["tools"]).len() > MAX_TOOLS {
        return bad("array_above_max_length", "Invalid 'tools': array too long.", "tools");
    }
    check_messages(list(&body["messages"]))?;
    if groq { check_groq(body) } else { check_openai(body) }
}

fn check_messages(messages: &[Value]) -> Result<(), Refused> {
    if messages.is_empty() {
        return bad("empty_array", "Invalid 'messages': empty array.", "messages");
    }
    // Calls that have no result yet.
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let param = format!("messages.[{at}]");
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or("");
            match open.iter().position(|one| *one == id) {
                Some(place) => drop(open.remove(place)),
                None => {
                    let message = format!(
                        "messages with role 'tool' must be a response to a preceding message with 'tool_calls': {id:?}."
                    );
                    return bad("invalid_value", &message, &param);
                }
            }
            continue;
        }
        no_open_calls(&open, &param)?;
        let calls = &message["tool_calls"];
        if message["role"] == "assistant" && message["content"].is_null() && calls.is_null() {
            return bad("invalid_value", "An assistant message needs content or tool calls.", &param);
        }
        if calls.as_array().is_some_and(Vec::is_empty) {
            return bad("empty_array", "Invalid 'tool_calls': empty array.", &param);
        }
        for id in list(calls).iter().filter_map(|call| call["id"].as_str()) {
            if open.contains(&id) {
                return bad("invalid_value", &format!("Two tool calls have the id {id:?}."), &param);
            }
            open.push(id);
        }
    }
    no_open_calls(&open, "messages")
}

fn no_open_calls(open: &[&str], param: &str) -> Result<(), Refused> {
    if open.is_empty() {
        return Ok(());
    }
    let ids = open.join(", ");
    let message = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
         'tool_call_id'. The following did not have response messages: {ids}"
    );
    bad("invalid_value", &message, param)
}

fn check_groq(body: &Value) -> Result<(), Refused> {
    if body["reasoning_effort"].is_string()
        && !["low", "medium", "high"].iter().any(|one| body["reasoning_effort"] == *one)
    {
        let message = "`reasoning_effort` must be one of `low`, `medium`, or `high`";
        return bad("unsupported_value", message, "reasoning_effort");
    }
    if !body["include_reasoning"].is_null() && !body["reasoning_format"].is_null() {
        let message = "`include_reasoning` and `reasoning_format` exclude each other";
        return bad("invalid_value", message, "reasoning_format");
    }
    Ok(())
}

fn check_openai(body: &Value) -> Result<(), Refused> {
    let effort = body["reasoning_effort"].as_str();
    if let Some(effort @ ("minimal" | "max")) = effort {
        let message =
            format!("Unsupported value: 'reasoning_effort' does not support '{effort}' with this model.");
        return bad("unsupported_value", &message, "reasoning_effort");
    }
    if !body["max_tokens"].is_null() {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
                       'max_completion_tokens' instead.";
        return bad("unsupported_parameter", message, "max_tokens");
    }
    let sampling = [
        "temperature",
        "top_p",
        "frequency_penalty",
        "presence_penalty",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "stop",
    ];
    match sampling.into_iter().find(|name| effort != Some("none") && !body[*name].is_null()) {
        Some(name) => {
            let message =
                format!("Unsupported parameter: '{name}' is not supported while this model reasons.");
            bad("unsupported_parameter", &message, name)
        }
        None => Ok(()),
    }
}

fn unwise(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !body["max_tokens"].is_null() {
        found.push("max_tokens is deprecated; max_completion_tokens it is".to_owned());
    }
    let messages = list(&body["messages"]);
    let is_prompt = |message: &Value| message["role"] == "system" || message["role"] == "developer";
    if messages.iter().any(is_prompt) && !messages.first().is_some_and(is_prompt) {
        found.push("there is a system message, but it is not the first".to_owned());
    }
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn bad(code: &str, message: &str, param: &str) -> Result<(), Refused> {
    Err(Refused::new(400, Some(code), message, Some(param)))
}

fn wrong_shape(refusal: Refusal) -> Refused {
    Refused::new(400, refusal.code, refusal.message, refusal.param.as_deref())
}
