//! Somebody wants to be called by the agent: may they, and what becomes of it?
//!
//! A telephone that rings cannot be unrung, so the guards come first, and each attempt counts. What Twilio says is told
//! to whoever asked: they have passed the guards.

mod pace;
pub mod page;

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use hyper::StatusCode;
use secrecy::{ExposeSecret, SecretString};

use self::pace::Pace;
use super::form;
use crate::{
    http::Refused,
    outward::{
        number,
        twilio::{Account, NewCall, Twilio},
    },
    settings::{Secret, Settings},
};

pub struct CallMe {
    account: Account,
    /// The number that calls.
    from: String,
    /// Where Twilio asks what to do when somebody has answered.
    url: String,
    /// Only these may be called; empty: the secret alone decides.
    numbers: Vec<String>,
    secret: Option<Secret>,
    pace: Mutex<Pace>,
}

/// Who should be called, and what they know.
#[derive(Clone, Default)]
pub struct Wish {
    pub to: String,
    pub secret: String,
}

/// A call that Twilio has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub call: String,
    pub to: String,
}

impl CallMe {
    /// `None` without a guard, or without what it takes to call.
    pub(super) fn new(settings: &Settings, account: Account) -> Option<Self> {
        let calling = &settings.calling;
        Some(Self {
            account,
            from: calling.number.clone()?,
            url: settings.public_url.as_ref()?.http("/twiml"),
            numbers: calling.numbers.clone(),
            secret: calling.secret.clone(),
            pace: Mutex::default(),
        })
        .filter(|_| calling.is_guarded())
    }

    pub fn asks_for_a_secret(&self) -> bool {
        self.secret.is_some()
    }

    pub async fn place(&self, twilio: &Twilio, wish: &Wish, now: Instant) -> Result<Placed, Refused> {
        let to = self.allowed(wish)?;
        let wait = self.pace.lock().unwrap_or_else(PoisonError::into_inner).take(&to, now);
        wait.map_err(|pace::Slower { wait, why }| {
            let text = format!("{why}: wait {} s", wait.as_secs().max(1));
            Refused::new(StatusCode::TOO_MANY_REQUESTS, "call_me_pace", text).after(wait)
        })?;
        let call = NewCall { to: to.clone(), from: self.from.clone(), url: self.url.clone() };
        match twilio.create(&self.account, &call).await {
            Ok(call) => Ok(Placed { call, to }),
            Err(why) => Err(Refused::new(StatusCode::BAD_GATEWAY, "call_me_twilio", why.to_string())),
        }
    }

    /// The number, if this wish may have it called. The secret comes first: without it nothing is told about numbers.
    fn allowed(&self, wish: &Wish) -> Result<String, Refused> {
        if self.secret.as_ref().is_some_and(|secret| !is_equal(secret, &wish.secret)) {
            let text = "the secret is missing or wrong: it is the relay's CALL_ME_SECRET";
            return Err(Refused::new(StatusCode::FORBIDDEN, "call_me_secret", text));
        }
        let to = number::tidied(&wish.to).ok_or_else(|| {
            let text = "this is not a telephone number with its country: write it like +1 555 010 0123";
            Refused::new(StatusCode::BAD_REQUEST, "call_me_number", text)
        })?;
        if !self.numbers.is_empty() && !self.numbers.contains(&to) {
            let text = "this number is not one that may be called: add it to the relay's CALL_ME_NUMBERS";
            return Err(Refused::new(StatusCode::FORBIDDEN, "call_me_not_listed", text));
        }
        Ok(to)
    }
}

impl Wish {
    /// From a form's body or a link's query.
    pub fn read(text: &str) -> Self {
        let fields = form::fields(text);
        let value = |name| form::value(&fields, name).unwrap_or_default().chars().take(LONGEST).collect();
        let to: String = value("to");
        // What is shown is what would be dialled.
        Self { to: number::tidied(&to).unwrap_or(to), secret: value("secret") }
    }
}

