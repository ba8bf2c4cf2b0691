//! May this call move its caller over Twilio's REST API, on whose account, and to whom?

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::{check::Check, claims::TwilioKey, refusal::Code};
use crate::outward::{
    twilio::{Account, is_sid},
    twiml,
};

impl Check<'_> {
    pub(super) fn twilio(&mut self, asked: TwilioKey, acct: Option<&str>) -> Option<Account> {
        let TwilioKey { account_sid, api_key, api_secret } = asked;
        if !is_sid("AC", &account_sid) {
            let text = "is not an account's id: `AC` and 32 hexadecimal digits";
            self.add(Code::ClaimsValue, "keys.twilio.account_sid", text);
        } else if acct.is_some_and(|acct| acct != account_sid) {
            let text = "is another account than `acct`, to which the call belongs";
            self.add(Code::ClaimsValue, "keys.twilio.account_sid", text);
        }
        if !is_sid("SK", &api_key) && !is_sid("AC", &api_key) {
            let text = "is not a key's id: `SK` and 32 hexadecimal digits";
            self.add(Code::ClaimsValue, "keys.twilio.api_key", text);
        }
        let secret = api_secret.expose_secret();
        if secret.is_empty() || secret.len() > SECRET_MAX || !secret.bytes().all(|b| b.is_ascii_graphic()) {
            let text = "is empty, or holds what no secret does, such as a space or a line break";
            self.add(Code::ClaimsValue, "keys.twilio.api_secret", text);
        }
        Some(Account { sid: account_sid, key: SecretString::from(api_key), secret: api_secret })
    }

    /// Where the main app dials, it knows best what it can; Twilio takes less.
    pub(super) fn can_be_dialled(&mut self, path: &str, targets: &BTreeMap<String, String>) {
        for (name, _) in targets.iter().filter(|(_, target)| twiml::dial(target).is_none()) {
            let text = "is nothing that Twilio can dial: write `+` and 7 to 15 digits, `sip:user@host` or `client:name`";
            self.add(Code::ClaimsValue, &format!("{path}.{name}"), text);
        }
    }
}

/// Twilio's have 32.
const SECRET_MAX: usize = 256;
