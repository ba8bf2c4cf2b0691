//! What do the demo's own sentences sound like? Like a person, so that whoever tries it hears a conversation.
//!
//! `make.py` beside this file has made the clips. A text is known when it is a row of their clauses, however it is
//! written: a cascade gives its voice a sentence in pieces, and the pieces sound together like the whole.

use bytes::Bytes;
use std::sync::LazyLock;

/// The µ-law of a text that there is a clip of.
pub fn spoken(text: &str) -> Option<Bytes> {
    SPEAKERS.iter().find_map(|speaker| speaker.say(text))
}

struct Speaker {
    sound: &'static [u8],
    clauses: Vec<Clause>,
}

struct Clause {
    words: String,
    /// Bytes of sound up to its end.
    end: usize,
}

static SPEAKERS: LazyLock<[Speaker; 2]> = LazyLock::new(|| {
    [
        Speaker::new(include_bytes!("agent.ulaw"), include_str!("agent.txt")),
        Speaker::new(include_bytes!("caller.ulaw"), include_str!("caller.txt")),
    ]
});

impl Speaker {
    fn new(sound: &'static [u8], list: &str) -> Self {
        let lines = list.lines().filter_map(|line| line.split_once('\t'));
        let clauses =
            lines.filter_map(|(end, text)| Some(Clause { words: words(text), end: end.parse().ok()? }));
        Self { sound, clauses: clauses.collect() }
    }

    fn say(&self, text: &str) -> Option<Bytes> {
        let text = words(text);
        (0..self.clauses.len()).find_map(|first| {
            let mut left = text.as_str();
            for clause in &self.clauses[first..] {
                left = left.strip_prefix(clause.words.as_str())?;
                if left.is_empty() {
                    let begin = first.checked_sub(1).map_or(0, |before| self.clauses[before].end);
                    return Some(Bytes::from_static(self.sound.get(begin..clause.end)?));
                }
            }
            None
        })
    }
}

/// Each word behind a space, without anything that is not heard.
fn words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.flat_map(|word| [" ", word]).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ulaw;

    #[test]
    fn every_clause_has_a_sound_of_its_own_and_together_they_are_the_clip() {
        for speaker in SPEAKERS.iter() {
            let mut begin = 0;
            for clause in &speaker.clauses {
                let sound = speaker.say(&clause.words).unwrap();
                assert_eq!(sound, speaker.sound[begin..clause.end], "{}", clause.words);
                assert!(ulaw::loudness(&sound) > 1000.0, "{} is too quiet", clause.words);
                begin = clause.end;
            }
            assert_eq!(begin, speaker.sound.len());
        }
    }

    #[test]
    fn a_sentence_in_pieces_sounds_like_the_whole() {
        let whole = spoken("You are welcome. See you soon!").unwrap();
        let pieces = ["you are welcome", " See you soon!"].map(|piece| spoken(piece).unwrap());
        assert_eq!(pieces.concat(), whole);
    }

    #[test]
    fn what_was_never_said_has_no_clip() {
        for text in
            ["", "You are", "See you soon! You are welcome.", "Hello, this is the bank", "Thanks, and"]
        {
            assert_eq!(spoken(text), None, "{text}");
        }
    }
}
