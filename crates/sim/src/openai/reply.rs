//! How is a response sent? As a plan of small steps, each with its moment.
//!
//! The plan lets a response be cut anywhere: what was opened must be closed with its `done` events, whatever is left
//! of the plan. The order of events is that of protocols/openai-realtime.md, sections 3.1 and 3.5.

use super::{
    behaviour::{Behaviour, Ending, Part, Pieces},
    connection::Later,
    ledger::StartedBy,
};
use crate::{dice::Dice, ulaw};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{collections::VecDeque, ops::Range, time::Duration};
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Response {
    pub id: String,
    pub by: StartedBy,
    pub created: Instant,
    /// `response.create`'s own settings.
    pub asked: Value,
    pub parts: Vec<Spoken>,
    pub steps: VecDeque<(Instant, Step)>,
    pub ending: Ending,
    /// Audio as text only: `output_modalities` is `["text"]`.
    pub in_text: bool,
}

/// A part on its way out.
#[derive(Debug)]
pub(super) struct Spoken {
    pub item_id: String,
    pub part: Part,
    pub sent: usize,
    pub words: String,
    pub opened: bool,
    pub closed: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Open(usize),
    Words(usize, String),
    Sound(usize, Range<usize>),
    Close(usize),
    Done,
}

impl Response {
    /// Lays the steps out in time.
    pub fn plan(&mut self, behaviour: &Behaviour, dice: &mut Dice) {
        let first = self.created + behaviour.first_audio_after;
        let mut audio_before = Duration::ZERO;
        for (at, spoken) in self.parts.iter().enumerate() {
            let when = |audio: Duration| first + audio.div_f64(behaviour.pace.max(0.01));
            self.steps.push_back((when(audio_before), Step::Open(at)));
            match &spoken.part {
                Part::Call { arguments, .. } | Part::Elsewhere { arguments, .. } => {
                    for piece in words(arguments, 3) {
                        self.steps.push_back((when(audio_before), Step::Words(at, piece)));
                    }
                }
                Part::Speech { transcript, .. } if self.in_text => {
                    for piece in words(transcript, 4) {
                        self.steps.push_back((when(audio_before), Step::Words(at, piece)));
                    }
                }
                Part::Speech { transcript, audio, .. } => {
                    let pieces = cut(audio.len(), behaviour.pieces, dice);
                    let mut said = words(transcript, pieces.len()).into_iter();
                    for range in pieces {
                        // Words run a little ahead of their sound.
                        if let Some(piece) = said.next() {
                            self.steps.push_back((when(audio_before), Step::Words(at, piece)));
                        }
                        let length = ulaw::length_of(range.len() as u64);
                        self.steps.push_back((when(audio_before), Step::Sound(at, range)));
                        audio_before += length;
                    }
                    self.steps.extend(said.map(|piece| (when(audio_before), Step::Words(at, piece))));
                }
            }
            self.steps.push_back((when(audio_before), Step::Close(at)));
        }
        let end = self.steps.back().map_or(first, |(when, _)| *when);
        self.steps.push_back((end, Step::Done));
    }

    /// Everything left is planned so much later.
    pub fn postpone(&mut self, by: Duration) {
        self.steps.iter_mut().for_each(|(when, _)| *when += by);
    }

    pub fn writes_to_conversation(&self) -> bool {
        self.asked["conversation"] != "none"
    }

    /// The `response` object of `response.created` and `response.done`.
    pub fn value(&self, status: &str, details: Value, usage: Value, session: &Value) -> Value {
        let output: Vec<Value> =
            self.parts.iter().filter(|part| part.closed).map(|part| part.item(self.in_text)).collect();
        json!({
            "id": self.id, "object": "realtime.response", "status": status, "status_details": details,
            "output": output, "conversation_id": if self.writes_to_conversation() { json!("conv_1") } else { Value::Null },
            "output_modalities": if self.in_text { ["text"] } else { ["audio"] },
            "max_output_tokens": "inf", "audio": {"output": {
                "format": session["audio"]["output"]["format"], "voice": session["audio"]["output"]["voice"]}},
            "usage": usage, "metadata": self.asked["metadata"],
        })
    }

