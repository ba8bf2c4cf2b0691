//! What an answer's stream means.
//!
//! A stream can fail in four ways: an `error` object where a chunk should be, an event named `error`, Groq's
//! `x_groq.error`, or an end without a `finish_reason`. Thoughts come in fields of their own, or between marks in the
//! words; neither is heard.

use call::{
    Failure, FailureKind, Oddity, Usage,
    cascade::{AskId, MindEvent},
};
use serde::Deserialize;

use super::{
    ProviderError,
    calls::{Calls, Piece},
    hidden::Hidden,
    sse::Sse,
};
use crate::loose::Text;

/// One answer that is streaming in.
#[derive(Debug)]
pub struct Answer {
    ask: AskId,
    provider: &'static str,
    sse: Sse,
    hidden: Hidden,
    calls: Calls,
    /// Whether the end was as it should be; nothing before there is one.
    finish: Option<Finish>,
    usage: Usage,
    /// The last event is out.
    over: bool,
    malformed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finish {
    Whole,
    /// A limit or a filter of the provider.
    Short,
}

impl Answer {
    pub fn new(provider: &'static str, ask: AskId) -> Self {
        Self {
            ask,
            provider,
            sse: Sse::default(),
            hidden: Hidden::default(),
            calls: Calls::default(),
            finish: None,
            usage: Usage::default(),
            over: false,
            malformed: 0,
        }
    }

    /// More of the body has come.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<MindEvent> {
        let mut events = Vec::new();
        if self.sse.push(bytes).is_err() {
            self.fail(FailureKind::Nonsense, "an event that is too long", &mut events);
        }
        while let Some(event) = self.sse.next().filter(|_| !self.over) {
            if event.data.trim_ascii_start().starts_with(b"[DONE]") {
                self.end(&mut events);
            } else {
                self.event(&event.data, event.is_error, &mut events);
            }
        }
        events
    }

    /// The body has ended. `broken`: not as a body should.
    pub fn ended(&mut self, broken: bool) -> Vec<MindEvent> {
        let mut events = Vec::new();
        match self.finish {
            _ if self.over => {}
            Some(_) => self.end(&mut events),
            None if broken => self.fail(FailureKind::Closed, "the answer's connection broke", &mut events),
            None => self.fail(FailureKind::Closed, "the answer ended in the middle", &mut events),
        }
        events
    }

    /// Nothing more will come of it.
    pub fn is_over(&self) -> bool {
        self.over
    }

    fn event(&mut self, data: &[u8], is_error: bool, events: &mut Vec<MindEvent>) {
        if let Some(error) = ProviderError::find(data).filter(|_| is_error || contains_error(data)) {
            return self.error(&error, events);
        }
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) else {
            self.malformed += 1;
            if self.malformed > MOST_MALFORMED {
                return self.fail(FailureKind::Nonsense, "chunks that cannot be read", events);
            }
            return events.push(MindEvent::Odd(Oddity::Malformed));
        };
        if let Some(error) = chunk.x_groq.as_ref().and_then(|groq| groq.error.some()) {
            let error = error.to_owned();
            return self.fail(FailureKind::Provider, &error, events);
        }
        let usage = chunk.usage.or(chunk.x_groq.and_then(|groq| groq.usage));
        if let Some(usage) = usage {
            self.usage = usage.into();
        }
        let Some(choice) = chunk.choices.into_iter().flatten().next() else { return };
        if let Some(delta) = choice.delta {
            if let Some(text) = delta.content.some() {
                let text = self.hidden.filter(text);
                self.words(text, events);
            }
            delta.tool_calls.into_iter().flatten().for_each(|piece| self.calls.push(piece));
        }
        match choice.finish_reason.some() {
            None => {}
            Some("length" | "content_filter") => self.finish = Some(Finish::Short),
            Some("error") => self.fail(FailureKind::Provider, "finish_reason error", events),
            Some(_) => self.finish = Some(Finish::Whole),
        }
    }

    fn words(&mut self, text: String, events: &mut Vec<MindEvent>) {
        if !text.is_empty() {
            events.push(MindEvent::Words { ask: self.ask, text });
        }
    }

    fn end(&mut self, events: &mut Vec<MindEvent>) {
        let rest = self.hidden.rest();
        self.words(rest, events);
        self.over = true;
        // `[DONE]` without a reason is what some servers call an end.
        let whole = self.finish != Some(Finish::Short);
        if whole {
            let called = |call| MindEvent::Called { ask: self.ask, call };
            events.extend(self.calls.take(self.ask).into_iter().map(called));
        } // else the last one was cut short, and nobody knows which that is
        events.push(MindEvent::Done { ask: self.ask, whole, usage: self.usage });
    }

    fn error(&mut self, error: &ProviderError<'_>, events: &mut Vec<MindEvent>) {
        let kind = error.kind_by_name().unwrap_or(FailureKind::Provider);
        let again = matches!(kind, FailureKind::Provider | FailureKind::RateLimited);
        self.over = true;
        events.push(MindEvent::Failed {
            ask: self.ask,
            failure: error.failure(self.provider, kind, ""),
            again,
        });
    }

    fn fail(&mut self, kind: FailureKind, detail: &str, events: &mut Vec<MindEvent>) {
        self.over = true;
        let failure = Failure { provider: self.provider, kind, detail: crate::plain::plain(detail).into() };
        events.push(MindEvent::Failed { ask: self.ask, failure, again: kind != FailureKind::Nonsense });
    }
}

/// `ProviderError::find` also reads bodies of refusals; in a stream only an `error` is one.
fn contains_error(data: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Only {
        error: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Only>(data).is_ok_and(|only| only.error.is_some())
}

impl From<RawUsage> for Usage {
    fn from(raw: RawUsage) -> Self {
        let cached = raw.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0);
        let (text_in, text_out) = (raw.prompt_tokens.unwrap_or(0), raw.completion_tokens.unwrap_or(0));
        Self { text_in, text_cached: cached.min(text_in), text_out, ..Self::default() }
    }
}

const MOST_MALFORMED: u32 = 10;

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    usage: Option<RawUsage>,
    #[serde(borrow, default)]
    x_groq: Option<Groq<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Text<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Text<'a>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Piece<'a>>>,
}

#[derive(Deserialize)]
struct Groq<'a> {
    #[serde(borrow, default)]
    error: Text<'a>,
    #[serde(default)]
    usage: Option<RawUsage>,
}

#[derive(Deserialize)]
struct RawUsage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<u64>,
}
