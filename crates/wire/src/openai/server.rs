//! What OpenAI's messages say, as far as a call needs it.
//!
//! A message is read once for the fields that the many and hurried ones have, without a copy: audio comes
//! out as a piece of the message. The rare ones are then read a second time for their own part. Live
//! messages hold fields that no document knows, and any optional one may be `null`.

use std::time::Duration;

use bytes::Bytes;
use call::{Audio, Usage};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    failure::ProviderError,
    usage::{ResponseUsage, TranscriptionUsage},
};
use crate::loose::{Number, Text};

pub(super) enum Message<'a> {
    Created,
    Updated(Updated),
    SpeechStarted {
        item: Text<'a>,
    },
    SpeechStopped,
    Committed {
        item: Text<'a>,
    },
    ReplyCreated {
        reply: String,
        purpose: String,
    },
    ItemAdded {
        reply: Text<'a>,
        item: String,
    },
    Audio {
        reply: Text<'a>,
        item: Text<'a>,
        part: u32,
        audio: Audio,
    },
    AudioDone {
        reply: Text<'a>,
        item: Text<'a>,
    },
    AgentWords {
        reply: Text<'a>,
        item: Text<'a>,
        text: String,
        whole: bool,
    },
    CallerWords {
        item: Text<'a>,
        text: String,
        whole: bool,
        usage: Option<Usage>,
    },
    TranscriptionFailed,
    ToolCalled {
        reply: Text<'a>,
        call: String,
        name: String,
        arguments: String,
    },
    /// A call that the provider has run by itself.
    ElsewhereAnnounced {
        item: String,
        server: String,
        name: String,
    },
    ElsewhereRuns {
        reply: Text<'a>,
        item: Text<'a>,
        arguments: String,
    },
    ElsewhereDone {
        item: String,
        failed: bool,
        result: Option<String>,
    },
    /// The tools of a server could not be listed.
    ServerFailed,
    ReplyDone(ReplyDone<'a>),
    Error(ProviderError<'a>),
    /// Known, and nothing that a call needs.
    Idle,
    Unknown,
}

/// The session as it now is.
pub(super) struct Updated {
    /// Both formats are µ-law. `None`: the formats were not said.
    pub ulaw: Option<bool>,
    /// The server stops its own reply when the caller speaks.
    pub interrupts: Option<bool>,
}

pub(super) struct ReplyDone<'a> {
    pub reply: Text<'a>,
    pub status: Text<'a>,
    pub error: Option<ProviderError<'a>>,
    pub usage: Usage,
}

#[derive(Debug)]
pub(super) struct Malformed;

