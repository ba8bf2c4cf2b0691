//! Twilio asks a main app what to do with a call: signed, and with the fields of a voice webhook.
//!
//! The signature is over the whole address and, for a form, every field: name and value without anything between them,
//! sorted by name.

use crate::{Headers, http, line::Wire};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{io, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// A request to be. Everything can be changed, so that tests can ask wrongly too.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// As it stands in Twilio's console; this is what is signed.
    pub url: String,
    /// Where it is sent instead: behind the proxy that has the public address.
    pub at: Option<String>,
    pub method: &'static str,
    pub fields: Vec<(String, String)>,
    pub headers: Headers,
    /// `None`: not signed.
    pub auth_token: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: Headers,
    pub body: String,
}

impl Answered {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Webhook {
    /// About this call, by POST.
    pub fn of(url: &str, auth_token: &str, call: &str, account: &str) -> Self {
        let headers = vec![
            ("user-agent".to_owned(), "TwilioProxy/1.1".to_owned()),
            ("accept".to_owned(), "*/*".to_owned()),
        ];
        let webhook = Self {
            url: url.to_owned(),
            at: None,
            method: "POST",
            fields: Vec::new(),
            headers,
            auth_token: Some(auth_token.to_owned()),
        };
        webhook.field("CallSid", call).field("AccountSid", account).field("ApiVersion", "2010-04-01")
    }

    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn by_get(mut self) -> Self {
        self.method = "GET";
        self
    }

    pub fn sent_to(mut self, authority: impl ToString) -> Self {
        self.at = Some(authority.to_string());
        self
    }

    pub fn signed_with(mut self, auth_token: Option<&str>) -> Self {
        self.auth_token = auth_token.map(str::to_owned);
        self
    }

    pub async fn send(&self) -> io::Result<Answered> {
        timeout(PATIENCE, self.exchange()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn exchange(&self) -> io::Result<Answered> {
        let form = escaped(&self.fields);
        let (url, body) = match self.method {
            "GET" if !form.is_empty() => (format!("{}?{form}", self.url), String::new()),
            "GET" => (self.url.clone(), String::new()),
            _ => (self.url.clone(), form),
        };
        let signed = if self.method == "GET" { &[][..] } else { &self.fields };
        let (scheme, rest) = url.split_once("://").ok_or(io::ErrorKind::InvalidInput)?;
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let at = match &self.at {
            Some(at) => at.as_str(),
            None if scheme == "http" => authority,
            None => return Err(io::Error::new(io::ErrorKind::Unsupported, "only http, without `sent_to`")),
        };
        let mut headers = vec![("host".to_owned(), authority.to_owned())];
        if self.method == "POST" {
            let kind = "application/x-www-form-urlencoded; charset=UTF-8";
            headers.push(("content-type".to_owned(), kind.to_owned()));
            headers.push(("content-length".to_owned(), body.len().to_string()));
        }
        if let Some(token) = &self.auth_token {
            headers.push(("x-twilio-signature".to_owned(), signature(token, &url, signed)));
        }
        // What a test sets comes instead of the usual.
        headers.retain(|(name, _)| !self.headers.iter().any(|(own, _)| own == name));
        headers.extend(self.headers.iter().cloned());
        let mut wire: Wire = Box::new(TcpStream::connect(at).await?);
        http::write_head(&mut wire, &format!("{} {path} HTTP/1.1", self.method), &headers, &body).await?;
        let head = http::read_head(&mut wire).await?;
        let status = head.second().parse().map_err(|_| io::ErrorKind::InvalidData)?;
        let body = http::read_body_up_to(&mut wire, &head, LONGEST).await;
        Ok(Answered { status, headers: head.headers, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// Of a webhook with these fields; or, without any, of a stream's upgrade.
pub fn signature(auth_token: &str, url: &str, fields: &[(String, String)]) -> String {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort();
    let text = fields.iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth_token.as_bytes());
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

/// As a form's body or a query.
pub fn escaped(fields: &[(String, String)]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    let escape = |text: &String| {
        let one = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        text.bytes().map(one).collect::<String>()
    };
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// As long as Twilio waits.
const PATIENCE: Duration = Duration::from_secs(15);

/// More than Twilio takes, so that too much is seen.
const LONGEST: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Twilio's npm package.
    #[test]
    fn a_signature_is_what_twilio_makes_of_address_and_fields() {
        let call = format!("CA{}", "0".repeat(32));
        let fields = [("To", "+15550111"), ("CallSid", &call), ("From", "+15550100")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let url = "https://app.example.com/api/voice/incoming?tenant=7";
        assert_eq!(signature("12345", url, &fields), "7P554bq47qtDzWwxwXPxIAtiOGs=");
        assert_eq!(
            signature("12345", "wss://relay.example.com/v1/twilio", &[]),
            "sKEi/PBLZBIYURb0G3zhwV7gHVw="
        );
        assert_eq!(escaped(&fields[2..]), "From=%2B15550100");
    }
}
