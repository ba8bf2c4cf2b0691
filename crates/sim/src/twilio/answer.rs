//! What does the API answer? A call, or an error in the shape that all of its errors have.

use super::request::Request;
use crate::http;
use serde_json::json;

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn error(status: u16, code: u64, message: &str) -> Self {
        let more_info = format!("https://www.twilio.com/docs/errors/{code}");
        let body = json!({ "code": code, "message": message, "more_info": more_info, "status": status });
        Self { status, body: body.to_string() }
    }

    /// With the code that belongs to it.
    pub fn status(status: u16) -> Self {
        match status {
            401 => Self::error(401, 20003, "Authenticate"),
            other => Self::error(other, 20_000 + u64::from(other), http::phrase(other)),
        }
    }

    pub fn call(request: &Request) -> Self {
        let Request { account, call, .. } = request;
        let body = json!({
            "sid": call, "account_sid": account, "status": "in-progress", "api_version": "2010-04-01",
            "uri": format!("/2010-04-01/Accounts/{account}/Calls/{call}.json"),
        });
        Self { status: 200, body: body.to_string() }
    }
}
