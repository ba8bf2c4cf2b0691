//! Whether a genuine token is meant for this relay, now.
//!
//! `exp` is looked at here, when the socket opens, and never again: a call outlives its token. `iat` counts
//! too, because a token dated into the future would live longer than 15 minutes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    Rules,
    claims::Registered,
    refusal::{Code, Refusal},
};

pub(super) fn check(claims: &Registered, rules: &Rules, now: SystemTime) -> Result<(), Refusal> {
    let refuse = |code, path: &str, text: String| Err(Refusal::new(code, text).at(path));
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (iat, exp) = (claims.iat.0, claims.exp.0);
    if claims.v.is_some_and(|v| v != 1) {
        return refuse(Code::ClaimsVersion, "v", "`v` is not 1, the only version of these claims".into());
    }
    if !claims.aud.0.contains(&rules.audience) {
        let text =
            format!("`aud` does not name this relay: it must be `{}` (RELAY_AUDIENCE)", rules.audience);
        return refuse(Code::TokenAudience, "aud", text);
    }
    if exp <= iat || exp - iat > LIFETIME_MAX.as_secs() {
        let text =
            "`exp` must be after `iat`, by at most 900 seconds: 90 are right for a call that is coming in";
        return refuse(Code::TokenLifetime, "exp", text.into());
    }
    if now >= exp + LEEWAY.as_secs() {
        let text = format!(
            "the token expired {} s ago: make it when the call comes, with a longer `exp` if it rings long",
            now - exp
        );
        return refuse(Code::TokenExpired, "exp", text);
    }
    for (path, date) in [("iat", Some(claims.iat)), ("nbf", claims.nbf)] {
        if let Some(date) = date.filter(|date| date.0 > now + LEEWAY.as_secs()) {
            let text = format!("`{path}` lies {} s in the future: set both clocks", date.0 - now);
            return refuse(Code::TokenNotYetValid, path, text);
        }
    }
    for (path, text, most) in [
        ("iss", Some(&claims.iss), 256),
        ("sub", claims.sub.as_ref(), 256),
        ("acct", claims.acct.as_ref(), 256),
        ("jti", claims.jti.as_ref(), 256),
        ("region", claims.region.as_ref(), 32),
    ] {
        let fine =
            |text: &String| !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control);
        if !text.is_none_or(fine) {
            return refuse(
                Code::ClaimsValue,
                path,
                format!("`{path}` is empty, longer than {most} bytes, or not printable"),
            );
        }
    }
    if rules.require_call_binding && claims.sub.is_none() {
        let text =
            "`sub` must be the carrier's call id (Twilio's CallSid), or set REQUIRE_CALL_BINDING=false";
        return refuse(Code::TokenUnbound, "sub", text.into());
    }
    Ok(())
}

/// Clocks differ a little.
pub(super) const LEEWAY: Duration = Duration::from_secs(5);

/// Covers ringing for ten minutes, the longest that carriers allow.
const LIFETIME_MAX: Duration = Duration::from_secs(15 * 60);
