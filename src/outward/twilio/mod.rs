//! How is Twilio told to move a caller, or to end the line? To place a call: [`create`].
//!
//! One request updates the call; it needs the account's key, which the main app lends in its token. Twilio ends the
//! media stream the moment it accepts, so whoever asks must have let the agent finish. Where the API is, is the
//! relay's own setting: a token cannot send its key, or ours, anywhere else.

mod create;

use std::{fmt, time::Duration};

use bytes::BytesMut;
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

pub use self::create::{NewCall, NotPlaced};
use super::requests::Clients;

/// Twilio's API. Clones share connections.
#[derive(Clone)]
pub struct Twilio {
    clients: Clients,
    base_url: String,
}

/// On whose behalf.
#[derive(Clone)]
pub struct Account {
    /// `AC…`: whose call it is.
    pub sid: String,
    /// `SK…`, or the account itself with its token.
    pub key: SecretString,
    pub secret: SecretString,
}

/// What is to become of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// It goes on with this document, and not with what came before.
    Document(String),
    /// The line ends.
    Completed,
}

/// Why the call is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the carrier's call id is not one of Twilio's: `keys.twilio` is for calls that come over Twilio")]
    NotTwilios,
    #[error("Twilio did not take the key: check `keys.twilio` in the call token ({0})")]
    Key(Answer),
    #[error(
        "Twilio knows no such call in progress: it has ended, or `account_sid` is another account's ({0})"
    )]
    NoSuchCall(Answer),
    #[error("Twilio answered {0}: its debugger has the reason under this code")]
    Other(Answer),
    #[error("Twilio could not be reached: check the network and TWILIO_BASE_URL")]
    Unreachable,
    #[error("Twilio did not answer in time")]
    Slow,
}

/// What came back: the status, and Twilio's own code when there was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub code: Option<u64>,
}

impl Twilio {
    /// `base_url` is without a slash at the end.
    pub fn new(clients: Clients, base_url: String) -> Self {
        Self { clients, base_url }
    }

    /// Updates a call that is going on. Tried once more when Twilio was not reached or not able, never when it may
    /// have heard: a caller who is moved twice is rung through twice.
    pub async fn update(&self, account: &Account, call: &str, update: &Update) -> Result<(), Refused> {
        let url = self.address(account, call).ok_or(Refused::NotTwilios)?;
        let tries = async {
            match self.post(url.clone(), account, update).await {
                Err(Tried { again: true, .. }) => {
                    sleep(AGAIN_AFTER).await;
                    self.post(url, account, update).await
                }
                first => first,
            }
        };
        match timeout(PATIENCE, tries).await {
            Ok(outcome) => outcome.map_err(|tried| tried.why),
            Err(_) => Err(Refused::Slow),
        }
    }

    /// Both ids have a fixed shape, so nothing in them can lead to another path.
    fn address(&self, account: &Account, call: &str) -> Option<Url> {
        let fits = is_sid("AC", &account.sid) && is_sid("CA", call);
        let path = format!("{}/2010-04-01/Accounts/{}/Calls/{call}.json", self.base_url, account.sid);
        Url::parse(&path).ok().filter(|_| fits)
    }

    async fn post(&self, url: Url, account: &Account, update: &Update) -> Result<(), Tried> {
        let (name, value) = match update {
            Update::Document(twiml) => ("Twiml", twiml.as_str()),
            Update::Completed => ("Status", "completed"),
        };
        let sent = self.request(url, account).body(form(&[(name, value)])).send().await;
        match sent {
            Ok(response) => judge(response, *update == Update::Completed).await,
            Err(error) => Err(Tried { again: error.is_connect(), why: Refused::Unreachable }),
        }
    }

    /// A form for Twilio, on behalf of this account.
    fn request(&self, url: Url, account: &Account) -> RequestBuilder {
        self.clients
            .next()
            .post(url)
            .basic_auth(account.key.expose_secret(), Some(account.secret.expose_secret()))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
    }
}

/// One attempt that came to nothing, and whether a second one may be made.
struct Tried {
    again: bool,
    why: Refused,
}

