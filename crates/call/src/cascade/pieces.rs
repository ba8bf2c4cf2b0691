//! Where a growing text may be cut so that the first piece is spoken early and no cut is heard.
//!
//! The voice needs whole clauses to get the melody right, and the caller needs the first sound soon. So the
//! first piece ends at the first clause that is long enough, later ones at the ends of sentences. A dot is
//! not always an end: `3.5`, `Dr. Smith`, `e.g. this`, `1. First`.

#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// What has come and is not cut off yet.
    text: String,
    /// The first piece is out.
    begun: bool,
}

impl Pieces {
    /// More text.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The next piece that is complete. What it leaves begins a new one.
    pub fn next(&mut self) -> Option<String> {
        let end = self.end()?;
        let rest = self.text.split_off(end);
        let piece = std::mem::replace(&mut self.text, rest);
        self.begun = true;
        Some(piece)
    }

    /// No more text comes: what is left.
    pub fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.text);
        (!rest.trim().is_empty()).then_some(rest)
    }

    fn end(&self) -> Option<usize> {
        let mut last_space = None;
        for (at, c) in self.text.char_indices() {
            let (before, after) = (&self.text[..at], &self.text[at + c.len_utf8()..]);
            let next = after.chars().next();
            if c.is_whitespace() {
                last_space = Some(at);
            }
            let end = at + c.len_utf8();
            let long = before.chars().count();
            let ends = match c {
                '\n' => long > 0 && !before.trim().is_empty(),
                '.' | '!' | '?' | '…' => {
                    next.is_some_and(char::is_whitespace) && !(c == '.' && is_no_end(before, after))
                }
                '。' | '！' | '？' | '।' | '॥' | '؟' => true,
                ',' | ';' | ':' | '—' | '、' | '，' if !self.begun => {
                    long >= FIRST_CLAUSE && next.is_some_and(|next| !next.is_numeric())
                }
                _ => false,
            };
            if ends {
                return Some(end);
            }
            if long >= LONGEST {
                return last_space.filter(|space| *space > 0).map(|space| space + 1).or(Some(end));
            }
        }
        None
    }
}

/// Whether the dot after `before` belongs to a number, an abbreviation, a name's letter or a list.
fn is_no_end(before: &str, after: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or("");
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let lower = word.to_lowercase();
    let first = before.trim().len() == word.len();
    let number = !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
    let letter = word.chars().count() == 1 && word.chars().all(char::is_alphabetic) && lower != "i";
    let next = after.trim_start().chars().next();
    let goes_on = next.is_some_and(|c| c.is_lowercase() || c.is_ascii_digit());
    (number && first && word.len() <= 2)
        || letter
        || word.contains('.') && (goes_on || TITLES.contains(&lower.as_str()))
        || TITLES.contains(&lower.as_str())
        || SHORT.contains(&lower.as_str()) && goes_on
}

/// Always before a name.
const TITLES: [&str; 12] = ["mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "mt", "herr", "fr", "e.g"];

/// Short for something when the sentence goes on.
const SHORT: [&str; 16] = [
    "no", "nr", "vs", "etc", "approx", "ca", "inc", "ltd", "co", "corp", "dept", "ext", "tel", "fig", "p.m",
    "a.m",
];

/// Shorter beginnings sound cut off, and save nothing: "Sure," is half a second.
const FIRST_CLAUSE: usize = 10;

/// Nobody speaks so long without a breath. It also bounds what waits here.
const LONGEST: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        // Letter by letter, as the worst model would stream it.
        let mut pieces = Pieces::default();
        let mut out = Vec::new();
        for c in text.chars() {
            pieces.push(c.encode_utf8(&mut [0; 4]));
            out.extend(std::iter::from_fn(|| pieces.next()));
        }
        out.extend(pieces.rest());
        out
    }

    #[test]
    fn the_first_clause_goes_early_and_the_rest_by_sentences() {
        assert_eq!(
            cut("Sure, let me see, that is easy. We open at eight, except on Sunday. Bye!"),
            ["Sure, let me see,", " that is easy.", " We open at eight, except on Sunday.", " Bye!"]
        );
        assert_eq!(cut("No."), ["No."]);
        assert_eq!(cut("Gladly! Anything else?"), ["Gladly!", " Anything else?"]);
    }

    #[test]
    fn a_dot_is_not_always_an_end() {
        for text in [
            "It costs 3.50 dollars",
            "Ask Dr. Smith about it",
            "Things, e.g. rye bread",
            "J. R. Miller called",
            "1. First we bake",
            "Open until 5 p.m. today",
            "Room No. 12 is yours",
            "See example.com for more",
        ] {
            let mut pieces = Pieces { begun: true, ..Pieces::default() };
            pieces.push(text);
            assert_eq!(pieces.next(), None, "{text:?}");
        }
        assert_eq!(cut("So do I. Then go."), ["So do I.", " Then go."]);
        assert_eq!(cut("We close at 5 p.m. Come early."), ["We close at 5 p.m.", " Come early."]);
    }

    #[test]
    fn other_scripts_and_lines_end_too() {
        assert_eq!(cut("हम आठ बजे खुलते हैं। आइए।"), ["हम आठ बजे खुलते हैं।", " आइए।"]);
        assert_eq!(cut("八時に開きます。どうぞ。"), ["八時に開きます。", "どうぞ。"]);
        assert_eq!(cut("Bread:\nrye\nwhite"), ["Bread:\n", "rye\n", "white"]);
    }

    #[test]
    fn a_number_is_not_cut_at_its_comma() {
        assert_eq!(cut("There are 12,500 of them, I think"), ["There are 12,500 of them,", " I think"]);
    }

    #[test]
    fn a_model_that_never_ends_a_sentence_is_cut_at_a_word() {
        let pieces = cut(&"word ".repeat(400));
        assert!(pieces.iter().all(|piece| piece.len() <= LONGEST + 5), "{pieces:?}");
        assert_eq!(pieces.len(), 9);
        assert_eq!(pieces.concat(), "word ".repeat(400));
        assert_eq!(cut(&"x".repeat(1_000)).concat(), "x".repeat(1_000));
    }
}
