//! How is Twilio asked to call somebody?
//!
//! A second attempt is made only when Twilio has not heard the first one, or said at once that it will not: whoever
//! is called twice has two telephones at the ear.

use std::{fmt, time::Duration};

use reqwest::{StatusCode, Url};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::{Account, Answer, Twilio, code_of, form, is_sid, whole};

/// Whom, from which number, and where Twilio asks what to do when somebody has answered.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCall {
    pub to: String,
    pub from: String,
    pub url: String,
}

/// Numbers are personal.
impl fmt::Debug for NewCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCall").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why nobody is called, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPlaced {
    #[error(
        "Twilio did not take the key: check TWILIO_ACCOUNT_SID, and TWILIO_API_KEY with TWILIO_API_SECRET or \
         TWILIO_AUTH_TOKEN ({0})"
    )]
    Key(Answer),
    #[error("Twilio has too many calls of this account to place at once: try again in a moment ({0})")]
    Busy(Answer),
    #[error("Twilio refuses the call: {why} ({answer})", why = why(.0.code), answer = .0)]
    Refused(Answer),
    #[error(
        "Twilio is in trouble ({0}), so the telephone may ring or not: wait a minute before you try again"
    )]
    Unsure(Answer),
    #[error("Twilio could not be reached: check the network and TWILIO_BASE_URL")]
    Unreachable,
    #[error("Twilio gave no answer, so the telephone may ring or not: wait a minute before you try again")]
    Slow,
}

impl Twilio {
    /// Gives the call's id. The telephone rings a moment later, or not.
    pub async fn create(&self, account: &Account, call: &NewCall) -> Result<String, NotPlaced> {
        let url = format!("{}/2010-04-01/Accounts/{}/Calls.json", self.base_url, account.sid);
        let url = Url::parse(&url).map_err(|_| NotPlaced::Unreachable)?;
        let tries = async {
            match self.place(url.clone(), account, call).await {
                Err((NotPlaced::Unreachable | NotPlaced::Busy(_), true)) => {
                    sleep(AGAIN_AFTER).await;
                    self.place(url, account, call).await
                }
                first => first,
            }
        };
        match timeout(PATIENCE, tries).await {
            Ok(outcome) => outcome.map_err(|(why, _)| why),
            Err(_) => Err(NotPlaced::Slow),
        }
    }

    /// The second part of a failure: nothing can have happened.
    async fn place(&self, url: Url, account: &Account, call: &NewCall) -> Result<String, (NotPlaced, bool)> {
        let fields = [("To", &*call.to), ("From", &call.from), ("Url", &call.url), ("Method", "POST")];
        let sent = self.request(url, account).body(form(&fields)).send().await;
        let response = sent.map_err(|error| match error.is_connect() {
            true => (NotPlaced::Unreachable, true),
            false => (NotPlaced::Slow, false),
        })?;
        let status = response.status();
        let body = whole(response).await.unwrap_or_default();
        let answer = Answer { status: status.as_u16(), code: code_of(&body) };
        match status {
            status if status.is_success() => sid_of(&body).ok_or((NotPlaced::Unsure(answer), false)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err((NotPlaced::Key(answer), true)),
            StatusCode::TOO_MANY_REQUESTS => Err((NotPlaced::Busy(answer), true)),
            status if status.is_server_error() => Err((NotPlaced::Unsure(answer), false)),
            _ => Err((NotPlaced::Refused(answer), true)),
        }
    }
}

fn sid_of(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        sid: String,
    }
    serde_json::from_slice::<Body>(body).ok().map(|body| body.sid).filter(|sid| is_sid("CA", sid))
}

/// The codes that people meet, in words. See <https://www.twilio.com/docs/api/errors>.
fn why(code: Option<u64>) -> &'static str {
    match code {
        Some(21211 | 21217 | 13223 | 13224) => "the number that should be called does not exist",
        Some(21214) => "the number that should be called cannot be reached",
        Some(21215) => {
            "its country is not allowed for this account: allow it in Twilio's console (Voice, Geographic permissions)"
        }
        Some(21219) => "a trial account calls verified numbers only: verify it in Twilio's console",
        Some(21210 | 21212 | 21213 | 21606) => {
            "TWILIO_NUMBER is not a number of this account that can call: check it in Twilio's console"
        }
        Some(20404) => "TWILIO_ACCOUNT_SID names no account there: copy it from Twilio's console",
        Some(21205 | 21609) => "it cannot use PUBLIC_URL: it must be an address that Twilio reaches",
        Some(10001 | 20005) => "the account is not active",
        _ => "its console explains this code",
    }
}

/// Both attempts. A person waits for it, in a browser.
const PATIENCE: Duration = Duration::from_secs(8);

const AGAIN_AFTER: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_words_and_with_its_code() {
        let refused = |code| NotPlaced::Refused(Answer { status: 400, code }).to_string();
        assert!(refused(Some(21219)).contains("verify it") && refused(Some(21219)).contains("code 21219"));
        assert!(refused(Some(21212)).contains("TWILIO_NUMBER"));
        assert!(refused(None).contains("HTTP 400"));
    }

    #[test]
    fn only_a_call_s_id_is_taken_for_one() {
        let sid = format!("CA{}", "0a".repeat(16));
        assert_eq!(sid_of(format!(r#"{{"sid":"{sid}","status":"queued"}}"#).as_bytes()), Some(sid));
        for body in ["", "{}", r#"{"sid":"CA1"}"#, r#"{"sid":1}"#, "<html>"] {
            assert_eq!(sid_of(body.as_bytes()), None, "{body}");
        }
    }
}
