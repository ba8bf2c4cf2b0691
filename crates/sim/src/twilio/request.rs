//! Is this a request that updates a call? As strict as the real API, and where that is lax, stricter.

use super::{Wish, answer::Answer, document};
use crate::http::{self, Head};
use base64::{Engine, engine::general_purpose::STANDARD};

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub account: String,
    /// Empty for a call that is to be placed.
    pub call: String,
    pub key: String,
    pub secret: String,
    pub fields: Vec<(String, String)>,
}

pub(super) fn read(head: &Head, body: &[u8]) -> Result<Request, Answer> {
    let not_found = || {
        let message = format!("The requested resource {} was not found", head.second());
        Answer::error(404, 20404, &message)
    };
    let path: Vec<&str> = head.second().split('/').collect();
    let (account, call) = match path[..] {
        ["", "2010-04-01", "Accounts", account, "Calls", call] => {
            let call = call.strip_suffix(".json").filter(|call| is_sid("CA", call));
            (account, call.ok_or_else(not_found)?)
        }
        ["", "2010-04-01", "Accounts", account, "Calls.json"] => (account, ""),
        _ => return Err(not_found()),
    };
    if !is_sid("AC", account) {
        return Err(not_found());
    }
    if !head.start.starts_with("POST ") {
        return Err(Answer::error(405, 20004, "Method not allowed"));
    }
    let credentials = head.header("authorization").and_then(|value| value.strip_prefix("Basic "));
    let credentials = credentials.and_then(|text| STANDARD.decode(text).ok());
    let credentials = credentials.and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((key, secret)) = credentials.as_deref().and_then(|pair| pair.split_once(':')) else {
        return Err(Answer::status(401));
    };
    let kind = head.header("content-type").unwrap_or_default();
    if kind.split(';').next() != Some("application/x-www-form-urlencoded") {
        return Err(Answer::error(415, 20415, "Unsupported Media Type"));
    }
    let text = String::from_utf8_lossy(body).replace('+', " ");
    Ok(Request {
        account: account.to_owned(),
        call: call.to_owned(),
        key: key.to_owned(),
        secret: secret.to_owned(),
        fields: http::pairs(&text),
    })
}

impl Request {
    /// What it asks for, or Twilio's code and words for what is wrong with it.
    pub fn wish(&self) -> Result<Wish, (u64, String)> {
        match &self.fields[..] {
            [(name, value)] if name == "Status" && value == "completed" => Ok(Wish::Complete),
            [(name, value)] if name == "Twiml" => {
                if value.chars().count() > LONGEST_DOCUMENT {
                    return Err((32018, "Twiml is longer than 4000 characters".to_owned()));
                }
                let (noun, target) = document::dialled(value).map_err(|why| (12100, why))?;
                Ok(Wish::Dial(noun, target))
            }
            other => {
                let names: Vec<&str> = other.iter().map(|(name, _)| name.as_str()).collect();
                Err((20001, format!("fields that do not go together: {names:?}")))
            }
        }
    }
}

fn is_sid(letters: &str, text: &str) -> bool {
    let digits = text.strip_prefix(letters).unwrap_or("");
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Of a document that comes in the request itself.
const LONGEST_DOCUMENT: usize = 4_000;
