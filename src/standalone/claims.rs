//! The token of one call: the agent's fields, and what only the call can say.

use serde_json::{Map, Value, json};

use super::webhook::Webhook;
use crate::{agent_file::AgentFile, outward::twilio::Account};
use secrecy::ExposeSecret;

/// What the relay writes itself. In a file it would be wrong for every call but one.
const OWN: [&str; 7] = ["aud", "sub", "acct", "iat", "exp", "nbf", "jti"];

/// Faults of a file that is to answer calls, although a token could have these fields.
pub(super) fn faults(file: &AgentFile) -> Vec<String> {
    let stands = OWN.iter().filter(|name| file.fields().contains_key(**name));
    stands
        .map(|name| file.fault(name, "is different for each call: leave it out, the relay writes it"))
        .collect()
}

/// An agent that transfers calls needs somebody who tells Twilio. Here that can only be the relay, with its own key.
pub(super) fn lend(file: &mut AgentFile, account: &Account) {
    let fields = file.fields();
    let transfers = |tool: &Value| tool["kind"] == "transfer";
    let needs =
        fields.get("tools").and_then(Value::as_array).is_some_and(|tools| tools.iter().any(transfers));
    let keys = fields.get("keys").cloned().unwrap_or_else(|| json!({}));
    if let (true, Value::Object(mut keys)) = (needs && !fields.contains_key("config"), keys)
        && !keys.contains_key("twilio")
    {
        let key = json!({
            "account_sid": account.sid, "api_key": account.key.expose_secret(), "api_secret": account.secret.expose_secret(),
        });
        keys.insert("twilio".to_owned(), key);
        file.set("keys", keys.into());
    }
}

/// All that a token for this call says. `made` in seconds since 1970.
pub(super) fn claims(
    agent: &Map<String, Value>,
    (issuer, audience): (&str, &str),
    webhook: &Webhook,
    made: u64,
) -> Value {
    let mut claims = agent.clone();
    // A token that points to its configuration has none beside it.
    if !claims.contains_key("config") {
        let context = claims.entry("context").or_insert_with(|| json!({}));
        if let Value::Object(context) = context {
            let known = [("from", &webhook.from), ("to", &webhook.to), ("direction", &webhook.direction)];
            for (name, value) in known.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
                context.entry(name).or_insert_with(|| value.as_str().into());
            }
        }
    }
    claims.entry("iss").or_insert_with(|| issuer.into());
    for (name, value) in [
        ("aud", json!(audience)),
        ("sub", json!(webhook.call)),
        ("acct", json!(webhook.account)),
        ("iat", json!(made)),
        ("exp", json!(made + LIFETIME)),
        // A call has one token, so they may share a name.
        ("jti", json!(webhook.call)),
    ] {
        claims.insert(name.to_owned(), value);
    }
    claims.into()
}

/// Twilio opens the stream as soon as it has the document.
const LIFETIME: u64 = 90;

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook() -> Webhook {
        let text =
            format!("CallSid=CA{0}&AccountSid=AC{0}&From=%2B15550100&Direction=inbound", "0".repeat(32));
        Webhook::read(&super::super::webhook::fields(&text)).unwrap()
    }

    fn account() -> Account {
        Account { sid: format!("AC{}", "0".repeat(32)), key: "SK1".into(), secret: "s".into() }
    }

    fn file(text: &str) -> AgentFile {
        AgentFile::parse("agent.json", text).unwrap()
    }

    fn made(text: &str) -> Value {
        claims(file(text).fields(), ("https://relay.example.com", "patchcord"), &webhook(), 1_000)
    }

    #[test]
    fn a_token_is_for_one_call_and_knows_who_is_on_it() {
        let claims = made(r#"{"legs":[{"kind":"echo"}],"context":{"shop":7,"to":"mine"}}"#);
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_000), &json!(1_090)));
        assert_eq!((&claims["sub"], &claims["acct"]), (&json!(webhook().call), &json!(webhook().account)));
        assert_eq!(
            claims["context"],
            json!({ "shop": 7, "to": "mine", "from": "+15550100", "direction": "inbound" })
        );
        assert_eq!(made(r#"{"iss":"me","legs":[]}"#)["iss"], "me");
        assert_eq!(made(r#"{"legs":[]}"#)["context"]["from"], "+15550100");
        assert_eq!(made(r#"{"legs":[],"context":"mine"}"#)["context"], "mine");
        let there = made(r#"{"config":{"url":"https://example.com/a","sha256":"x"}}"#);
        assert!(there.get("context").is_none(), "{there}");
    }

    #[test]
    fn what_the_relay_writes_is_not_taken_from_a_file() {
        let file = AgentFile::parse("a.toml", "sub = \"CA1\"\nexp = 7\n[[legs]]\nkind = \"echo\"\n").unwrap();
        let told = faults(&file);
        assert!(
            told[0].starts_with("a.toml:1: `sub` is") && told[1].starts_with("a.toml:2: `exp` is"),
            "{told:?}"
        );
    }

    #[test]
    fn an_agent_that_transfers_is_lent_the_relay_s_key() {
        let lent = |text: &str| {
            let mut file = file(text);
            lend(&mut file, &account());
            file.fields().get("keys").cloned().unwrap_or_default()
        };
        let tools = r#""tools":[{"kind":"hang_up"},{"kind":"transfer","targets":{"a":"+15550100"}}]"#;
        assert_eq!(lent(&format!("{{{tools}}}"))["twilio"]["api_key"], "SK1");
        let both = lent(&format!(r#"{{{tools},"keys":{{"openai":"k"}}}}"#));
        assert_eq!((&both["openai"], &both["twilio"]["api_secret"]), (&json!("k"), &json!("s")));
        let own = r#""keys":{"twilio":{"account_sid":"AC2","api_key":"SK2","api_secret":"t"}}"#;
        assert_eq!(lent(&format!("{{{tools},{own}}}"))["twilio"]["api_key"], "SK2");
        assert_eq!(lent(r#"{"tools":[{"kind":"hang_up"}]}"#), Value::Null);
    }
}
