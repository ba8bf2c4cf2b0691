//! Which stream does this TwiML ask for? Read by hand, so that nothing malformed passes.
//!
//! Only the one document is understood that connects a stream: `<Response><Connect><Stream><Parameter/>…`. What Twilio
//! documents as a limit is a fault here, whether the real one enforces it or not.

use super::document::unescaped;

/// A stream to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDocument {
    pub url: String,
    pub parameters: Vec<(String, String)>,
}

/// The stream, or what is wrong with the document.
pub fn stream_document(text: &str) -> Result<StreamDocument, String> {
    if text.len() > LARGEST {
        return Err(format!("11750: {} bytes are more than 64 kB", text.len()));
    }
    let mut rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap_or(text);
    open(&mut rest, "Response", &[])?;
    open(&mut rest, "Connect", &["action", "method"])?;
    let stream = open(&mut rest, "Stream", &["url", "name", "track", "statusCallback"])?;
    let url = stream.attribute("url")?;
    let here = url.starts_with("ws://127.0.0.1:");
    if !url.starts_with("wss://") && !here {
        return Err("31922: the stream's address is not wss".to_owned());
    }
    if url.contains('?') || url.ends_with('/') {
        return Err("a stream's address has no query and a path".to_owned());
    }
    let mut parameters = Vec::new();
    if !stream.is_empty {
        while !rest.trim_start().starts_with("</") {
            let parameter = open(&mut rest, "Parameter", &["name", "value"])?;
            if !parameter.is_empty {
                close(&mut rest, "Parameter")?;
            }
            let (name, value) = (parameter.attribute("name")?, parameter.attribute("value")?);
            if name.len() + value.len() >= 500 {
                return Err(format!("{name} and its value have {} characters", name.len() + value.len()));
            }
            parameters.push((name, value));
        }
        close(&mut rest, "Stream")?;
    }
    close(&mut rest, "Connect")?;
    close(&mut rest, "Response")?;
    if !rest.trim().is_empty() {
        return Err(format!("something comes after the document: {rest:?}"));
    }
    Ok(StreamDocument { url, parameters })
}

struct Tag {
    attributes: Vec<(String, String)>,
    is_empty: bool,
}

impl Tag {
    fn attribute(&self, name: &str) -> Result<String, String> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).ok_or_else(|| format!("an element without `{name}`"))
    }
}

/// `<Name attribute="value">`, of these attributes.
fn open(rest: &mut &str, name: &str, known: &[&str]) -> Result<Tag, String> {
    let inner = rest.trim_start().strip_prefix('<').and_then(|rest| rest.strip_prefix(name));
    let inner = inner.filter(|inner| inner.starts_with([' ', '>', '/']));
    let mut inner =
        inner.ok_or_else(|| format!("<{name}> does not begin here: {:.40}", rest.trim_start()))?;
    let mut attributes: Vec<(String, String)> = Vec::new();
    loop {
        inner = inner.trim_start();
        if let Some(tail) = inner.strip_prefix("/>") {
            *rest = tail;
            return Ok(Tag { attributes, is_empty: true });
        }
        if let Some(tail) = inner.strip_prefix('>') {
            *rest = tail;
            return Ok(Tag { attributes, is_empty: false });
        }
        let (key, tail) = inner.split_once("=\"").ok_or_else(|| format!("<{name}> does not end"))?;
        let (value, tail) = tail.split_once('"').ok_or_else(|| format!("{key} of <{name}> does not end"))?;
        if !known.contains(&key) || attributes.iter().any(|(other, _)| other == key) {
            return Err(format!("not an attribute of <{name}>, or twice: {key}"));
        }
        if value.contains('<') {
            return Err(format!("a bare bracket in {key} of <{name}>"));
        }
        attributes.push((key.to_owned(), unescaped(value)?));
        inner = tail;
    }
}

fn close(rest: &mut &str, name: &str) -> Result<(), String> {
    let tag = format!("</{name}>");
    *rest = rest
        .trim_start()
        .strip_prefix(tag.as_str())
        .ok_or_else(|| format!("{tag} is not here: {rest:.40}"))?;
    Ok(())
}

/// Twilio's error 11750.
const LARGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>\n <Connect><Stream url=\"wss://r.example.com/s\">\
        <Parameter name=\"tn\" value=\"1\"/>\n<Parameter name=\"t0\" value=\"a&amp;b\"></Parameter></Stream></Connect>\n</Response>\n";

    #[test]
    fn a_document_that_connects_a_stream_is_read() {
        let read = stream_document(GOOD).unwrap();
        assert_eq!(read.url, "wss://r.example.com/s");
        assert_eq!(read.parameters, [("tn".to_owned(), "1".to_owned()), ("t0".to_owned(), "a&b".to_owned())]);
        let bare = "<Response><Connect><Stream url=\"wss://r.example.com/s\"></Stream></Connect></Response>";
        assert!(stream_document(bare).unwrap().parameters.is_empty());
    }

    #[test]
    fn nothing_malformed_passes() {
        for (part, instead) in [
            ("wss://", "https://"),
            ("example.com/s", "example.com/s?token=1"),
            ("example.com/s", "example.com/"),
            ("<Response>", ""),
            ("</Response>", ""),
            ("</Response>", "</Response><Response/>"),
            ("</Stream>", ""),
            ("Connect", "Start"),
            ("&amp;", "&"),
            ("&amp;", "<"),
            ("name=\"tn\" ", ""),
            ("name=\"tn\" ", "nam=\"tn\" "),
            ("name=\"tn\" ", "name=\"tn\" name=\"tn\" "),
            ("<Parameter ", "<Parameters "),
            ("value=\"1\"/>", "value=\"1/>"),
            ("a&amp;b", &"x".repeat(498)),
            ("a&amp;b", &"x".repeat(70_000)),
        ] {
            let bad = GOOD.replacen(part, instead, 1);
            assert_ne!(bad, GOOD, "{part}");
            assert!(stream_document(&bad).is_err(), "{part} -> {instead:.60}");
        }
    }
}