    pub fn open(&mut self, at: usize) -> Vec<Value> {
        let (id, in_text) = (self.id.clone(), self.in_text);
        let Some(spoken) = self.parts.get_mut(at) else { return Vec::new() };
        spoken.opened = true;
        let item = spoken.item(in_text);
        let mut events = vec![
            json!({"type": "response.output_item.added", "response_id": id, "output_index": at, "item": item}),
        ];
        if self.writes_to_conversation() {
            // The connection fills in `previous_item_id`.
            events.push(json!({"type": "conversation.item.added", "item": item}));
        }
        if let Some(spoken) = self.parts.get(at).filter(|spoken| matches!(spoken.part, Part::Speech { .. })) {
            let part = if in_text {
                json!({"type": "text", "text": ""})
            } else {
                json!({"type": "audio", "transcript": ""})
            };
            events.push(
                json!({"type": "response.content_part.added", "response_id": id, "item_id": spoken.item_id,
                "output_index": at, "content_index": 0, "part": part}),
            );
        }
        events
    }

    pub fn words(&mut self, at: usize, piece: &str) -> Option<Value> {
        let spoken = self.parts.get_mut(at)?;
        spoken.words.push_str(piece);
        let mut event =
            json!({"response_id": self.id, "item_id": spoken.item_id, "output_index": at, "delta": piece});
        match &spoken.part {
            Part::Call { call_id, .. } => {
                event["type"] = json!("response.function_call_arguments.delta");
                event["call_id"] = json!(call_id);
            }
            Part::Elsewhere { .. } => event["type"] = json!("response.mcp_call_arguments.delta"),
            Part::Speech { .. } => {
                let kind = if self.in_text {
                    "response.output_text.delta"
                } else {
                    "response.output_audio_transcript.delta"
                };
                event["type"] = json!(kind);
                event["content_index"] = json!(0);
            }
        }
        Some(event)
    }

    pub fn sound(&mut self, at: usize, range: Range<usize>) -> Option<Value> {
        let spoken = self.parts.get_mut(at)?;
        let Part::Speech { audio, .. } = &spoken.part else { return None };
        let piece = audio.get(range.clone())?;
        spoken.sent = range.end;
        Some(json!({"type": "response.output_audio.delta", "response_id": self.id, "item_id": spoken.item_id,
            "output_index": at, "content_index": 0, "delta": STANDARD.encode(piece)}))
    }

    /// The `done` events of one item, complete or cut.
    pub fn close(&mut self, at: usize) -> Vec<Value> {
        let (id, in_text, lasting) = (self.id.clone(), self.in_text, self.writes_to_conversation());
        let Some(spoken) = self.parts.get_mut(at).filter(|spoken| spoken.opened && !spoken.closed) else {
            return Vec::new();
        };
        spoken.closed = true;
        let item = spoken.item(in_text);
        let event = |kind: &str, more: Value| {
            let mut event =
                json!({"type": kind, "response_id": id, "item_id": spoken.item_id, "output_index": at});
            if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
                event.extend(more);
            }
            event
        };
        let words = &spoken.words;
        let mut events = match &spoken.part {
            Part::Call { name, call_id, .. } => vec![event(
                "response.function_call_arguments.done",
                json!({"call_id": call_id, "name": name, "arguments": words}),
            )],
            Part::Elsewhere { .. } => {
                // The rest comes when it was run.
                return vec![
                    event("response.mcp_call_arguments.done", json!({"arguments": words})),
                    event("response.mcp_call.in_progress", json!({})),
                ];
            }
            Part::Speech { .. } if in_text => vec![
                event("response.output_text.done", json!({"content_index": 0, "text": words})),
                event(
                    "response.content_part.done",
                    json!({"content_index": 0, "part": {"type": "text", "text": words}}),
                ),
            ],
            Part::Speech { .. } => vec![
                event("response.output_audio.done", json!({"content_index": 0})),
                event(
                    "response.output_audio_transcript.done",
                    json!({"content_index": 0, "transcript": words}),
                ),
                event(
                    "response.content_part.done",
                    json!({"content_index": 0, "part": {"type": "audio", "transcript": words}}),
                ),
            ],
        };
        if lasting {
            events.push(json!({"type": "conversation.item.done", "item": item}));
        }
        events.push(
            json!({"type": "response.output_item.done", "response_id": id, "output_index": at, "item": item}),
        );
        events
    }

    pub fn audio_sent(&self) -> usize {
        self.parts.iter().map(|spoken| spoken.sent).sum()
    }
}

