//! The fields of a form, as browsers and Twilio send them: in a body or behind a question mark.

/// In their order. More than a form of either has is not read.
pub(super) fn fields(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).take(MOST);
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(n, v)| (plain(n), plain(v))).collect()
}

/// The first field of this name.
pub(super) fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn plain(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match (first, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, tail @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = tail;
                    high << 4 | low
                }
                _ => b'%',
            },
            (other, _) => *other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Twilio sends some thirty, with a SIP call's headers a few more.
const MOST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_unescaped() {
        let read = fields("From=%2B1555&Name=a+b%20c&&Empty=&Bare&Odd=%&Odd=%zz&%C3%BC=%c3%bc&Not=%ff");
        let wanted = [
            ("From", "+1555"),
            ("Name", "a b c"),
            ("Empty", ""),
            ("Bare", ""),
            ("Odd", "%"),
            ("Odd", "%zz"),
            ("ü", "ü"),
            ("Not", "\u{fffd}"),
        ];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read, wanted);
        assert_eq!(value(&read, "Odd"), Some("%"));
        assert_eq!(fields(&"a=b&".repeat(100_000)).len(), MOST);
    }
}
