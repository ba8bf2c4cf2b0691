//! Text inside XML or HTML, where nothing in it can become an instruction of its own.

/// As text or as an attribute.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_cannot_end_its_element() {
        assert_eq!(escaped(r#"<&>"'"#), "&lt;&amp;&gt;&quot;&apos;");
    }
}
