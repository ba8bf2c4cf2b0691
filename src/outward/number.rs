//! What is a telephone number, and how do people write one?

/// E.164: `+`, a country's code, at most 15 digits.
pub fn is_number(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
}

/// A number as somebody typed it, without the blanks and signs between its digits.
///
/// In a link `+` means a blank, and nobody who writes `?to=+1555…` means that: so a blank at the beginning counts.
pub fn tidied(text: &str) -> Option<String> {
    let digits: String =
        text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}')).collect();
    let digits =
        if text.starts_with(' ') && !digits.starts_with('+') { format!("+{digits}") } else { digits };
    is_number(&digits).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_may_be_written_as_people_do() {
        for text in
            ["+15550100123", "+1 555 010-0123", "+1 (555) 010.0123", " 15550100123", " +1 555/0100123 "]
        {
            assert_eq!(tidied(text).as_deref(), Some("+15550100123"), "{text}");
        }
    }

    #[test]
    fn what_could_be_another_number_is_none() {
        for text in [
            "",
            " ",
            "+",
            "15550100123",
            "0015550100123",
            "911",
            "+911",
            "+1555010012a",
            "+1+5550100123",
            "+0555010012",
            "+1234567890123456",
            "+１５５５０１００",
        ] {
            assert_eq!(tidied(text), None, "{text}");
        }
    }
}
