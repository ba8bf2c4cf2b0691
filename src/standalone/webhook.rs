//! Twilio asks what to do with a call: which call is it, and who is on it?

use super::form;
use crate::outward::twilio::is_sid;

/// A voice webhook whose signature was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub call: String,
    pub account: String,
    /// Who calls whom, as far as Twilio says. Personal data.
    pub from: Option<String>,
    pub to: Option<String>,
    /// `inbound`, or `outbound-api`.
    pub direction: Option<String>,
}

impl Webhook {
    /// Of a request's fields; the error says which one is missing or wrong.
    pub fn read(fields: &[(String, String)]) -> Result<Self, &'static str> {
        let text = |name| form::value(fields, name).filter(|value| !value.is_empty()).map(str::to_owned);
        let call = text("CallSid").filter(|sid| is_sid("CA", sid)).ok_or("CallSid is missing or none")?;
        let account =
            text("AccountSid").filter(|sid| is_sid("AC", sid)).ok_or("AccountSid is missing or none")?;
        // A SIP address can be long; one that is longer than this is left out.
        let short = |name| text(name).filter(|value| value.len() <= LONGEST);
        Ok(Self { call, account, from: short("From"), to: short("To"), direction: short("Direction") })
    }
}

/// The fields of a form's body or of a query.
pub fn fields(text: &str) -> Vec<(String, String)> {
    form::fields(text)
}

pub(super) const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_names_its_call_and_whoever_is_on_it() {
        let (ca, ac) = (format!("CA{}", "0".repeat(32)), format!("AC{}", "1".repeat(32)));
        let whole = format!("AccountSid={ac}&CallSid={ca}&From=%2B15550100&To=&Direction=inbound");
        let read = Webhook::read(&fields(&whole)).unwrap();
        assert_eq!((read.call, read.account), (ca.clone(), ac.clone()));
        assert_eq!((read.from.as_deref(), read.to), (Some("+15550100"), None));
        let long = format!("AccountSid={ac}&CallSid={ca}&From={}", "a".repeat(LONGEST + 1));
        assert_eq!(Webhook::read(&fields(&long)).unwrap().from, None);
        for (text, wrong) in [
            (format!("AccountSid={ac}"), "CallSid"),
            (format!("AccountSid={ac}&CallSid=CA1"), "CallSid"),
            (format!("CallSid={ca}"), "AccountSid"),
            (format!("CallSid={ca}&AccountSid={ca}"), "AccountSid"),
        ] {
            assert!(Webhook::read(&fields(&text)).unwrap_err().starts_with(wrong), "{text}");
        }
    }
}