/// The relay's own account: with its API key, or with the auth token that signs webhooks.
pub(super) fn account(settings: &Settings) -> Option<Account> {
    let calling = &settings.calling;
    let sid = calling.account_sid.clone()?;
    let (key, secret): (SecretString, SecretString) = match &calling.api_key {
        Some((key, secret)) => (key.as_str().into(), (**secret).clone()),
        None => (sid.as_str().into(), (**settings.twilio_auth_token.as_ref()?).clone()),
    };
    Some(Account { sid, key, secret })
}

/// In a time that tells nothing but the length.
fn is_equal(secret: &Secret, given: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(secret.expose_secret().as_bytes(), given.as_bytes())
        .is_ok()
}

impl fmt::Debug for CallMe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, numbers, secret, .. } = self;
        let (numbers, secret) = (numbers.len(), secret.is_some());
        f.debug_struct("CallMe")
            .field("url", url)
            .field("numbers", &numbers)
            .field("secret", &secret)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wish(***)")
    }
}

/// Of what somebody typed; no number and no secret is as long.
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn call_me(guards: &[(&str, &str)]) -> Option<CallMe> {
        let usual = [
            ("RELAY_SECRET", "0123456789abcdef0123456789abcdef"),
            ("PUBLIC_URL", "https://relay.example.com/base"),
            ("TWILIO_AUTH_TOKEN", "12345"),
            ("TWILIO_ACCOUNT_SID", "AC00112233445566778899aabbccddeeff"),
            ("TWILIO_NUMBER", "+15550111"),
        ];
        let settings = Settings::read_for_standalone(usual.iter().chain(guards).copied()).unwrap();
        CallMe::new(&settings, account(&settings).unwrap())
    }

    const LIST: (&str, &str) = ("CALL_ME_NUMBERS", "+15550100123,+442071838750");
    const SECRET: (&str, &str) = ("CALL_ME_SECRET", "0123456789abcdef");

    fn code(call_me: &CallMe, wish: &str) -> Result<String, &'static str> {
        call_me.allowed(&Wish::read(wish)).map_err(|refused| refused.code)
    }

    #[test]
    fn without_a_guard_nobody_is_called() {
        assert!(call_me(&[]).is_none());
        assert_eq!(call_me(&[LIST]).unwrap().url, "https://relay.example.com/base/twiml");
    }

    #[test]
    fn a_list_allows_its_numbers_however_they_are_written() {
        let listed = call_me(&[LIST]).unwrap();
        for to in
            ["to=%2B15550100123", "to=+15550100123", "to=+1+555+010-0123&secret=x", "to=%2B1%20555%200100123"]
        {
            assert_eq!(code(&listed, to), Ok("+15550100123".to_owned()), "{to}");
        }
        assert_eq!(code(&listed, "to=%2B15550100124"), Err("call_me_not_listed"));
        assert_eq!(code(&listed, "to=15550100123"), Err("call_me_number"));
        assert_eq!(code(&listed, ""), Err("call_me_number"));
    }

    #[test]
    fn a_secret_allows_every_number_and_comes_before_the_list() {
        let secret = call_me(&[SECRET]).unwrap();
        assert_eq!(code(&secret, "to=%2B15550100124&secret=0123456789abcdef"), Ok("+15550100124".to_owned()));
        for wrong in
            ["to=%2B15550100124", "to=%2B15550100124&secret=0123456789abcdeg", "to=x&secret=0123456789abcde"]
        {
            assert_eq!(code(&secret, wrong), Err("call_me_secret"), "{wrong}");
        }
        let both = call_me(&[LIST, SECRET]).unwrap();
        assert_eq!(code(&both, "to=%2B15550100124&secret=x"), Err("call_me_secret"));
        assert_eq!(code(&both, "to=%2B15550100124&secret=0123456789abcdef"), Err("call_me_not_listed"));
        assert!(code(&both, "to=%2B15550100123&secret=0123456789abcdef").is_ok());
    }
}
