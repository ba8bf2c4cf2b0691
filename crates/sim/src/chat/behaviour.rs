//! What shall the pretend model answer, how fast, and what shall go wrong?

use crate::Headers;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Behaviour {
    /// An answer for questions that contain these words, in any case. Not used up.
    pub answers: Vec<(String, Answer)>,
    /// Used up in order when none of those fits.
    pub replies: Vec<Answer>,
    pub fallback: Answer,
    /// From the question to the first word.
    pub first: Duration,
    /// Between two words.
    pub word: Duration,
    /// Faults of the next requests, used up in order before any answer.
    pub faults: Vec<Fault>,
}

#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub text: String,
    /// Thought aloud in a field of its own.
    pub reasoning: Option<String>,
    /// `stop` when left out.
    pub finish: Option<&'static str>,
    pub fault: Option<Fault>,
}

#[derive(Clone, Debug)]
pub enum Fault {
    Status(u16, Headers, String),
    /// In the middle of the stream, after so many words.
    Error {
        after: usize,
        form: ErrorForm,
    },
    /// So many words, and then nothing more.
    Stall {
        after: usize,
    },
    /// No `[DONE]` at the end.
    NoDone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorForm {
    /// An `error` object where a chunk should be.
    TopLevel,
    /// An event named `error`.
    Event,
    /// `x_groq.error` in a chunk.
    XGroq,
    /// The body ends in the middle.
    Eof,
    /// The connection breaks.
    Cut,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            answers: Vec::new(),
            replies: Vec::new(),
            fallback: Answer::say("I am only a pretend model, but I heard you."),
            first: Duration::from_millis(20),
            word: Duration::from_millis(2),
            faults: Vec::new(),
        }
    }
}

impl Behaviour {
    pub fn replies<const N: usize>(mut self, texts: [&str; N]) -> Self {
        self.replies = texts.map(Answer::say).to_vec();
        self
    }

    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(faults);
        self
    }

    pub(super) fn answer(&mut self, question: &str) -> Answer {
        if !self.faults.is_empty() {
            return Answer { fault: Some(self.faults.remove(0)), ..self.fallback.clone() };
        }
        let question = question.to_lowercase();
        if let Some((_, answer)) =
            self.answers.iter().find(|(words, _)| question.contains(&words.to_lowercase()))
        {
            return answer.clone();
        }
        if self.replies.is_empty() { self.fallback.clone() } else { self.replies.remove(0) }
    }
}

impl Answer {
    pub fn say(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }
}
