//! What a voice can say of what a model has written.
//!
//! Models write for eyes: headings, stars, links, tables, pictures. A voice would read the stars aloud. This
//! takes one piece of text (see `pieces`) and leaves the words. It never adds meaning, and when nothing is
//! left there was nothing to say.

/// The words of this piece, or none.
pub(super) fn speakable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let line = without_beginning(line.trim());
        if line.chars().all(|c| matches!(c, '-' | '=' | '*' | '_' | '|' | ':' | ' ' | '`' | '~')) {
            continue; // a rule, a table's frame, a fence
        }
        if !out.is_empty() {
            out.push(' ');
        }
        without_marks(line, &mut out);
    }
    let words: Vec<String> = out.split_whitespace().filter_map(word).collect();
    let text = words.join(" ");
    if text.chars().any(char::is_alphanumeric) { text } else { String::new() }
}

/// A line without what makes it a heading, a quote or an entry of a list. A number before an entry is read.
fn without_beginning(line: &str) -> &str {
    let line = line.trim_start_matches('#').trim_start_matches('>').trim_start();
    let line = line.trim_matches('|').trim();
    let entry = ["- ", "* ", "+ ", "• ", "– "].iter().find_map(|bullet| line.strip_prefix(bullet));
    entry.unwrap_or(line).trim_start()
}

/// Leaves out marks, and of a link keeps what is shown.
fn without_marks(line: &str, out: &mut String) {
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some((shown, after)) = link(rest) {
            without_marks(shown, out);
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '*' | '`' | '~' | '#' => {}
            // A name such as `order_id` has its line between two letters; emphasis has it at an end.
            '_' if out.ends_with(char::is_alphanumeric) && rest.starts_with(char::is_alphanumeric) => {
                out.push(' ');
            }
            '_' | '\\' => {}
            '|' => {
                out.truncate(out.trim_end().len());
                out.push_str(", ");
            }
            c if is_picture(c) => {}
            c => out.push(c),
        }
    }
}

/// `[shown](address)` or `![shown](address)` at the beginning: what is shown, and what comes after.
fn link(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix("![").or_else(|| text.strip_prefix('['))?;
    let (shown, rest) = inner.split_once("](")?;
    let (address, after) = rest.split_once(')')?;
    (!shown.contains('[') && !address.contains(' ')).then_some((shown, after))
}

/// Emoji and their joiners, which a voice reads out by name or swallows together with a word.
fn is_picture(c: char) -> bool {
    matches!(u32::from(c),
        0x200d | 0xfe0e | 0xfe0f | 0x20e3 | 0x2190..=0x21ff | 0x2300..=0x23ff | 0x2500..=0x27bf
        | 0x2b00..=0x2bff | 0x1f000..=0x1faff | 0xe0020..=0xe007f)
}

/// One word as it is said: addresses are spelled at their dots, lone marks are left out.
fn word(word: &str) -> Option<String> {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    if bare.is_empty() {
        // A dash between words is a pause, and some signs have a name; other lone marks are nothing.
        let dash = word.contains(['-', '–', '—']).then(|| "–".to_owned());
        return dash
            .or_else(|| word.contains(['%', '+', '=', '&', '€', '$', '£', '°']).then(|| word.to_owned()));
    }
    let lower = bare.to_ascii_lowercase();
    let address = lower.starts_with("http://") || lower.starts_with("https://") || lower.starts_with("www.");
    let mail = bare.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    if !address && !mail {
        return Some(word.to_owned());
    }
    let start = word.find(bare).unwrap_or(0);
    let (before, after) = (&word[..start], &word[start + bare.len()..]);
    let after = after.trim_start_matches('/');
    let bare = ["https://", "http://", "www."].iter().fold(bare, |bare, prefix| {
        let starts = bare.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        if starts { &bare[prefix.len()..] } else { bare }
    });
    let bare = bare.split(['?', '#']).next().unwrap_or(bare); // nobody can write down a query by ear
    let said = bare.replace('@', " at ").replace('.', " dot ").replace('/', " slash ");
    Some(format!("{before}{said}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_for_the_eye_are_not_said() {
        for (written, said) in [
            ("We open at **eight**.", "We open at eight."),
            ("## Opening hours", "Opening hours"),
            ("- rye bread\n- white bread", "rye bread white bread"),
            ("> *Really?* `yes`", "Really? yes"),
            ("Your order_id is __A1__.", "Your order id is A1."),
            ("See [our shop](https://example.com/shop) today", "See our shop today"),
            ("![a loaf](x.png) Fresh", "a loaf Fresh"),
            ("| bread | price |\n|---|---|\n| rye | 3 |", "bread, price rye, 3"),
            ("Great 😀👍🏽 news ✅", "Great news"),
            ("```\n---\n***", ""),
            ("...", ""),
            ("", ""),
            ("1. First", "1. First"),
            ("It costs $3.50, 20 % less.", "It costs $3.50, 20 % less."),
            ("well - perhaps", "well – perhaps"),
            ("हम आठ बजे खुलते हैं।", "हम आठ बजे खुलते हैं।"),
        ] {
            assert_eq!(speakable(written), said, "{written:?}");
        }
    }

    #[test]
    fn addresses_are_said_so_that_one_can_write_them_down() {
        for (written, said) in [
            ("https://www.example.com/shop/.", "example dot com slash shop."),
            ("Visit www.example.com!", "Visit example dot com!"),
            ("(https://x.org/a?b=c#d)", "(x dot org slash a)"),
            ("Write to me@example.com, please", "Write to me at example dot com, please"),
            ("HTTPS://X.ORG", "X dot ORG"),
            ("at 8 @ night", "at 8 night"),
        ] {
            assert_eq!(speakable(written), said, "{written:?}");
        }
    }

    #[test]
    fn odd_text_is_survived() {
        for text in ["[", "](", "[a](", "[a](b", "![", "[[a](b)](c)", "****", "_", "\\", "@", "a@", "@b.c"] {
            speakable(text);
        }
    }
}
