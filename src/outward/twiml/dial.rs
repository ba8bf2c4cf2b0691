//! Whom can Twilio dial, and how is it told to?
//!
//! The target comes from a token. Only what is plainly a number, a SIP address or a client's name is taken, and it is
//! escaped all the same: nothing in it can become an instruction of its own.

use crate::{markup::escaped, outward::number::is_number};

/// Dials this target; `None` when Twilio could not.
pub fn dial(target: &str) -> Option<String> {
    let noun = match target.split_once(':') {
        None if is_number(target) => "Number",
        Some(("sip" | "sips", address)) if is_sip(address) => "Sip",
        Some(("client", name)) if is_client(name) => {
            return Some(document("Client", name));
        }
        Some(_) | None => return None,
    };
    Some(document(noun, target))
}

/// The caller hears the other side ring until somebody answers.
fn document(noun: &str, target: &str) -> String {
    let target = escaped(target);
    format!("<Response><Dial answerOnBridge=\"true\"><{noun}>{target}</{noun}></Dial></Response>")
}

/// `user@host` with a port and parameters, as RFC 3261 writes it, without a password and headers.
fn is_sip(address: &str) -> bool {
    let Some((user, host)) = address.split_once('@') else { return false };
    let (host, parameters) = host.split_once(';').unwrap_or((host, ""));
    let (name, port) = host.split_once(':').unwrap_or((host, "5060"));
    !user.is_empty()
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,".contains(&byte))
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        && port.parse::<u16>().is_ok_and(|port| port > 0)
        && parameters.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~=;".contains(&byte))
}

fn is_client(name: &str) -> bool {
    (1..=120).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_addresses_and_clients_are_dialled() {
        for (target, inner) in [
            ("+15550100", "<Number>+15550100</Number>"),
            ("+442071838750", "<Number>+442071838750</Number>"),
            ("+123456789012345", "<Number>+123456789012345</Number>"),
            ("sip:help@example.com", "<Sip>sip:help@example.com</Sip>"),
            (
                "sips:a.b+c@pbx.example.com:5061;transport=tls",
                "<Sip>sips:a.b+c@pbx.example.com:5061;transport=tls</Sip>",
            ),
            ("sip:o'neil&sons@example.com", "<Sip>sip:o&apos;neil&amp;sons@example.com</Sip>"),
            ("client:front_desk", "<Client>front_desk</Client>"),
        ] {
            let whole = format!("<Response><Dial answerOnBridge=\"true\">{inner}</Dial></Response>");
            assert_eq!(dial(target), Some(whole), "{target}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for target in [
            "",
            "+",
            "5550100",
            "+0123456789",
            "+123456",
            "+1234567890123456",
            "+1 555 0100",
            "+1-555-0100",
            "+１５５５０１００",
            "+15550100</Number><Number>+19005550100",
            "+15550100\n",
            "tel:+15550100",
            "sip:example.com",
            "sip:@example.com",
            "sip:a@",
            "sip:a@example.com:0",
            "sip:a@example.com:x",
            "sip:a:secret@example.com",
            "sip:a@b@example.com",
            "sip:a@example.com?Replaces=x",
            "sip:a@example.com</Sip><Hangup/>",
            "sip:a@exa mple.com",
            "client:",
            "client:<Hangup/>",
            "https://example.com/twiml",
        ] {
            assert_eq!(dial(target), None, "{target}");
        }
    }
}