impl From<serde_json::Error> for Malformed {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

pub(super) fn read(text: &Bytes) -> Result<Message<'_>, Malformed> {
    let head: Head<'_> = serde_json::from_slice(text)?;
    let Head { kind, item_id: item, response_id: reply, delta, transcript, content_index } = head;
    if item.0.len() > LONGEST_ID || reply.0.len() > LONGEST_ID {
        return Err(Malformed);
    }
    Ok(match &*kind.0 {
        "response.output_audio.delta" => {
            let audio = Audio::base64(delta.bytes(text)).map_err(|_| Malformed)?;
            if audio.duration() > LONGEST_DELTA {
                return Err(Malformed);
            }
            Message::Audio { reply, item, part: content_index.whole().unwrap_or(0), audio }
        }
        "response.output_audio_transcript.delta" => {
            Message::AgentWords { reply, item, text: delta.0.into_owned(), whole: false }
        }
        "response.output_audio_transcript.done" => {
            Message::AgentWords { reply, item, text: transcript.0.into_owned(), whole: true }
        }
        "conversation.item.input_audio_transcription.delta" => {
            Message::CallerWords { item, text: delta.0.into_owned(), whole: false, usage: None }
        }
        "conversation.item.input_audio_transcription.completed" => {
            let Paid { usage } = serde_json::from_slice(text)?;
            let usage = usage.and_then(|usage| usage.usage());
            Message::CallerWords { item, text: transcript.0.into_owned(), whole: true, usage }
        }
        "conversation.item.input_audio_transcription.failed" => Message::TranscriptionFailed,
        "response.output_audio.done" => Message::AudioDone { reply, item },
        "input_audio_buffer.speech_started" => Message::SpeechStarted { item },
        "input_audio_buffer.speech_stopped" => Message::SpeechStopped,
        "input_audio_buffer.committed" => Message::Committed { item },
        "session.created" => Message::Created,
        "session.updated" => Message::Updated(updated(owned(text)?)),
        "response.created" => {
            let WithResponse { response } = owned(text)?;
            let purpose = response.metadata.and_then(|metadata| metadata.purpose).unwrap_or_default();
            Message::ReplyCreated { reply: kept(response.id)?, purpose }
        }
        "response.output_item.added" => {
            let WithItem { item } = owned(text)?;
            match (&*item.kind, &*item.role.unwrap_or_default()) {
                ("message", "assistant") => Message::ItemAdded { reply, item: kept(item.id)? },
                ("function_call", _) => Message::Idle, // it counts when it is complete
                ("mcp_call", _) => match (item.server_label, item.name) {
                    (Some(server), Some(name)) => Message::ElsewhereAnnounced {
                        item: kept(item.id)?,
                        server: kept(server)?,
                        name: kept(name)?,
                    },
                    _ => Message::Unknown,
                },
                ("mcp_list_tools", _) => Message::Idle,
                _ => Message::Unknown,
            }
        }
        "response.output_item.done" => {
            let WithItem { item } = owned(text)?;
            if item.kind == "mcp_call" && (item.output.is_some() || item.error.is_some()) {
                let failed = item.error.is_some();
                let result = match item.error.or(item.output) {
                    Some(Value::String(text)) => Some(text),
                    other => other.map(|value| value.to_string()),
                };
                return Ok(Message::ElsewhereDone { item: kept(item.id)?, failed, result });
            }
            // One that was cut short has another status.
            match (&*item.kind, item.status.as_deref(), item.call_id, item.name) {
                ("function_call", Some("completed"), Some(call), Some(name)) => Message::ToolCalled {
                    reply,
                    call: kept(call)?,
                    name: kept(name)?,
                    arguments: item.arguments.unwrap_or_default(),
                },
                _ => Message::Idle,
            }
        }
        "response.done" => {
            let WithDone { response } = serde_json::from_slice(text)?;
            Message::ReplyDone(ReplyDone {
                reply: response.id,
                status: response.status,
                error: response.status_details.and_then(|details| details.error),
                usage: response.usage.map(Usage::from).unwrap_or_default(),
            })
        }
        "response.mcp_call_arguments.done" => {
            let WithArguments { arguments } = owned(text)?;
            Message::ElsewhereRuns { reply, item, arguments: arguments.unwrap_or_default() }
        }
        kind @ ("response.mcp_call.completed" | "response.mcp_call.failed") => Message::ElsewhereDone {
            failed: kind.ends_with("failed"),
            item: kept(item.0.into_owned())?,
            result: None,
        },
        "mcp_list_tools.failed" => Message::ServerFailed,
        "error" => {
            let WithError { error } = serde_json::from_slice(text)?;
            Message::Error(error)
        }
        "" => return Err(Malformed),
        kind if IDLE.contains(&kind) => Message::Idle,
        _ => Message::Unknown,
    })
}

/// An id that is going to be kept.
fn kept(id: String) -> Result<String, Malformed> {
    if id.is_empty() || id.len() > LONGEST_ID { Err(Malformed) } else { Ok(id) }
}

fn owned<T: DeserializeOwned>(text: &Bytes) -> Result<T, Malformed> {
    Ok(serde_json::from_slice(text)?)
}

