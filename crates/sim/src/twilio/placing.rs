//! Somebody wants a call to be placed: what does the API say, and what happens when it is answered?
//!
//! 201 means queued. The pretend called person answers at once; then the `Url` is asked what to do, signed, as the real
//! one does. What is answered there is read as strictly as Twilio reads it.

use super::{
    MOST, Shared, Trouble, answer::Answer, lock, request::Request, stream::StreamDocument, stream_document,
    webhook::Webhook,
};
use crate::{dice::Dice, http, line::Wire};
use serde_json::json;
use std::{
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// A call that somebody wanted, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Empty when it was refused.
    pub call: String,
    pub account: String,
    pub to: String,
    pub from: String,
    pub url: String,
    /// The status it was answered with; 0: not at all.
    pub status: u16,
    /// What the `Url` said to do with the call, when it has answered.
    pub document: Option<Result<StreamDocument, String>>,
}

impl Shared {
    pub(super) async fn place(
        self: &Arc<Self>,
        mut wire: Wire,
        request: &Request,
        trouble: Option<Trouble>,
    ) -> std::io::Result<()> {
        let field = |name: &str| {
            let found = request.fields.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let mut placed = Placed {
            call: String::new(),
            account: request.account.clone(),
            to: field("To"),
            from: field("From"),
            url: field("Url"),
            status: 0,
            document: None,
        };
        let answer = match trouble {
            Some(Trouble::Status(status)) => Some(Answer::status(status)),
            Some(Trouble::Cut | Trouble::Silent) => None,
            Some(Trouble::Late(_)) | None => Some(match self.refusal(request, &placed) {
                Some(refusal) => refusal,
                None => {
                    placed.call = new_call();
                    Answer::queued(&placed)
                }
            }),
        };
        placed.status = answer.as_ref().map_or(0, |answer| answer.status);
        let at = self.note_placed(placed.clone());
        let latency = *lock(&self.latency);
        tokio::time::sleep(latency).await;
        match trouble {
            Some(Trouble::Late(after)) => tokio::time::sleep(after).await,
            Some(Trouble::Silent) => http::gone(&mut wire).await,
            Some(Trouble::Status(_) | Trouble::Cut) | None => {}
        }
        let token = self.auth_token(request);
        if let (false, Some(token)) = (placed.call.is_empty(), token) {
            let shared = self.clone();
            tokio::spawn(async move {
                let document = ask(&placed, &token).await;
                shared.ledger.send_modify(|ledger| {
                    if let Some(placed) = at.and_then(|at| ledger.placed.get_mut(at)) {
                        placed.document = Some(document);
                    }
                });
            });
        }
        match answer {
            Some(answer) => http::answer(&mut wire, answer.status, &Vec::new(), &answer.body).await,
            None => Ok(()),
        }
    }

    /// `None` when the call is placed.
    fn refusal(&self, request: &Request, wish: &Placed) -> Option<Answer> {
        let refused = |code, message: &str| Some(Answer::error(400, code, message));
        let accounts = lock(&self.accounts);
        let account = accounts.get(&request.account);
        let by_token =
            account.is_some_and(|(token, _)| request.key == request.account && request.secret == *token);
        if !by_token && !self.takes(request) {
            return Some(Answer::status(401));
        }
        let numbers = match account {
            Some((_, numbers)) => Some(numbers),
            None if self.easy => None,
            None => return Some(Answer::status(404)),
        };
        let known =
            ["To", "From", "Url", "Method", "Timeout", "StatusCallback", "StatusCallbackEvent", "TimeLimit"];
        if let Some((name, _)) = request.fields.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            self.violation(format!("a field that places no call: {name}"));
        }
        if wish.to.is_empty() {
            return refused(21201, "No 'To' number is specified");
        }
        if wish.from.is_empty() {
            return refused(21213, "Caller phone number required");
        }
        if wish.url.is_empty() {
            return refused(21205, "Url parameter is required.");
        }
        if !is_number(&wish.to) {
            return refused(21211, "The 'To' number is not valid");
        }
        if !wish.url.starts_with("https://") && !wish.url.starts_with("http://127.0.0.1:") {
            self.violation("the webhook of a call that is placed is not https".to_owned());
            return refused(21205, "Url is not a valid URL");
        }
        if numbers.is_some_and(|numbers| !numbers.contains(&wish.from)) {
            return refused(21212, "The source phone number provided is not yet verified for your account");
        }
        if numbers.is_some() && !lock(&self.allowed).contains(&wish.to) {
            return refused(21219, "The number is unverified. Trial accounts may only call verified numbers");
        }
        None
    }

    /// With which the account's webhooks are signed, if it is known.
    fn auth_token(&self, request: &Request) -> Option<String> {
        let known = lock(&self.accounts).get(&request.account).map(|(token, _)| token.clone());
        known.or_else(|| (request.key == request.account).then(|| request.secret.clone()))
    }

    fn note_placed(&self, placed: Placed) -> Option<usize> {
        let mut at = None;
        self.ledger.send_modify(|ledger| {
            if ledger.placed.len() < MOST {
                at = Some(ledger.placed.len());
                ledger.placed.push(placed);
            }
        });
        at
    }
}

/// Somebody has answered the telephone.
async fn ask(placed: &Placed, auth_token: &str) -> Result<StreamDocument, String> {
    let webhook = Webhook::of(&placed.url, auth_token, &placed.call, &placed.account)
        .field("From", &placed.from)
        .field("To", &placed.to)
        .field("Direction", "outbound-api")
        .field("CallStatus", "in-progress");
    let answered = webhook.send().await.map_err(|error| format!("the webhook was not answered: {error}"))?;
    if answered.status != 200 {
        return Err(format!("the webhook was answered with {}: {}", answered.status, answered.body));
    }
    stream_document(&answered.body)
}

fn new_call() -> String {
    static CALLS: AtomicU64 = AtomicU64::new(1);
    format!("CA{}", Dice::new(CALLS.fetch_add(1, Relaxed) << 32 | u64::from(std::process::id())).hex(32))
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or("");
    (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

impl Answer {
    fn queued(placed: &Placed) -> Self {
        let Placed { call, account, to, from, .. } = placed;
        let body = json!({
            "sid": call, "account_sid": account, "status": "queued", "direction": "outbound-api", "to": to, "from": from,
            "api_version": "2010-04-01", "uri": format!("/2010-04-01/Accounts/{account}/Calls/{call}.json"),
        });
        Self { status: 201, body: body.to_string() }
    }
}
