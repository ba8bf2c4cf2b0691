//! Whom does this TwiML dial? Read by hand, so that nothing malformed passes.
//!
//! Only the one document is understood that moves a caller: `<Response><Dial><Number>…`. Twilio knows many more.

/// The noun and its text, or what is wrong.
pub(super) fn dialled(text: &str) -> Result<(String, String), String> {
    let mut rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap_or(text);
    let response = open(&mut rest)?;
    let dial = open(&mut rest)?;
    let noun = open(&mut rest)?;
    let end = rest.find('<').ok_or("the document ends in the middle")?;
    let (target, tail) = rest.split_at(end);
    rest = tail;
    for name in [&noun, &dial, &response] {
        close(&mut rest, name)?;
    }
    if !rest.is_empty() {
        return Err(format!("something comes after the document: {rest:?}"));
    }
    if response != "Response" || dial != "Dial" || !["Number", "Sip", "Client"].contains(&noun.as_str()) {
        return Err(format!("not a document that dials: {response}/{dial}/{noun}"));
    }
    let target = unescaped(target)?;
    if target.trim().is_empty() || target != target.trim() {
        return Err("nobody is dialled".to_owned());
    }
    Ok((noun, target))
}

/// `<Name attribute="value">`, and gives the name.
fn open(rest: &mut &str) -> Result<String, String> {
    let inner = rest.strip_prefix('<').ok_or_else(|| format!("no element begins here: {rest:?}"))?;
    let (tag, tail) = inner.split_once('>').ok_or("a tag does not end")?;
    *rest = tail;
    let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphabetic()) {
        return Err(format!("not a name: {name:?}"));
    }
    for attribute in attributes.split(' ').filter(|attribute| !attribute.is_empty()) {
        let (key, value) =
            attribute.split_once('=').ok_or_else(|| format!("not an attribute: {attribute:?}"))?;
        let known = name == "Dial" && ["answerOnBridge", "timeout", "callerId", "action"].contains(&key);
        let quoted = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
        if !known || !quoted {
            return Err(format!("not an attribute of {name}: {attribute:?}"));
        }
    }
    Ok(name.to_owned())
}

fn close(rest: &mut &str, name: &str) -> Result<(), String> {
    let tag = format!("</{name}>");
    *rest = rest.strip_prefix(tag.as_str()).ok_or_else(|| format!("{tag} is not here: {rest:?}"))?;
    Ok(())
}

pub(super) fn unescaped(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (entity, tail) = after.split_once(';').ok_or("a bare ampersand")?;
        plain.push_str(before);
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            other => return Err(format!("an unknown entity: {other:?}")),
        });
        rest = tail;
    }
    if rest.contains('>') {
        return Err("a bare bracket".to_owned());
    }
    Ok(plain + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_dials_is_read() {
        for (text, noun, target) in [
            ("<Response><Dial><Number>+15550100</Number></Dial></Response>", "Number", "+15550100"),
            (
                "<Response><Dial answerOnBridge=\"true\"><Sip>sip:o&apos;n&amp;s@x.org</Sip></Dial></Response>",
                "Sip",
                "sip:o'n&s@x.org",
            ),
        ] {
            assert_eq!(dialled(text), Ok((noun.to_owned(), target.to_owned())), "{text}");
        }
    }

    #[test]
    fn nothing_malformed_passes() {
        for text in [
            "",
            "hello",
            "<Response/>",
            "<Response><Dial>+15550100</Dial></Response>",
            "<Response><Dial><Number>+15550100</Number></Dial>",
            "<Response><Dial><Number>+15550100</Number></Response></Dial>",
            "<Response><Dial><Number>+1</Number></Dial></Response><Response/>",
            "<Response><Dial><Number>a & b</Number></Dial></Response>",
            "<Response><Dial><Number>a &nbsp; b</Number></Dial></Response>",
            "<Response><Dial><Number></Number></Dial></Response>",
            "<Response><Dial><Number> +1</Number></Dial></Response>",
            "<Response><Dial><Number>+1<Hangup/></Number></Dial></Response>",
            "<Response><Say><Number>+1</Number></Say></Response>",
            "<Response><Dial record=\"1\"><Number>+1</Number></Dial></Response>",
            "<Response><Dial timeout=5><Number>+1</Number></Dial></Response>",
        ] {
            assert!(dialled(text).is_err(), "{text}");
        }
    }
}
