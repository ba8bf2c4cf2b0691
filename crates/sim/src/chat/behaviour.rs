//! What shall the pretend service answer, how fast, and what shall go wrong?
//!
//! What is random comes from the seed, so a failing run can be repeated.

use crate::Headers;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Given whenever the last user message contains the words, in any case; the first that fits.
    pub answers: Vec<(String, Answer)>,
    /// The same for a request that ends with a tool's result: the result or the tool's name contains the words.
    /// [`Behaviour::answers`] is not asked then, or one question would call its tool for ever.
    pub results: Vec<(String, Answer)>,
    /// Used up in order by requests that fit nothing above.
    pub replies: Vec<Answer>,
    /// Given again and again when nothing else is left.
    pub fallback: Answer,
    /// From the request to the head of the answer, whatever its status; the first chunk comes with it.
    pub head: Duration,
    /// From the request to its first token.
    pub first: Duration,
    /// Between tokens.
    pub token: Duration,
    /// Its bits are habits of the stream: 1 ends lines with `\r\n`; 2 cuts HTTP chunks anywhere, in the middle of a
    /// character if there is one to cut; 4 sends the last events in one HTTP chunk; 8 puts no space behind `data:`;
    /// 16 has null for an empty delta and content, and a first chunk without choices, as Azure does.
    pub seed: u64,
}

/// One answer, or the lack of it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Streamed in words and parts of words.
    pub text: String,
    /// Called after the text.
    pub tools: Vec<ToolCall>,
    /// Streamed before the text, as `delta.reasoning`.
    pub reasoning: Option<String>,
    /// Instead of the fitting `finish_reason`.
    pub finish: Option<String>,
    pub fault: Option<Fault>,
}

#[derive(Clone, Debug)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// Sent as it is, JSON or not.
    pub arguments: String,
    /// Into how many pieces the arguments are cut, after a chunk with the name; 0 or 1 sends the call in one chunk.
    pub pieces: usize,
}

/// What goes wrong. Tokens are pieces of text and of tool calls; reasoning is not counted.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Answers with this status, these headers besides the usual ones, and this body.
    Status(u16, Headers, String),
    /// 200, and then an error instead of an answer.
    FirstEvent,
    /// The stream breaks off after so many tokens.
    Error { after_tokens: usize, form: ErrorForm },
    /// Nothing more comes after so many tokens, and the connection stays open.
    Stall { after_tokens: usize },
    /// The stream ends, and the connection with it, after the `finish_reason` without `[DONE]`.
    NoDone,
    /// No content at all, and yet a stop.
    Empty,
    /// Only so many times; afterwards the answer is given as if nothing were wrong. A reply stays first in the queue
    /// meanwhile.
    Times(u32, Box<Fault>),
}

/// How a stream breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorForm {
    /// An event that is `{"error": …}`.
    TopLevel,
    /// The same as `event: error`.
    EventError,
    /// A normal chunk with `x_groq.error`, and `[DONE]`.
    XGroq,
    /// The body ends in good order, but without a `finish_reason`; the connection is closed.
    Eof,
    /// The connection is cut in the middle of the body.
    Cut,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            answers: Vec::new(),
            results: Vec::new(),
            replies: Vec::new(),
            fallback: Answer::say("I am only a pretend model, but I have read what you wrote."),
            head: Duration::ZERO,
            first: Duration::from_millis(40),
            token: Duration::from_millis(2),
            seed: 3,
        }
    }
}

impl Behaviour {
    /// These replies, in order.
    pub fn replies<const N: usize>(mut self, texts: [&str; N]) -> Self {
        self.replies.extend(texts.map(Answer::say));
        self
    }

    /// The next requests fail so, one after the other, and then come the replies.
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.replies.splice(0..0, faults.into_iter().map(Answer::fail));
        self
    }

    /// The next reply for requests that fit no answer.
    pub fn reply(mut self, answer: Answer) -> Self {
        self.replies.push(answer);
        self
    }

    /// Given when the last user message contains `words`.
    pub fn on(mut self, words: &str, answer: Answer) -> Self {
        self.answers.push((words.to_owned(), answer));
        self
    }

    /// Given when the last tool's result, or its name, contains `words`.
    pub fn on_result(mut self, words: &str, answer: Answer) -> Self {
        self.results.push((words.to_owned(), answer));
        self
    }
}

impl Answer {
    pub fn say(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// Calls a tool, in three pieces.
    pub fn call(id: &str, name: &str, arguments: &str) -> Self {
        Self::default().tool(ToolCall::new(id, name, arguments))
    }

    pub fn fail(fault: Fault) -> Self {
        Self::say("This is what would have been said.").fault(fault)
    }

    pub fn tool(mut self, call: ToolCall) -> Self {
        self.tools.push(call);
        self
    }

    pub fn reasoning(mut self, text: &str) -> Self {
        self.reasoning = Some(text.to_owned());
        self
    }

    pub fn finish(mut self, reason: &str) -> Self {
        self.finish = Some(reason.to_owned());
        self
    }

    pub fn fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// What goes wrong now, once less from now on.
    pub(super) fn next_fault(&mut self) -> (Option<Fault>, bool) {
        match &mut self.fault {
            Some(Fault::Times(0, _)) => (None, false),
            Some(Fault::Times(left, fault)) => {
                *left -= 1;
                (Some((**fault).clone()), true)
            }
            lasting => (lasting.clone(), false),
        }
    }
}

impl ToolCall {
    /// In three pieces.
    pub fn new(id: &str, name: &str, arguments: &str) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned(), pieces: 3 }
    }

    pub fn pieces(mut self, pieces: usize) -> Self {
        self.pieces = pieces;
        self
    }
}

impl Fault {
    pub fn times(self, count: u32) -> Self {
        Fault::Times(count, Box::new(self))
    }

    pub fn after(after_tokens: usize, form: ErrorForm) -> Self {
        Fault::Error { after_tokens, form }
    }

    /// 429 with this `retry-after`, in seconds.
    pub fn rate_limited(retry_after: &str) -> Self {
        let message = "Rate limit reached for model `openai/gpt-oss-120b` in organization `org_pretend` service tier \
                       `on_demand` on tokens per minute (TPM): Limit 8000, Used 7100, Requested 1500.";
        let error = serde_json::json!({"error": {"message": message, "type": "tokens", "code": "rate_limit_exceeded"}});
        Fault::Status(429, vec![("retry-after".to_owned(), retry_after.to_owned())], error.to_string())
    }

    /// 503, with nothing that says when it will be over.
    pub fn overloaded() -> Self {
        let body = r#"{"error":{"message":"Service unavailable.","type":"service_unavailable","code":"overloaded"}}"#;
        Fault::Status(503, Headers::new(), body.to_owned())
    }
}
