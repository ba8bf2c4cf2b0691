//! The relay's own account at Twilio, and whom it may call. For `serve --agent` only.
//!
//! Whoever can make a telephone ring can annoy its owner, and run up a bill: so nothing is dialled without a list of
//! numbers or a secret, and a relay that should dial and cannot says what is missing before it starts.

use super::{Problems, Secret, check::Check, raw::Raw};
use crate::outward::{number, twilio::is_sid};
use secrecy::ExposeSecret;

/// Each part is there if it was set, and then it has the right form.
#[derive(Clone, Debug, Default)]
pub struct Calling {
    /// `AC…`.
    pub account_sid: Option<String>,
    /// `SK…` and its secret.
    pub api_key: Option<(String, Secret)>,
    /// The number that calls.
    pub number: Option<String>,
    /// Only these may be called.
    pub numbers: Vec<String>,
    /// Only who knows it may have somebody called.
    pub secret: Option<Secret>,
}

impl Calling {
    /// Somebody means to have people called.
    pub fn is_guarded(&self) -> bool {
        !self.numbers.is_empty() || self.secret.is_some()
    }

    pub(super) fn check(raw: &mut Raw, check: &mut Check<'_>) -> Self {
        let mut text =
            |name: &str, text: Option<String>, fits: &dyn Fn(&str) -> Option<String>, cure: &str| {
                let text = text?;
                let fitting = fits(&text);
                if fitting.is_none() {
                    check.problem(name, "does not have the right form", cure);
                }
                fitting
            };
        let sid = |letters: &'static str| move |text: &str| is_sid(letters, text).then(|| text.to_owned());
        let account_sid = text(
            "TWILIO_ACCOUNT_SID",
            raw.twilio_account_sid.take(),
            &sid("AC"),
            "copy it from Twilio's console: `AC` and 32 hexadecimal digits",
        );
        let api_key = text(
            "TWILIO_API_KEY",
            raw.twilio_api_key.take(),
            &sid("SK"),
            "copy it from Twilio's console: `SK` and 32 hexadecimal digits",
        );
        let number = text(
            "TWILIO_NUMBER",
            raw.twilio_number.take(),
            &number::tidied,
            "write the number that calls, with its country: +15550100123",
        );
        let api_secret = raw.twilio_api_secret.take();
        let misses = |check: &mut Check<'_>, name: &str, other: &str| {
            if !check.names(name) && !check.names(other) {
                let fault = format!("is missing, and {other} is of no use without it");
                check.problem(name, &fault, "set both, or neither");
            }
        };
        match (&api_key, &api_secret) {
            (Some(_), None) => misses(check, "TWILIO_API_SECRET", "TWILIO_API_KEY"),
            (None, Some(_)) => misses(check, "TWILIO_API_KEY", "TWILIO_API_SECRET"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        let cure = "write numbers with their country, with commas: +15550100123,+442071838750";
        let numbers = check.list("CALL_ME_NUMBERS", raw.call_me_numbers.take(), number::tidied, cure);
        let secret = raw.call_me_secret.take();
        if secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < SECRET_MIN) {
            let cure = "make one with `openssl rand -hex 16`: whoever guesses it can have anybody called";
            check.problem("CALL_ME_SECRET", &format!("is shorter than {SECRET_MIN} characters"), cure);
        }
        Self { account_sid, api_key: api_key.zip(api_secret), number, numbers, secret }
    }

    /// What a relay that should call people needs besides.
    pub(super) fn complete(&self, problems: &mut Problems) {
        if !self.is_guarded() {
            return;
        }
        for (name, there, cure) in [
            ("TWILIO_ACCOUNT_SID", self.account_sid.is_some(), "copy it from Twilio's console"),
            ("TWILIO_NUMBER", self.number.is_some(), "set it to the number of yours that calls"),
        ] {
            if !there && !problems.names(name) {
                problems.add(name, "is missing, and CALL_ME_NUMBERS and CALL_ME_SECRET need it", cure);
            }
        }
    }
}

/// With 64 characters to choose from these are 96 bits.
const SECRET_MIN: usize = 16;