impl Spoken {
    pub fn new(item_id: String, part: Part) -> Self {
        Self { item_id, part, sent: 0, words: String::new(), opened: false, closed: false }
    }

    fn is_complete(&self, in_text: bool) -> bool {
        match &self.part {
            Part::Call { arguments, .. } | Part::Elsewhere { arguments, .. } => self.words == *arguments,
            Part::Speech { transcript, .. } if in_text => self.words == *transcript,
            Part::Speech { audio, .. } => self.sent == audio.len(),
        }
    }

    /// When a tool that this service runs by itself will have been run, and what is told of it then.
    pub fn run(&self, response_id: &str, at: usize) -> Option<(Instant, Later)> {
        let Part::Elsewhere { result, takes, .. } = &self.part else { return None };
        let kind = if result.is_ok() { "response.mcp_call.completed" } else { "response.mcp_call.failed" };
        let mut item = self.item(false);
        match result {
            Ok(output) => item["output"] = json!(output),
            Err(error) => item["error"] = json!({"type": "tool_execution_error", "message": error}),
        }
        let of = |kind: &str| json!({"type": kind, "response_id": response_id, "output_index": at});
        let (mut ended, mut done) = (of(kind), of("response.output_item.done"));
        ended["item_id"] = json!(self.item_id);
        done["item"] = item.clone();
        let whole = json!({"type": "conversation.item.done", "item": item});
        Some((Instant::now() + *takes, Later::Ran(vec![ended, whole, done])))
    }

    pub fn item(&self, in_text: bool) -> Value {
        let status = match (self.closed, self.is_complete(in_text)) {
            (false, _) => "in_progress",
            (true, true) => "completed",
            (true, false) => "incomplete",
        };
        match &self.part {
            Part::Call { name, call_id, .. } => json!({"id": self.item_id, "object": "realtime.item",
                "type": "function_call", "status": status, "name": name, "call_id": call_id, "arguments": self.words}),
            Part::Elsewhere { server, name, .. } => json!({"id": self.item_id, "object": "realtime.item",
                "type": "mcp_call", "server_label": server, "name": name, "arguments": self.words,
                "approval_request_id": null, "output": null, "error": null}),
            Part::Speech { phase, .. } => {
                let content = match (self.closed, in_text) {
                    (false, _) => json!([]),
                    (true, true) => json!([{"type": "output_text", "text": self.words}]),
                    (true, false) => json!([{"type": "output_audio", "transcript": self.words}]),
                };
                let mut item = json!({"id": self.item_id, "object": "realtime.item", "type": "message",
                    "status": status, "role": "assistant", "content": content});
                if let Some(phase) = phase {
                    item["phase"] = json!(phase);
                }
                item
            }
        }
    }
}

/// The boundaries of the deltas; arbitrary on purpose.
fn cut(bytes: usize, pieces: Pieces, dice: &mut Dice) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut from = 0;
    while from < bytes {
        let size = match pieces {
            Pieces::Fixed(length) => ulaw::bytes_of(length),
            Pieces::Between(low, high) => {
                dice.between(ulaw::bytes_of(low) as u64, ulaw::bytes_of(high) as u64) as usize
            }
        };
        let to = (from + size.max(1)).min(bytes);
        ranges.push(from..to);
        from = to;
    }
    ranges
}

/// `text` in about `count` pieces that end with whole words.
fn words(text: &str, count: usize) -> Vec<String> {
    let words: Vec<&str> = text.split_inclusive(' ').collect();
    let each = words.len().div_ceil(count.max(1)).max(1);
    words.chunks(each).map(<[&str]>::concat).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_whole_and_stay_in_their_bounds() {
        let mut dice = Dice::new(3);
        let bounds = Pieces::Between(Duration::from_millis(100), Duration::from_millis(400));
        let ranges = cut(8000 * 5 + 13, bounds, &mut dice);
        assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, 40_013));
        assert!(ranges.windows(2).all(|two| two[0].end == two[1].start));
        assert!(ranges[..ranges.len() - 1].iter().all(|range| (800..=3200).contains(&range.len())));
        assert!(ranges.iter().any(|range| range.len() % 160 != 0), "boundaries fall anywhere");
    }

    #[test]
    fn words_join_to_the_text() {
        for count in 1..20 {
            assert_eq!(
                words("Good morning, how can I help?", count).concat(),
                "Good morning, how can I help?"
            );
        }
        assert!(words("", 3).is_empty());
    }
}