fn updated(WithSession { session }: WithSession) -> Updated {
    let Session { audio, turn_detection } = session;
    let SessionAudio { input, output } = audio.unwrap_or_default();
    let input = input.unwrap_or_default();
    let output = output.unwrap_or_default();
    let ulaw = match (input.format, output.format) {
        (Some(input), Some(output)) => Some(input.kind == ULAW && output.kind == ULAW),
        _ => None,
    };
    let interrupts = input.turn_detection.or(turn_detection).and_then(|turn| turn.interrupt_response);
    Updated { ulaw, interrupts }
}

/// Theirs have 30 characters. We keep the latest, so they must not be of any size.
const LONGEST_ID: usize = 256;

const ULAW: &str = "audio/pcmu";

/// Deltas are a few hundred milliseconds. A minute in one would be a buffer, not speech.
const LONGEST_DELTA: Duration = Duration::from_secs(60);

/// The others' news: repeated, of no use to a call, or from servers that copy the protocol.
const IDLE: [&str; 22] = [
    "conversation.created",
    "conversation.item.added",
    "conversation.item.created",
    "conversation.item.deleted",
    "conversation.item.done",
    "conversation.item.input_audio_transcription.segment",
    "conversation.item.input_audio_transcription.updated",
    "conversation.item.retrieved",
    "conversation.item.truncated",
    "input_audio_buffer.cleared",
    "input_audio_buffer.timeout_triggered",
    "mcp_list_tools.completed",
    "mcp_list_tools.in_progress",
    "ping",
    "rate_limits.updated",
    "response.content_part.added",
    "response.content_part.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.mcp_call.in_progress",
    "response.mcp_call_arguments.delta",
    "session.closed",
];

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    item_id: Text<'a>,
    #[serde(borrow, default)]
    response_id: Text<'a>,
    #[serde(borrow, default)]
    delta: Text<'a>,
    #[serde(borrow, default)]
    transcript: Text<'a>,
    #[serde(default)]
    content_index: Number,
}

#[derive(Deserialize)]
struct Paid<'a> {
    #[serde(borrow, default)]
    usage: Option<TranscriptionUsage<'a>>,
}

#[derive(Deserialize)]
struct WithSession {
    session: Session,
}

/// xAI has the turns beside the audio, not in it.
#[derive(Deserialize)]
struct Session {
    audio: Option<SessionAudio>,
    turn_detection: Option<TurnDetection>,
}

#[derive(Default, Deserialize)]
struct SessionAudio {
    input: Option<AudioSide>,
    output: Option<AudioSide>,
}

#[derive(Default, Deserialize)]
struct AudioSide {
    format: Option<Format>,
    turn_detection: Option<TurnDetection>,
}

#[derive(Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct TurnDetection {
    interrupt_response: Option<bool>,
}

#[derive(Deserialize)]
struct WithResponse {
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    id: String,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    purpose: Option<String>,
}

#[derive(Deserialize)]
struct WithItem {
    item: Item,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    id: String,
    #[serde(default, rename = "type")]
    kind: String,
    role: Option<String>,
    status: Option<String>,
    /// Of a call of a tool; the arguments are JSON as text.
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    /// Of a call that the provider has run.
    server_label: Option<String>,
    output: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct WithArguments {
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct WithDone<'a> {
    #[serde(borrow)]
    response: Done<'a>,
}

#[derive(Deserialize)]
struct Done<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    status: Text<'a>,
    #[serde(borrow, default)]
    status_details: Option<StatusDetails<'a>>,
    #[serde(default)]
    usage: Option<ResponseUsage>,
}

#[derive(Deserialize)]
struct StatusDetails<'a> {
    #[serde(borrow, default)]
    error: Option<ProviderError<'a>>,
}

#[derive(Deserialize)]
struct WithError<'a> {
    #[serde(borrow)]
    error: ProviderError<'a>,
}
