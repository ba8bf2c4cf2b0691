//! What a model thinks aloud and nobody should hear: `<think>…</think>` in the middle of its words.
//!
//! The marks come in any pieces. Until it is sure that a piece is no mark it is held back.

#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// The beginning of what may become a mark.
    held: String,
    thinking: bool,
}

impl Hidden {
    /// The part of these words that may be heard.
    pub fn filter(&mut self, words: &str) -> String {
        self.held.push_str(words);
        let mut heard = String::new();
        loop {
            let mark = if self.thinking { CLOSE } else { OPEN };
            if let Some(at) = self.held.find(mark) {
                if !self.thinking {
                    heard.push_str(&self.held[..at]);
                }
                self.held.drain(..at + mark.len());
                self.thinking = !self.thinking;
                continue;
            }
            let keep = (1..mark.len()).rev().find(|len| self.held.ends_with(&mark[..*len])).unwrap_or(0);
            let end = self.held.len() - keep;
            if !self.thinking {
                heard.push_str(&self.held[..end]);
            }
            self.held.drain(..end);
            return heard;
        }
    }

    /// No more words come: what was held back was no mark.
    pub fn rest(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        if self.thinking { String::new() } else { held }
    }
}

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_are_not_heard_however_they_are_cut() {
        for (written, heard) in [
            ("<think>hm, what?</think>Yes.", "Yes."),
            ("One <think>a</think>two<think>b</think> three", "One two three"),
            ("3 < 4 and <thin ice>", "3 < 4 and <thin ice>"),
            ("It ends with <th", "It ends with <th"),
            ("<think>never closed", ""),
            ("stray </think> mark", "stray </think> mark"),
            ("ü<think>ü</think>ü", "üü"),
        ] {
            let mut hidden = Hidden::default();
            let mut out = String::new();
            for c in written.chars() {
                out.push_str(&hidden.filter(c.encode_utf8(&mut [0; 4])));
            }
            out.push_str(&hidden.rest());
            assert_eq!(out, heard, "{written:?}");
            let mut hidden = Hidden::default();
            assert_eq!(hidden.filter(written) + &hidden.rest(), heard, "{written:?} at once");
        }
    }
}
