//! What was said, and how much of it the caller heard.
//!
//! Text comes in pieces, in any order against the audio, and the caller's own words may come long after the
//! answer to them. An item that was cut keeps its whole text beside the part that was heard.

use std::time::Duration;

use crate::{ItemId, ToolId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    Caller,
    Agent,
}

/// One turn of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub item: ItemId,
    pub speaker: Speaker,
    /// When it began, from the start of the call.
    pub at: Duration,
    pub said: String,
    /// What was heard of it, when that was not all.
    pub heard: Option<String>,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolLine {
    pub id: ToolId,
    /// From the start of the call.
    pub at: Duration,
    pub name: String,
    /// JSON, as the model wrote it.
    pub arguments: String,
    /// What the model heard of it.
    pub result: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Transcript {
    lines: Vec<Line>,
    tools: Vec<ToolLine>,
    bytes: usize,
    /// Lines and pieces that had no room.
    left_out: u64,
}

impl Transcript {
    /// An item has its place in the conversation; its words may come later.
    pub fn begin(&mut self, at: Duration, speaker: Speaker, item: ItemId) {
        if self.find(item).is_some() {
            return;
        }
        if self.lines.len() >= MOST_LINES {
            self.left_out += 1;
            return;
        }
        self.lines.push(Line { item, speaker, at, said: String::new(), heard: None });
    }

    /// More words of an item, or with `whole` all of them.
    pub fn words(&mut self, item: ItemId, text: &str, whole: bool) {
        let room = MOST_BYTES.saturating_sub(self.bytes);
        let Some(line) = self.lines.iter_mut().rev().find(|line| line.item == item) else { return };
        if line.heard.is_some() {
            return; // late words of an item that was cut
        }
        let before = line.said.len();
        if whole {
            line.said.clear();
        }
        if text.len() > room + before - line.said.len() {
            self.left_out += 1;
            return;
        }
        line.said.push_str(text);
        self.bytes = self.bytes - before + line.said.len();
    }

    /// Of an item only so much was heard.
    pub fn cut(&mut self, item: ItemId, heard: Duration, sent: Duration) {
        if let Some(line) = self.lines.iter_mut().rev().find(|line| line.item == item) {
            line.heard = Some(heard_words(&line.said, heard, sent).to_owned());
        }
    }

    /// Of an item that was cut exactly this was heard.
    pub fn heard(&mut self, item: ItemId, words: String) {
        if let Some(line) = self.lines.iter_mut().rev().find(|line| line.item == item) {
            line.heard = Some(words);
        }
    }

    pub fn find(&self, item: ItemId) -> Option<&Line> {
        self.lines.iter().rev().find(|line| line.item == item)
    }

    /// A tool is called with these arguments.
    pub fn tool_called(&mut self, at: Duration, id: ToolId, name: &str, arguments: &str) {
        if self.tools.len() >= MOST_TOOLS || name.len() + arguments.len() > MOST_BYTES - self.bytes {
            self.left_out += 1;
            return;
        }
        self.bytes += name.len() + arguments.len();
        let (name, arguments) = (name.to_owned(), arguments.to_owned());
        self.tools.push(ToolLine { id, at, name, arguments, result: None });
    }

    pub fn tool_answered(&mut self, id: ToolId, result: &str) {
        let room = MOST_BYTES.saturating_sub(self.bytes);
        if let Some(tool) = self.tools.iter_mut().rev().find(|tool| tool.id == id) {
            if result.len() > room {
                self.left_out += 1;
                return;
            }
            self.bytes += result.len();
            tool.result = Some(result.to_owned());
        }
    }

    pub fn tool(&self, id: ToolId) -> Option<&ToolLine> {
        self.tools.iter().rev().find(|tool| tool.id == id)
    }

    /// The caller's last turns, of which no word is known. `answered`: the agent has said something since.
    pub fn forget_wordless(&mut self, answered: bool) {
        let is_caller = |line: &Line| line.speaker == Speaker::Caller;
        let end = match self.lines.iter().rposition(is_caller) {
            Some(last) if answered => last + 1,
            _ => self.lines.len(),
        };
        let known = |line: &Line| !(is_caller(line) && line.said.is_empty());
        let from = self.lines[..end].iter().rposition(known).map_or(0, |last| last + 1);
        self.lines.drain(from..end);
    }

    pub fn all(&self) -> (&[Line], &[ToolLine]) {
        (&self.lines, &self.tools)
    }

    /// Without replies that said nothing, such as those that only called a tool.
    pub fn into_lines(mut self) -> (Vec<Line>, Vec<ToolLine>) {
        self.lines.retain(|line| line.speaker == Speaker::Caller || !line.said.is_empty());
        (self.lines, self.tools)
    }
}

/// The words of a text that belong to the first part of its audio, cut at a word. Speech is even enough for
/// that: the share of the time is taken as the share of the characters.
pub(crate) fn heard_words(said: &str, heard: Duration, sent: Duration) -> &str {
    if sent.is_zero() || heard.is_zero() {
        return "";
    }
    let share = (heard.as_secs_f64() / sent.as_secs_f64()).min(1.0);
    let chars = said.chars().count();
    let wanted = (chars as f64 * share).round() as usize;
    let Some((end, _)) = said.char_indices().nth(wanted) else { return said };
    let end = match said[..end].rfind(char::is_whitespace) {
        _ if said[end..].starts_with(char::is_whitespace) => end,
        Some(space) => space,
        None => 0,
    };
    said[..end].trim_end()
}

/// A call of hours has some thousand turns; a leg that invents more is not worth the memory.
const MOST_LINES: usize = 4_000;

/// A model that calls more has lost its way.
const MOST_TOOLS: usize = 1_000;

/// Half a megabyte is about ten hours of speech.
const MOST_BYTES: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: ItemId = ItemId(1);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn heard_text_ends_at_a_word() {
        let said = "We open at eight on weekdays.";
        for (heard, text) in [
            (0, ""),
            (40, ""),
            (100, "We"),
            (300, "We open"),
            (500, "We open at"),
            (600, "We open at eight"),
            (1_000, said),
            (2_000, said),
        ] {
            assert_eq!(heard_words(said, ms(heard), ms(1_000)), text, "{heard} ms");
        }
        assert_eq!(heard_words("", ms(10), ms(20)), "");
        assert_eq!(heard_words("äöü äöü", ms(10), ms(20)), "äöü");
    }

    #[test]
    fn words_come_in_pieces_and_then_whole() {
        let mut transcript = Transcript::default();
        transcript.begin(ms(5), Speaker::Agent, ITEM);
        transcript.words(ITEM, "We op", false);
        transcript.words(ITEM, "en", false);
        transcript.words(ITEM, "We open at eight.", true);
        transcript.words(ItemId(9), "nobody's", true);
        let (lines, _) = transcript.into_lines();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].said, "We open at eight.");
        assert_eq!(lines[0].heard, None);
    }

    #[test]
    fn a_leg_that_never_stops_talking_does_not_fill_the_memory() {
        let mut transcript = Transcript::default();
        for item in 0..10_000 {
            transcript.begin(ms(0), Speaker::Agent, ItemId(item));
            transcript.words(ItemId(item), &"blah ".repeat(1_000), false);
        }
        assert_eq!(transcript.lines.len(), MOST_LINES);
        assert!(transcript.bytes <= MOST_BYTES);
        assert!(transcript.left_out > 6_000);
    }
}
