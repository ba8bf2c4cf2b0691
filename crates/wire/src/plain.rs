//! A provider's own words, made fit for a log or a report.

/// Short, on one line, and without anything that may be a key.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let word = if may_be_a_key(word) { "***" } else { word };
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.push_str(word);
        if plain.len() > 4 * LONGEST {
            break;
        }
    }
    match plain.char_indices().nth(LONGEST) {
        Some((end, _)) => plain[..end].to_owned(),
        None => plain,
    }
}

/// A word with a part that starts like a key, is masked with stars, or is long and mixes letters and digits.
fn may_be_a_key(word: &str) -> bool {
    word.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*'))).any(|part| {
        let lower = part.to_ascii_lowercase();
        KEYS_START_WITH.iter().any(|start| lower.starts_with(start))
            || part.contains("**")
            || part.len() >= 32
                && part.bytes().any(|c| c.is_ascii_digit())
                && part.bytes().any(|c| c.is_ascii_alphabetic())
    })
}

const KEYS_START_WITH: [&str; 7] = ["sk-", "sk_", "ek_", "sess-", "xai-", "eyj", "gsk_"];

/// In characters. Enough for a sentence.
const LONGEST: usize = 200;
