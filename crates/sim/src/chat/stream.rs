//! What does an answer's stream look like? As real ones do, with everything that broke other clients.

use super::behaviour::{Answer, Behaviour, ErrorForm, Fault};
use serde_json::{Value, json};
use std::time::Duration;

/// One step of a stream.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Wait(Duration),
    /// These bytes, as one piece of the body. `word`: it is one of the answer's.
    Send {
        text: String,
        word: bool,
    },
    /// The body ends here.
    End,
    /// The connection breaks here.
    Cut,
    /// Nothing more comes.
    Stall,
}

pub(super) fn steps(behaviour: &Behaviour, answer: &Answer, model: &str, with_usage: bool) -> Vec<Step> {
    let chunk = |choices: Value, more: Value| {
        let mut chunk = json!({ "id": "chatcmpl-pretend", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": model, "choices": choices });
        if let (Some(all), Value::Object(more)) = (chunk.as_object_mut(), more) {
            all.extend(more);
        }
        send(format!("data: {chunk}\n\n"))
    };
    let delta = |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
    let mut steps = vec![
        chunk(
            delta(json!({ "role": "assistant", "content": "" }), Value::Null),
            json!({ "x_groq": { "id": "req_pretend" } }),
        ),
        send(": still here\r\n\r\n".into()),
        Step::Wait(behaviour.first),
    ];
    if let Some(reasoning) = &answer.reasoning {
        steps.push(chunk(delta(json!({ "reasoning": reasoning }), Value::Null), Value::Null));
    }
    let words: Vec<&str> = answer.text.split_inclusive(' ').collect();
    for (at, word) in words.iter().enumerate() {
        match &answer.fault {
            Some(Fault::Error { after, form }) if *after == at => {
                steps.extend(error(*form, &chunk));
                return steps;
            }
            Some(Fault::Stall { after }) if *after == at => {
                steps.push(Step::Stall);
                return steps;
            }
            _ => {}
        }
        if at > 0 {
            steps.push(Step::Wait(behaviour.word));
        }
        match chunk(delta(json!({ "content": word }), Value::Null), Value::Null) {
            Step::Send { text, .. } => steps.push(Step::Send { text, word: true }),
            other => steps.push(other),
        }
    }
    match &answer.fault {
        Some(Fault::Error { form, .. }) => {
            steps.extend(error(*form, &chunk));
            return steps;
        }
        Some(Fault::Stall { .. }) => {
            steps.push(Step::Stall);
            return steps;
        }
        _ => {}
    }
    let finish = answer.finish.unwrap_or("stop");
    steps.push(chunk(delta(json!({}), finish.into()), json!({ "x_groq": { "id": "req_pretend" } })));
    if with_usage {
        let (question, said) = (100, words.len());
        let usage = json!({ "prompt_tokens": question, "completion_tokens": said, "total_tokens": question + said, "prompt_tokens_details": { "cached_tokens": 64 } });
        steps.push(chunk(json!([]), json!({ "usage": usage })));
    }
    if !matches!(answer.fault, Some(Fault::NoDone)) {
        steps.push(send("data: [DONE]\n\n".into()));
    }
    steps.push(Step::End);
    steps
}

fn send(text: String) -> Step {
    Step::Send { text, word: false }
}

fn error(form: ErrorForm, chunk: &impl Fn(Value, Value) -> Step) -> Vec<Step> {
    let error = json!({ "message": "as the test wants", "type": "server_error", "code": "server_error" });
    match form {
        ErrorForm::TopLevel => vec![send(format!("data: {}\n\n", json!({ "error": error }))), Step::End],
        ErrorForm::Event => {
            vec![send(format!("event: error\ndata: {}\n\n", json!({ "error": error }))), Step::End]
        }
        ErrorForm::XGroq => {
            vec![chunk(json!([]), json!({ "x_groq": { "error": "over capacity" } })), Step::End]
        }
        ErrorForm::Eof => vec![Step::End],
        ErrorForm::Cut => vec![Step::Cut],
    }
}
