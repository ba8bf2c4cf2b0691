//! Does what was said fit what was expected? As people compare it: by words, not by letters and commas.
//!
//! Case, punctuation and the kind of an apostrophe do not count, for each ear and voice writes them its own way.
//! `*` stands for anything, also for nothing.

/// Words to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::call) struct Pattern {
    pub written: String,
    pieces: Vec<String>,
}

impl Pattern {
    /// `None`: there is not one word in it.
    pub fn new(written: &str) -> Option<Self> {
        let pieces: Vec<String> = format!(" {written} ").split('*').map(plain).collect();
        let any = pieces.iter().any(|piece| !piece.trim().is_empty());
        any.then(|| Self { written: written.to_owned(), pieces })
    }

    /// The words occur in the text, one behind the other.
    pub fn is_in(&self, text: &str) -> bool {
        let text = plain(&format!(" {text} "));
        let mut rest = text.as_str();
        for piece in &self.pieces {
            let Some(at) = rest.find(piece.as_str()) else { return false };
            // The blank behind a word may be the one before the next.
            let end = at + piece.len();
            rest = &rest[if piece.ends_with(' ') { end - 1 } else { end }..];
        }
        true
    }

    /// Of its words those that do not occur in the text at all.
    pub fn missing<'a>(&'a self, text: &str) -> Vec<&'a str> {
        let text = plain(&format!(" {text} "));
        let words = self.pieces.iter().flat_map(|piece| piece.split_whitespace());
        words.filter(|word| !text.contains(word)).collect()
    }
}

/// Lower case, words apart by one blank each; a blank at an end stays.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !matches!(c, '\'' | '’' | '‘' | '`')) {
        if c.is_alphanumeric() {
            plain.extend(c.to_lowercase());
        } else if !plain.ends_with(' ') {
            plain.push(' ');
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_however_they_are_written() {
        let said = "We open at six on weekdays, and at seven on Saturdays. It's $5.40!";
        for (pattern, fits) in [
            ("we open", true),
            ("OPEN AT SIX", true),
            ("weekdays and at seven", true),
            ("its $5.40", true),
            ("it’s", true),
            ("open * seven", true),
            ("open * Saturdays * 5", true),
            ("Satur*", true),
            ("*days", true),
            ("*", false),
            ("six * open", false),
            ("we opened", false),
            ("Satur", false),
            ("days", false),
            ("at seven on Sundays", false),
        ] {
            let found = Pattern::new(pattern).is_some_and(|pattern| pattern.is_in(said));
            assert_eq!(found, fits, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_without_a_word_is_none() {
        for empty in ["", " ", "*", "…", "* !"] {
            assert_eq!(Pattern::new(empty), None, "{empty:?}");
        }
    }

    #[test]
    fn the_words_that_never_came_are_told() {
        let pattern = Pattern::new("rye bread * eight").unwrap();
        assert_eq!(pattern.missing("The bread is out at eight."), ["rye"]);
        assert_eq!(pattern.missing("Rye bread, at eight."), Vec::<&str>::new());
    }
}