async fn judge(response: Response, ending: bool) -> Result<(), Tried> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let answer = Answer { status: status.as_u16(), code: code(response).await };
    // A gateway that waited in vain does not know whether it was done.
    let unable = status.is_server_error() && status != StatusCode::GATEWAY_TIMEOUT;
    let again = unable || status == StatusCode::TOO_MANY_REQUESTS;
    let why = match status {
        StatusCode::NOT_FOUND if ending => return Ok(()), // it has ended, which is what was wanted
        StatusCode::NOT_FOUND => Refused::NoSuchCall(answer),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Refused::Key(answer),
        _ => Refused::Other(answer),
    };
    Err(Tried { again, why })
}

/// Twilio's own code in its error, such as 20003. Its words are not repeated: they may repeat ours.
async fn code(response: Response) -> Option<u64> {
    code_of(&whole(response).await?)
}

fn code_of(body: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Body {
        code: u64,
    }
    serde_json::from_slice::<Body>(body).ok().map(|body| body.code)
}

/// The body, unless it is too long or breaks off.
async fn whole(mut response: Response) -> Option<BytesMut> {
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await.ok()? {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST_ANSWER {
            return None;
        }
    }
    Some(body)
}

fn form(fields: &[(&str, &str)]) -> String {
    let mut url = Url::parse("form:").expect("a scheme is a URL");
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

/// Two letters and 32 hexadecimal digits, as all of Twilio's ids are.
pub fn is_sid(letters: &str, text: &str) -> bool {
    text.strip_prefix(letters)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "HTTP {}, code {code}", self.status),
            None => write!(f, "HTTP {}", self.status),
        }
    }
}

impl fmt::Debug for Twilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twilio").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stars = format_args!("***");
        f.debug_struct("Account")
            .field("sid", &self.sid)
            .field("key", &stars)
            .field("secret", &stars)
            .finish()
    }
}

/// Both attempts. Less than the call waits for it, which is eight seconds.
const PATIENCE: Duration = Duration::from_secs(7);

/// After "too many requests" and after a broken server alike: the caller listens to silence.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Twilio's errors have a few hundred bytes, its calls two thousand.
const LONGEST_ANSWER: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outward::tls;

    fn account(sid: &str) -> Account {
        Account { sid: sid.into(), key: "SK-MARKER".into(), secret: "MARKER".into() }
    }

    #[test]
    fn no_id_leads_to_another_path() {
        let clients = Clients::new(&tls::for_requests(&[])).unwrap();
        let twilio = Twilio::new(clients, "https://api.twilio.com".into());
        let (ac, ca) = (format!("AC{}", "0a".repeat(16)), format!("CA{}", "F9".repeat(16)));
        let url = twilio.address(&account(&ac), &ca).unwrap();
        assert_eq!(url.as_str(), format!("https://api.twilio.com/2010-04-01/Accounts/{ac}/Calls/{ca}.json"));
        for bad in [
            "",
            "CA",
            "../Messages",
            &format!("CA{}", "0".repeat(31)),
            &format!("CA{}", "0".repeat(33)),
            &format!("CA{}/", "0".repeat(31)),
            &format!("CA{}?x", "0".repeat(30)),
            &format!("CA{}", "é".repeat(16)),
            &format!("CA{}", "g".repeat(32)),
            &format!(" {ca}"),
        ] {
            assert_eq!(twilio.address(&account(&ac), bad), None, "{bad}");
            let bad = bad.replacen("CA", "AC", 1);
            assert_eq!(twilio.address(&account(&bad), &ca), None, "{bad}");
        }
    }

    #[test]
    fn a_form_says_what_was_meant() {
        assert_eq!(
            form(&[("Twiml", "<a b=\"c\">+1&é</a>")]),
            "Twiml=%3Ca+b%3D%22c%22%3E%2B1%26%C3%A9%3C%2Fa%3E"
        );
    }

    #[test]
    fn a_key_is_not_printed() {
        let shown = format!("{:?}", account("AC1"));
        assert!(shown.contains("AC1") && !shown.contains("MARKER"), "{shown}");
    }
}
